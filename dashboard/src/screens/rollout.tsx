// Rollout: why it waits, what to press, the steps, the waves.
import { useEffect, useState } from "preact/hooks";
import type { RolloutPage, RolloutRow, Who } from "../api/types";
import { Actions } from "../parts/actions";
import { Ago, Countdown, Empty, Heading, Tag, Wide, Words } from "../parts/bits";
import { Evidence, useEvidence, Waited } from "../parts/evidence";
import { Lanes } from "../parts/lanes";
import { Steps } from "../parts/steps";
import { TakenBack } from "../parts/takenback";
import { matrixSentence } from "../parts/matrix";
import { rolloutHref, type Tab } from "../state/route";
import { gone, key, open, page } from "../state/store";
import { lookOf } from "../text/glyphs";
import { span } from "../text/time";
import { Analysis } from "./analysis";
import { History } from "./history";
import { Plan } from "./plan";

const WHO: Record<Who, string> = {
  Person: "Needs a person",
  Clock: "Waits for time",
  Evidence: "Gathers evidence",
  Clusters: "Waits for clusters",
  GoingBack: "Goes back by itself",
  Nothing: "At rest",
};

const TABS: [Tab, string][] = [
  ["overview", "Overview"],
  ["analysis", "Analysis"],
  ["history", "History"],
  ["plan", "Plan"],
];

function Head({ page, tab }: { page: RolloutPage; tab: Tab }) {
  const { row } = page;
  return (
    <>
      <p class="crumbs">
        <a href="/">Fleet</a> / {row.namespace}
      </p>
      <div class="title">
        <Heading>{row.name}</Heading>
        <Tag look={lookOf(row)}>{row.state}</Tag>
        <p class="faint facts">
          <Facts page={page} row={row} hasPlan={tab === "plan"} />
        </p>
      </div>
    </>
  );
}

/** The Plan view has its own estimate, which knows the windows that gates need beside the bakes. */
function Facts({ page, row, hasPlan }: { page: RolloutPage; row: RolloutRow; hasPlan: boolean }) {
  return (
    <>
      revision {row.from && row.from !== row.revision ? <code>{row.from} → </code> : null}
      <code>{row.revision ?? "none"}</code>
      {row.attempt ? <>, attempt {row.attempt}</> : null}
      {row.startedAt && row.endedAt ? (
        <>
          , took {span(Date.parse(row.endedAt) - Date.parse(row.startedAt))}, ended <Ago at={row.endedAt} />
        </>
      ) : row.startedAt ? (
        <>
          , started <Ago at={row.startedAt} />
        </>
      ) : null}
      {row.estimate && !row.endedAt && !hasPlan ? <>, plan: {row.estimate}</> : null}
      {page.wantedRevision && row.revision && page.wantedRevision !== row.revision ? (
        <>
          , the spec asks for <code>{page.wantedRevision}</code>
        </>
      ) : null}
    </>
  );
}

function WhyBox({ page }: { page: RolloutPage }) {
  const look = lookOf(page.row);
  return (
    <section class={`why edge-${look.tone}`} aria-label="Why it stands where it stands">
      <p class="why-who">
        <span class="glyph" aria-hidden="true">
          {look.glyph}
        </span>
        {page.row.outcome === "Aborted" ? "Taken back" : WHO[page.why.who]}
        {page.why.until ? <Countdown until={page.why.until} /> : null}
      </p>
      <p class="why-sentence">
        <Words text={page.why.sentence} />
      </p>
      <AfterAbort row={page.row} />
      <Shown page={page} />
      {page.row.paused ? <p>Paused: {page.row.paused}</p> : null}
      <p class="faint">
        {page.row.wave ? `Wave ${page.row.wave}: ` : null}
        {matrixSentence(page.row)}
      </p>
      <MoreWaits page={page} />
    </section>
  );
}

/** What serves now, and what there is to do. */
function AfterAbort({ row }: { row: RolloutRow }) {
  if (row.outcome !== "Aborted" || row.goingBack) return null;
  return (
    <p>
      {row.counts.owed ? "Every cluster that is reached" : "Every cluster"} serves {row.from ? <code>{row.from}</code> : "what it served before"}{" "}
      again. Put the manifest back to it or release another revision; a retry tries this one once more.
    </p>
  );
}

