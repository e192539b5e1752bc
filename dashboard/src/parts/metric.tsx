// One series of the Analysis screen: what it says in words, as charts, and as a table.
import { useState } from "preact/hooks";
import type { SeriesView } from "../api/types";
import type { Line } from "../chart/chart";
import { stepStarts, windowed } from "../chart/columns";
import { count, figure, times } from "../text/figures";
import { VERDICTS } from "../text/glyphs";
import { clockTime } from "../text/time";
import { Copy, Tag, Wide } from "./bits";
import { Chart } from "./chartbox";

/** Rows of the table twin. */
const ROWS = 20;

const last = <T,>(column: T[]): T | undefined => column[column.length - 1];

const KINDS: Record<SeriesView["kind"], string> = {
  Together: "over all clusters; each metric counts by its weight, so its own bar is higher",
  Comparison: "canary against stable",
  Threshold: "a number against a condition",
};

export function Metric({ series }: { series: SeriesView }) {
  return (
    <section class="metric" aria-label={`Metric ${series.metric}`}>
      <div class="metric-head">
        <h2>{series.metric}</h2>
        <Tag look={VERDICTS[series.verdict]}>{series.verdict}</Tag>
        <span class="faint">{series.informs ? `${KINDS[series.kind]}; informs only` : KINDS[series.kind]}</span>
      </div>
      {series.message ? <p class="metric-message">{series.message}</p> : null}
      <Sentence series={series} />
      {series.atMs.length > 0 ? <Charts series={series} /> : null}
      {series.query ? <Copy text={series.query} label={`query of ${series.metric}`} /> : null}
      {series.atMs.length > 0 ? <Twin series={series} /> : null}
    </section>
  );
}

/** The charts in words. */
function Sentence({ series }: { series: SeriesView }) {
  if (series.atMs.length === 0) return <p class="faint">Nothing has been measured here yet.</p>;
  if (series.kind === "Threshold") {
    const value = last(series.value);
    return (
      <p>
        {value == null ? "No number at last" : `${figure(value)} at last`}
        {series.limit && !series.message.includes(series.limit) ? (
          <>
            {"; allowed: "}
            <code>{series.limit}</code>
          </>
        ) : null}
        .
      </p>
    );
  }
  const parts = series.kind === "Comparison" ? [events(series)] : [];
  parts.push(evidence(series));
  return <p>{parts.filter(Boolean).join(" ")}</p>;
}

function events(series: SeriesView): string {
  const arm = (bad = 0, total = 0) => `${figure(total > 0 ? (100 * bad) / total : 0)} % of ${count(total)} events bad`;
  if (!last(series.canaryTotal) && !last(series.stableTotal)) return "No events have been counted here yet.";
  return `Here in attempt ${series.attempt}: canary ${arm(last(series.canaryBad), last(series.canaryTotal))}, stable ${arm(last(series.stableBad), last(series.stableTotal))}.`;
}

function evidence(series: SeriesView): string {
  const [abort, abortBar] = [last(series.abortEvidence), last(series.abortBar)];
  const [promote, promoteBar] = [last(series.promoteEvidence), last(series.promoteBar)];
  const said: string[] = [];
  if (abortBar != null) said.push(`that it is worse ${times(abort)} (taken back at ${times(abortBar)})`);
  if (promoteBar != null) said.push(`that it is good ${times(promote)} (last step ends at ${times(promoteBar)})`);
  return said.length > 0 ? `Evidence ${said.join(", ")}.` : "Nothing follows from it.";
}

function Charts({ series }: { series: SeriesView }) {
  const at = series.atMs.map((ms) => ms / 1_000);
  const marks = stepStarts(series);
  const shares: Line[] = [
    { name: "canary", color: "--accent", values: windowed(series, series.canaryBad, series.canaryTotal) },
    { name: "stable", color: "--muted", values: windowed(series, series.stableBad, series.stableTotal) },
  ];
  const balance = balanceLines(series);
  return (
    <div class={series.kind === "Comparison" && balance.length > 0 ? "charts" : "charts one"}>
      {series.kind === "Comparison" ? (
        <Chart title="Bad events in the last minute, %" drawing={{ unit: "%", at, marks, lines: shares }} />
      ) : null}
      {balance.length > 0 ? (
        <Chart title="Evidence of all clusters, and its bars; 1 says nothing" drawing={{ unit: "times", at, marks, lines: balance }} />
      ) : null}
      {series.kind === "Threshold" ? (
        <Chart title="Measurements" drawing={{ unit: "", at, marks, lines: measured(series), dots: series.verdicts.map(dot) }} />
      ) : null}
    </div>
  );
}

