// The steps that every cluster takes, and who is where.
import type { Card, RolloutPage, StepView } from "../api/types";
import { seconds } from "../text/time";

function at(cards: Card[], step: StepView, last: number): Card[] {
  return cards.filter(
    (card) =>
      (card.phase === "Canary" && card.step === step.number) ||
      (card.phase === "Promoting" && step.number === last),
  );
}

function bake(step: StepView): string {
  const parts = [];
  if (step.bakeSecondsFirst === step.bakeSeconds) {
    if (step.bakeSeconds) parts.push(`bakes ${seconds(step.bakeSeconds)}`);
  } else parts.push(`bakes ${seconds(step.bakeSecondsFirst)} first, then ${seconds(step.bakeSeconds)}`);
  if (step.samples) parts.push(`${step.samples} samples`);
  if (step.approval !== "None") parts.push(`approval ${step.approval.toLowerCase()}`);
  return parts.join(", ");
}

export function Steps({ page }: { page: RolloutPage }) {
  const cards = page.lanes.flatMap((lane) => lane.cards);
  if (page.steps.length === 0) return null;
  return (
    <section class="steps" aria-labelledby="steps">
      <h2 id="steps">Steps in every cluster</h2>
      <ol>
        {page.steps.map((step) => {
          const here = at(cards, step, page.steps.length);
          const failed = page.abort?.step === step.number ? page.abort.cluster : null;
          return (
            <li key={step.number} class={here.length ? "step here" : "step"}>
              <span class="step-weight">{step.weight} %</span>
              <span class="faint">{bake(step)}</span>
              {here.length ? (
                <span class="step-here">
                  <span aria-hidden="true">◌ </span>
                  {names(here)}
                </span>
              ) : null}
              {failed ? (
                <span class="step-failed">
                  <span aria-hidden="true">↩ </span>
                  {failed} failed
                </span>
              ) : null}
            </li>
          );
        })}
        <li class="step">
          <span class="step-weight">promoted</span>
          <span class="faint">
            {page.row.counts.promoted} of {page.row.counts.total} clusters
          </span>
        </li>
      </ol>
    </section>
  );
}

function names(cards: Card[]): string {
  const shown = cards.slice(0, 2).map((card) => card.name);
  if (cards.length > 2) shown.push(`${cards.length - 2} more`);
  return shown.join(", ");
}