/** What has been measured where a person is asked to agree: of one gate in its cluster, of more,
 * or of a wave, in all of them. */
function Shown({ page }: { page: RolloutPage }) {
  const asked = page.waiting.filter((wait) => wait.token !== null);
  const [first] = asked;
  return first ? <Measured page={page} cluster={asked.length === 1 ? first.cluster : null} token={first.token} /> : null;
}

function Measured({ page, cluster, token }: { page: RolloutPage; cluster: string | null; token: string | null }) {
  const evidence = useEvidence(page);
  return (
    <>
      <Waited found={evidence.found} token={token} />
      <Evidence page={page} {...evidence} cluster={cluster} />
    </>
  );
}

/** Waits beside the one that the sentence tells. */
function MoreWaits({ page }: { page: RolloutPage }) {
  const [all, setAll] = useState(false);
  const others = page.waiting.filter((wait) => !page.why.sentence.includes(wait.message.slice(1)));
  if (others.length === 0) return null;
  const shown = all ? others : others.slice(0, 3);
  return (
    <details>
      <summary>{others.length === 1 ? "It waits for 1 more thing" : `It waits for ${others.length} more things`}</summary>
      <ul class="waits">
        {shown.map((wait, index) => (
          <li key={`${wait.cluster}${wait.reason}${index}`}>
            <strong>{wait.reason}</strong> <Words text={wait.message} /> {wait.until ? <Countdown until={wait.until} /> : null}
          </li>
        ))}
      </ul>
      {others.length > shown.length ? (
        <button type="button" class="quiet" onClick={() => setAll(true)}>
          Show all
        </button>
      ) : null}
    </details>
  );
}

function Overview({ page }: { page: RolloutPage }) {
  return (
    <>
      <div class="top">
        <div>
          <WhyBox page={page} />
          {page.abort ? <TakenBack abort={page.abort} told={page.why.sentence} /> : null}
        </div>
        <Actions page={page} />
      </div>
      <Steps page={page} />
      <Lanes page={page} />
      <Conditions page={page} />
    </>
  );
}

function Conditions({ page }: { page: RolloutPage }) {
  return (
    <details class="conditions">
      <summary>Conditions</summary>
      <Wide label="Conditions of the status">
        <table>
          <caption class="unseen">Conditions of the status</caption>
          <thead>
            <tr>
              <th scope="col">Type</th>
              <th scope="col">Status</th>
              <th scope="col">Reason</th>
              <th scope="col">Message</th>
              <th scope="col">Since</th>
            </tr>
          </thead>
          <tbody>
            {page.conditions.map((one) => (
              <tr key={one.type}>
                <th scope="row">{one.type}</th>
                <td>{one.status}</td>
                <td>{one.reason}</td>
                <td class="col-message">{one.message}</td>
                <td>{one.since ? <Ago at={one.since} /> : null}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </details>
  );
}

export function Rollout(props: { namespace: string; name: string; tab: Tab }) {
  const full = key(props);
  const shown = page.value;
  const known = shown !== null && key(shown.row) === full;
  useEffect(() => {
    // The Analysis screen names its cluster as soon as it knows the clusters.
    if (props.tab !== "analysis" || !known) open(full, null);
  }, [full, props.tab, known]);
  if (gone.value) {
    return (
      <>
        <Heading>{props.name}</Heading>
        <Empty title={`There is no rollout ${full}.`}>
          It was deleted, or you may not list rollouts in its namespace. <a href="/">Go to the fleet</a>
        </Empty>
      </>
    );
  }
  if (!shown || !known) return <p class="loading">Loading {full}</p>;
  return (
    <article>
      <Head page={shown} tab={props.tab} />
      <nav class="tabs" aria-label="Views of the rollout">
        {TABS.map(([tab, label]) => (
          <a key={tab} href={rolloutHref(props, tab)} aria-current={tab === props.tab ? "page" : undefined}>
            {label}
          </a>
        ))}
      </nav>
      {props.tab === "overview" ? <Overview page={shown} /> : null}
      {props.tab === "analysis" ? <Analysis page={shown} /> : null}
      {props.tab === "history" ? <History page={shown} /> : null}
      {props.tab === "plan" ? <Plan page={shown} /> : null}
    </article>
  );
}