function balanceLines(series: SeriesView): Line[] {
  const lines: Line[] = [];
  const has = (column: (number | null)[]) => column.some((value) => value !== null);
  if (has(series.abortBar)) {
    lines.push({ name: "worse", color: "--bad", values: series.abortEvidence });
    lines.push({ name: "abort bar", color: "--bad", values: series.abortBar, dashed: true });
  }
  if (has(series.promoteBar)) {
    lines.push({ name: "good", color: "--good", values: series.promoteEvidence });
    lines.push({ name: "promotion bar", color: "--good", values: series.promoteBar, dashed: true });
  }
  return lines;
}

function measured(series: SeriesView): Line[] {
  const bounds = series.bounds.map((bound, index) => ({
    name: series.bounds.length > 1 ? `bound ${index + 1}` : "bound",
    color: "--bad",
    dashed: true,
    values: series.value.map(() => bound),
  }));
  return [{ name: "value", color: "--accent", values: series.value }, ...bounds];
}

/** Good measurements are small dots, others large ones; where there is none stands a glyph. */
function dot(verdict: SeriesView["verdict"]) {
  if (verdict === "Pass") return { color: "--good", glyph: "" };
  return { color: verdict === "Fail" || verdict === "Error" ? "--bad" : "--wait", glyph: VERDICTS[verdict].glyph };
}

interface ColumnOf {
  name: string;
  told: (index: number) => string;
}

function columnsOf(series: SeriesView): ColumnOf[] {
  const plain = (name: string, values: number[]) => ({ name, told: (index: number) => count(values[index] ?? 0) });
  const evidence = (name: string, values: (number | null)[]) => ({ name, told: (index: number) => times(values[index]) });
  const columns = [plain("Step", series.step), { name: "Verdict", told: (index: number) => series.verdicts[index] ?? "" }];
  if (series.kind === "Threshold") {
    const value = (index: number) => series.value[index];
    columns.push({ name: "Value", told: (index) => (value(index) == null ? "none" : figure(value(index) ?? 0)) });
    return columns;
  }
  if (series.kind === "Comparison") {
    columns.push(plain("Canary bad", series.canaryBad), plain("of", series.canaryTotal));
    columns.push(plain("Stable bad", series.stableBad), plain("of", series.stableTotal));
  }
  columns.push(evidence("Worse", series.abortEvidence), evidence("Bar", series.abortBar));
  columns.push(evidence("Good", series.promoteEvidence), evidence("Bar", series.promoteBar));
  return columns;
}

function Twin({ series }: { series: SeriesView }) {
  const [open, setOpen] = useState(false);
  const from = Math.max(0, series.atMs.length - ROWS);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{series.atMs.length === 1 ? "Table: one point" : `Table: the last ${Math.min(ROWS, series.atMs.length)} points`}</summary>
      {open ? <Points series={series} from={from} columns={columnsOf(series)} /> : null}
    </details>
  );
}

function Points({ series, from, columns }: { series: SeriesView; from: number; columns: ColumnOf[] }) {
  return (
    <Wide label={`Points of ${series.metric}`}>
      <table class="figures">
        <caption class="unseen">Points of {series.metric}</caption>
        <thead>
          <tr>
            <th scope="col">Time UTC</th>
            {columns.map(({ name }, index) => (
              <th scope="col" key={index}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {series.atMs.slice(from).map((ms, index) => (
            <tr key={ms}>
              <th scope="row">{clockTime(ms)}</th>
              {columns.map(({ told }, column) => (
                <td key={column}>{told(from + index)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}
