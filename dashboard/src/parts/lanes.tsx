// Waves as lanes. Clusters that move or are in trouble get a card; the others a line.
import type { Card, Lane, RolloutPage, WavePhase, Wait } from "../api/types";
import { rolloutHref } from "../state/route";
import { CELLS, type Look, VERDICTS } from "../text/glyphs";
import { seconds } from "../text/time";
import { Ago, Countdown, Tag, Words } from "./bits";

const WAVES: Record<WavePhase, Look> = {
  Waiting: { glyph: "·", tone: "rest" },
  Moving: { glyph: "◌", tone: "move" },
  Baking: { glyph: "◌", tone: "move" },
  Done: { glyph: "✔", tone: "good" },
};

const QUIET = new Set(["Pending", "Promoted", "RolledBack"]);

export function Lanes({ page }: { page: RolloutPage }) {
  return (
    <section aria-labelledby="waves">
      <h2 id="waves">Waves</h2>
      {page.lanes.map((lane, index) => (
        <LaneView lane={lane} number={index + 1} page={page} key={lane.name} />
      ))}
    </section>
  );
}

export function phaseOf(lane: Lane, page: RolloutPage): { word: string; look: Look } {
  const stopped = page.row.goingBack || page.row.outcome === "Aborted";
  if (stopped && lane.phase !== "Waiting") return { word: "Stopped", look: { glyph: "↩", tone: "bad" } };
  return { word: lane.phase, look: WAVES[lane.phase] };
}

function LaneView(props: { lane: Lane; number: number; page: RolloutPage }) {
  const { lane, page } = props;
  const promoted = lane.cards.filter((card) => card.phase === "Promoted").length;
  const { word, look } = phaseOf(lane, page);
  const busy = lane.cards.filter((card) => !QUIET.has(card.cell));
  const quiet = lane.cards.filter((card) => QUIET.has(card.cell));
  return (
    <div class="lane">
      <div class="lane-head">
        <h3>
          <span class="faint">{props.number}</span> {lane.name}
        </h3>
        <Tag look={look}>{word}</Tag>
        <span class="faint">
          {promoted} of {lane.cards.length} promoted, {lane.maxConcurrent} at a time
          {lane.bakeSeconds ? `, bakes ${seconds(lane.bakeSeconds)} after` : ""}
          {lane.approval === "None" ? "" : `, approval ${lane.approval.toLowerCase()}${lane.approved ? " given" : ""}`}
        </span>
      </div>
      {busy.length ? (
        <ul class="cards">
          {busy.map((card) => (
            <CardView card={card} page={page} key={card.name} />
          ))}
        </ul>
      ) : null}
      {quiet.length ? <Quiet cards={quiet} /> : null}
    </div>
  );
}

/** Clusters that need no look, folded when they are many. */
function Quiet({ cards }: { cards: Card[] }) {
  const groups = (["Promoted", "RolledBack", "Pending"] as const)
    .map((cell) => ({ cell, cards: cards.filter((card) => card.cell === cell) }))
    .filter((group) => group.cards.length);
  return (
    <>
      {groups.map(({ cell, cards: members }) => (
        <p class="quiet-line" key={cell}>
          <Tag look={CELLS[cell]}>
            {members.length} {CELLS[cell].word}
          </Tag>
          <span class="faint">{members.map((card) => card.name).join(", ")}</span>
        </p>
      ))}
    </>
  );
}

function Share({ card }: { card: Card }) {
  const same = card.weight === card.acknowledgedWeight;
  const words = same
    ? `${card.weight} % in force`
    : `${card.weight} % meant, ${card.acknowledgedWeight} % in force`;
  return (
    <div class="share">
      <span class="bar" aria-hidden="true">
        <span class="bar-meant" style={{ width: `${card.weight}%` }} />
        <span class="bar-seen" style={{ width: `${card.acknowledgedWeight}%` }} />
      </span>
      <span class={same ? "" : "tone-wait"}>{words}</span>
    </div>
  );
}

function CardView({ card, page }: { card: Card; page: RolloutPage }) {
  const look = CELLS[card.cell];
  const waits = page.waiting.filter((wait) => wait.cluster === card.name);
  return (
    <li class={`card edge-${look.tone}`}>
      <div class="card-head">
        <h4>{card.name}</h4>
        <Tag look={look}>{look.word}</Tag>
      </div>
      <Share card={card} />
      <p class="card-facts">
        {card.phase === "Canary" ? (
          <>
            step {card.step} of {page.steps.length},{" "}
          </>
        ) : null}
        {card.weight || card.acknowledgedWeight ? `${pods(card.readyPods)} of it ready (${page.replicas} at 100 %), ` : null}
        {card.since ? (
          <>
            for <Ago at={card.since} suffix="" />
          </>
        ) : null}
      </p>
      {card.unreachableSince ? (
        <p class="tone-unknown">
          ? unreachable for <Ago at={card.unreachableSince} suffix="" />: its state is unknown
        </p>
      ) : null}
      {card.owedRollback ? <p class="tone-bad">↩ owed a rollback: its first write on return</p> : null}
      {card.problem ? <p class="tone-bad">✖ {card.problem}</p> : null}
      <Verdict card={card} page={page} />
      {waits.map((wait) => (
        <WaitLine wait={wait} key={wait.reason} name={card.name} />
      ))}
    </li>
  );
}

const pods = (count: number) => (count === 1 ? "1 pod" : `${count} pods`);

export function Verdict({ card, page }: { card: Card; page: RolloutPage }) {
  if (!card.verdict || card.phase === "RollingBack") return null;
  const look = VERDICTS[card.verdict.state] ?? CELLS.Unknown;
  const href = `${rolloutHref(page.row, "analysis")}?cluster=${encodeURIComponent(card.name)}`;
  return (
    <p class="verdict">
      <Tag look={look}>{card.verdict.state}</Tag> <Words text={card.verdict.message} />{" "}
      <a href={href} aria-label={`Analysis of ${card.name}`}>
        Analysis
      </a>
    </p>
  );
}

function WaitLine({ wait, name }: { wait: Wait; name: string }) {
  const text = wait.message.startsWith(`${name}: `) ? wait.message.slice(name.length + 2) : wait.message;
  return (
    <p class="wait">
      <span aria-hidden="true">{wait.token ? "‖" : "…"} </span>
      <Words text={text} /> {wait.until ? <Countdown until={wait.until} /> : null}
    </p>
  );
}
