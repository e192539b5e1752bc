// History: attempts that this server has seen, and the Events of all clusters.
import { useState } from "preact/hooks";
import { history } from "../api/client";
import type { AttemptPhase, AttemptRecord, EventRow, RolloutPage } from "../api/types";
import { Ago, Empty, Tag, Wide } from "../parts/bits";
import { usePolled } from "../state/polled";
import type { Look } from "../text/glyphs";
import { moment, span } from "../text/time";

/** How often Events are asked for while the screen is open. */
const PERIOD_MS = 3_000;

const PHASES: Record<AttemptPhase, Look> = {
  Progressing: { glyph: "◌", tone: "move" },
  Aborting: { glyph: "↩", tone: "bad" },
  Aborted: { glyph: "↩", tone: "bad" },
  Completed: { glyph: "✔", tone: "good" },
};

/** What an attempt that another has replaced came to was not seen, unless it had ended before. */
const REPLACED: Look = { glyph: "·", tone: "rest" };

function Attempt({ one, next }: { one: AttemptRecord; next: AttemptRecord | undefined }) {
  const isReplaced = next !== undefined && !one.endedAt && one.phase !== "Completed";
  const end = one.endedAt ?? next?.startedAt;
  const all = (end ? Date.parse(end) : Date.now()) - Date.parse(one.startedAt);
  const waiting = one.waitingSeconds * 1_000;
  return (
    <tr>
      <th scope="row" data-label="Attempt">
        {one.number}
      </th>
      <td>
        {isReplaced ? <Tag look={REPLACED}>Replaced by {next.number}</Tag> : <Tag look={PHASES[one.phase]}>{one.phase}</Tag>}
      </td>
      <td>
        <code>
          {one.from ? `${one.from} → ` : ""}
          {one.revision}
        </code>
      </td>
      <td title={moment(one.startedAt)} data-label="Started">
        <Ago at={one.startedAt} />
      </td>
      <td data-label="Took">
        {span(all)}
        {waiting ? <span class="faint">, of it {span(waiting)} waiting for a person</span> : null}
      </td>
      <td class="col-message">{one.abort}</td>
    </tr>
  );
}

function Events({ rows }: { rows: EventRow[] }) {
  const [onlyWarnings, setOnlyWarnings] = useState(false);
  const shown = rows.filter((row) => row.warning || !onlyWarnings);
  return (
    <>
      <label class="check">
        <input type="checkbox" checked={onlyWarnings} onChange={() => setOnlyWarnings(!onlyWarnings)} />
        Warnings only
      </label>
      {shown.length === 0 ? (
        <Empty title="There are no Events." >Kubernetes keeps them for an hour or so.</Empty>
      ) : (
        <Wide label="Events of all clusters">
          <table class="stacked">
            <caption class="unseen">Events of all clusters</caption>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Reason</th>
                <th scope="col">Message</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((row, index) => (
                <tr key={`${row.at}${row.reason}${index}`}>
                  <td class="col-time">{row.at ? <Ago at={row.at} /> : null}</td>
                  <td>
                    <Tag look={row.warning ? { glyph: "!", tone: "wait" } : { glyph: "·", tone: "rest" }}>
                      {row.reason}
                    </Tag>
                    {row.count > 1 ? <span class="faint"> {row.count} times</span> : null}
                  </td>
                  <td class="col-message">{row.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </>
  );
}

export function History({ page }: { page: RolloutPage }) {
  const { namespace, name } = page.row;
  const { found, problem } = usePolled(() => history(namespace, name), PERIOD_MS, [namespace, name]);
  if (problem) return <p role="alert" class="problem">{problem}</p>;
  if (!found) return <p class="loading">Loading the history</p>;
  return (
    <>
      <h2>Attempts</h2>
      <p class="faint">
        As seen by this server since {moment(found.keptSince)}; the rollout's status keeps only the last one.
      </p>
      <Wide label="Attempts">
        <table class="stacked">
          <caption class="unseen">Attempts</caption>
          <thead>
            <tr>
              {["Attempt", "Outcome", "Revision", "Started", "Took", "Why it was taken back"].map((name) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.attempts.map((one, index) => (
              <Attempt one={one} next={found.attempts[index - 1]} key={one.number} />
            ))}
          </tbody>
        </table>
      </Wide>
      <h2>Events of all clusters</h2>
      {found.eventsMissing ? <p class="tone-wait">! {found.eventsMissing}</p> : <Events rows={found.events} />}
    </>
  );
}
