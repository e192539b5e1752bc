// What has been measured, in words and figures, beside a question that a person has to answer.
import { useId } from "preact/hooks";
import { evidence as askEvidence } from "../api/client";
import type { ArmView, EvidencePage, EvidenceView, MetricEvidence, RolloutPage, SideView, ThresholdView } from "../api/types";
import { usePolled } from "../state/polled";
import { count, figure, times } from "../text/figures";
import { VERDICTS } from "../text/glyphs";
import { Ago, Tag, Wide, Words } from "./bits";
import { Verdict } from "./lanes";

/** How often it is asked for while somebody thinks about it. */
const PERIOD_MS = 3_000;
/** Clusters whose verdict is told in full. */
const VERDICTS_MAX = 3;
/** The judge's name for the scrapes of the pods, and what people call them. */
const SCRAPES = ["scrape-health", "failed scrapes"] as const;

export function useEvidence(page: RolloutPage) {
  const { namespace, name } = page.row;
  return usePolled(() => askEvidence(namespace, name), PERIOD_MS, [namespace, name]);
}

/** For how long a gate has been waiting for somebody. */
export function Waited({ found, token }: { found: EvidencePage | null; token: string | null }) {
  const gate = found?.gates.find((one) => one.token === token);
  if (!gate) return null;
  return (
    <p class="waited tone-wait">
      <span aria-hidden="true">‖ </span>
      Has waited for a person for {gate.perhapsLonger ? "at least " : ""}
      <Ago at={gate.since} suffix="" />.
    </p>
  );
}

/** `cluster`: the one that is asked about; null when it is about all of them. */
export function Evidence(props: { page: RolloutPage; found: EvidencePage | null; problem: string; cluster: string | null }) {
  const { page, found, cluster } = props;
  const title = useId();
  if (props.problem) return <p class="tone-wait">! What has been measured cannot be shown: {props.problem}.</p>;
  if (!found) return <p class="faint">Asking what has been measured</p>;
  const cards = page.lanes.flatMap((lane) => lane.cards);
  const judged = cards.filter((card) => (cluster ? card.name === cluster : card.phase !== "Promoted") && card.verdict);
  const thresholds = found.thresholds.filter((one) => !cluster || one.cluster === cluster);
  return (
    <section class="measured" aria-labelledby={title}>
      <p class="measured-title" id={title}>
        Measured in this attempt
        {found.standing?.asOf ? (
          <span class="faint">
            {" "}
            as of <Ago at={found.standing.asOf} />
          </span>
        ) : null}
      </p>
      {judged.slice(0, VERDICTS_MAX).map((card) => (
        <Verdict card={card} page={page} key={card.name} />
      ))}
      {found.standing ? (
        <Comparisons standing={found.standing} cluster={cluster} />
      ) : (
        <p class="faint">No comparison to show: {found.missing ?? "none has been made"}.</p>
      )}
      {thresholds.length ? <Thresholds rows={thresholds} /> : null}
    </section>
  );
}

function Comparisons({ standing, cluster }: { standing: EvidenceView; cluster: string | null }) {
  const metrics = standing.metrics.filter((metric) => metric.canary.events + metric.stable.events > 0);
  const more = new Set(metrics.flatMap((metric) => metric.clusters.map((one) => one.name)));
  return (
    <>
      <p>
        <Words text={standing.sentence} />
      </p>
      <p class="faint">
        Evidence that it is worse: {side(standing.against)} (taken back at {times(standing.against.barLn)}). That it is good
        enough: {side(standing.inFavour)} (the last step ends at {times(standing.inFavour.barLn)}).
      </p>
      {metrics.length ? <Figures metrics={metrics} cluster={cluster} /> : null}
      {!cluster && more.size > 1 && metrics.length ? (
        <details>
          <summary>By cluster: {more.size}</summary>
          {[...more].map((name) => (
            <Figures metrics={metrics} cluster={name} key={name} />
          ))}
        </details>
      ) : null}
    </>
  );
}

/** Infinite evidence has no number in JSON. */
const side = (one: SideView) => (one.lnE === null ? "nothing waits for it" : times(one.lnE));

interface Row {
  name: string;
  canary: ArmView;
  stable: ArmView;
  worse: number | null;
}

function rowOf(metric: MetricEvidence, cluster: string | null): Row | null {
  const name = metric.name === SCRAPES[0] ? SCRAPES[1] : metric.name;
  if (!cluster) return { name, canary: metric.canary, stable: metric.stable, worse: metric.againstLn };
  const here = metric.clusters.find((one) => one.name === cluster);
  return here ? { name, canary: here.canary, stable: here.stable, worse: here.againstLn } : null;
}

function Figures({ metrics, cluster }: { metrics: MetricEvidence[]; cluster: string | null }) {
  const rows = metrics.map((metric) => rowOf(metric, cluster)).filter((row) => row !== null);
  const place = cluster ?? "all clusters";
  if (rows.length === 0) return <p class="faint">Nothing has been compared in {place} yet.</p>;
  return (
    <Wide label={`Bad events of both revisions in ${place}`}>
      <table class="figures arms">
        <caption class="faint">{cluster ? `Bad of all in ${cluster}` : "Bad of all, in all clusters together"}</caption>
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col">New revision</th>
            <th scope="col">Stable</th>
            <th scope="col">Evidence that it is worse</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <th scope="row">{row.name}</th>
              <Arm arm={row.canary} />
              <Arm arm={row.stable} />
              <td>{times(row.worse)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

function Arm({ arm }: { arm: ArmView }) {
  return (
    <td>
      <span class="share-of">{arm.events > 0 ? `${figure((100 * arm.bad) / arm.events)} %` : "none"}</span>{" "}
      <span class="faint">
        {count(arm.bad)} of {count(arm.events)}
      </span>
    </td>
  );
}

function Thresholds({ rows }: { rows: ThresholdView[] }) {
  return (
    <ul class="thresholds">
      {rows.map((row) => (
        <li key={row.cluster + row.metric}>
          <Tag look={VERDICTS[row.verdict]}>{row.verdict}</Tag> {row.metric} in <Words text={row.cluster} />:{" "}
          {row.value === null ? "no number" : figure(row.value)}
          {row.limit ? (
            <>
              , allowed <code>{row.limit}</code>
            </>
          ) : null}{" "}
          <span class="faint">
            <Ago at={row.at} />
          </span>
        </li>
      ))}
    </ul>
  );
}
