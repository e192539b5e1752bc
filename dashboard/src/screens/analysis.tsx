// Analysis: both arms over time, the evidence against its bars, the query, and the same as a table.
import { useEffect, useState } from "preact/hooks";
import { analysis as askAnalysis } from "../api/client";
import type { RolloutPage, SeriesView } from "../api/types";
import { Copy, Empty, Tag, Wide } from "../parts/bits";
import { Chart } from "../parts/chartbox";
import { query, setQuery } from "../state/route";
import { analysis, key, me, open } from "../state/store";
import { CELLS, VERDICTS } from "../text/glyphs";
import { clockTime } from "../text/time";
import { stepStarts, windowed } from "../chart/columns";

/** Rows of the table twin. */
const ROWS = 20;

function choose(page: RolloutPage): string | null {
  const asked = query.value.get("cluster");
  if (asked) return asked;
  const cards = page.lanes.flatMap((lane) => lane.cards);
  const first = cards.find((card) => card.cell === "Failed") ?? cards.find((card) => card.phase === "Canary");
  return (first ?? cards[0])?.name ?? null;
}

function Clusters(props: { page: RolloutPage; chosen: string; known: string[] }) {
  const cards = props.page.lanes.flatMap((lane) => lane.cards);
  const moving = cards.filter((card) => card.phase === "Canary" || card.cell === "Failed").map((card) => card.name);
  const names = [...new Set([...moving, ...props.known, props.chosen])];
  return (
    <div class="chips" role="group" aria-label="Cluster">
      {names.map((name) => {
        const card = cards.find((one) => one.name === name);
        return (
          <button type="button" key={name} aria-pressed={name === props.chosen} onClick={() => setQuery("cluster", name)}>
            <span aria-hidden="true">{card ? CELLS[card.cell].glyph : "·"} </span>
            {name}
          </button>
        );
      })}
    </div>
  );
}

export function Analysis({ page }: { page: RolloutPage }) {
  const chosen = choose(page);
  const full = key(page.row);
  useEffect(() => {
    open(full, chosen);
    let here = true;
    if (chosen) {
      // The stream sends news; what there is already is asked for once.
      askAnalysis(page.row.namespace, page.row.name, chosen).then(
        (answer) => here && !analysis.value && (analysis.value = answer),
        () => undefined,
      );
    }
    return () => {
      here = false;
    };
  }, [full, chosen]);
  if (!chosen) return <Empty title="There is no cluster to analyse yet." />;
  const shown = analysis.value?.cluster === chosen ? analysis.value : null;
  return (
    <>
      <Clusters page={page} chosen={chosen} known={shown?.clusters ?? []} />
      {page.analysis.length === 0 ? (
        <Empty title="No metrics gate this rollout.">Name an AnalysisTemplate in spec.analysis to have them judged.</Empty>
      ) : !shown || shown.series.length === 0 ? (
        <Empty title={`No evidence from ${chosen} yet.`}>
          {me.value?.signIn === "Code"
            ? "The hub keeps the evidence: its own dashboard shows it. The verdicts are on the cards of the overview."
            : "Points appear when a gate is open there. The hub keeps the last hour, and none across its restarts."}
        </Empty>
      ) : (
        shown.series.map((one) => <Metric series={one} key={one.metric} />)
      )}
    </>
  );
}

const share = (bad: number, total: number) => (total > 0 ? (100 * bad) / total : 0);
const last = (column: number[]) => column[column.length - 1] ?? 0;
const figure = (value: number) => value.toLocaleString("en", { maximumFractionDigits: 2 });

function Metric({ series }: { series: SeriesView }) {
  const look = VERDICTS[series.verdict] ?? CELLS.Unknown;
  const seconds = series.atMs.map((ms) => ms / 1_000);
  const marks = stepStarts(series);
  return (
    <section class="metric" aria-label={`Metric ${series.metric}`}>
      <div class="lane-head">
        <h2>{series.metric}</h2>
        <Tag look={look}>{series.verdict}</Tag>
        <span class="faint">{series.message}</span>
      </div>
      <Sentence series={series} />
      <div class="charts">
        <Chart
          title={`${series.metric}: bad events in the last minute, %`}
          at={seconds}
          marks={marks}
          lines={[
            { name: "canary", color: "--accent", values: windowed(series.canaryBad, series.canaryTotal) },
            { name: "stable", color: "--muted", values: windowed(series.stableBad, series.stableTotal) },
          ]}
        />
        <Chart
          title={`${series.metric}: evidence and its bars, natural logarithm`}
          at={seconds}
          marks={marks}
          lines={[
            { name: "for abort", color: "--bad", values: series.abortEvidence },
            { name: "abort bar", color: "--bad", values: series.abortBar, dashed: true },
            { name: "for promotion", color: "--good", values: series.promoteEvidence },
            { name: "promotion bar", color: "--good", values: series.promoteBar, dashed: true },
          ]}
        />
      </div>
      {series.query ? <Copy text={series.query} label="query" /> : <p class="faint">The query is not known here.</p>}
      <Twin series={series} />
    </section>
  );
}

/** The charts in words. */
function Sentence({ series }: { series: SeriesView }) {
  const canary = share(last(series.canaryBad), last(series.canaryTotal));
  const stable = share(last(series.stableBad), last(series.stableTotal));
  return (
    <p>
      Since the window opened: canary {figure(canary)} % bad of {figure(last(series.canaryTotal))}, stable{" "}
      {figure(stable)} % of {figure(last(series.stableTotal))}. Evidence for abort {figure(last(series.abortEvidence))} of{" "}
      {figure(last(series.abortBar))}, for promotion {figure(last(series.promoteEvidence))} of{" "}
      {figure(last(series.promoteBar))}.
    </p>
  );
}

function Twin({ series }: { series: SeriesView }) {
  const [open, setOpen] = useState(false);
  const from = Math.max(0, series.atMs.length - ROWS);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Table: the last {Math.min(ROWS, series.atMs.length)} points</summary>
      {open ? (
        <Wide label={`Points of ${series.metric}`}>
          <table class="figures">
            <caption class="unseen">Points of {series.metric}</caption>
            <thead>
              <tr>
                {["Time UTC", "Step", "Canary bad", "of", "Stable bad", "of", "Abort", "Bar", "Promotion", "Bar"].map(
                  (name, index) => (
                    <th scope="col" key={index}>
                      {name}
                    </th>
                  ),
                )}
              </tr>
            </thead>
            <tbody>
              {series.atMs.slice(from).map((ms, index) => (
                <PointRow series={series} at={from + index} ms={ms} key={ms} />
              ))}
            </tbody>
          </table>
        </Wide>
      ) : null}
    </details>
  );
}

function PointRow({ series, at, ms }: { series: SeriesView; at: number; ms: number }) {
  const columns = [
    series.step,
    series.canaryBad,
    series.canaryTotal,
    series.stableBad,
    series.stableTotal,
    series.abortEvidence,
    series.abortBar,
    series.promoteEvidence,
    series.promoteBar,
  ];
  return (
    <tr>
      <th scope="row">{clockTime(ms)}</th>
      {columns.map((column, index) => (
        <td key={index}>{figure(column[at] ?? 0)}</td>
      ))}
    </tr>
  );
}
