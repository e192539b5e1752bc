// Waves and steps of a plan, with the least time of each and what its gates can see.
import type { Approval, Card, ForecastView, PlannedStepView, PlanView, RolloutPage } from "../api/types";
import { figure } from "../text/figures";
import { seconds, span } from "../text/time";
import { Tag, Wide, Words } from "./bits";
import { phaseOf } from "./lanes";

const time = (count: number) => span(count * 1_000);

function asks(approval: Approval): string {
  return approval === "None" ? "" : `‖ ${approval.toLowerCase()}`;
}

/** Sums of all that came before. */
function starts(lengths: number[]): number[] {
  let sum = 0;
  return lengths.map((length) => {
    sum += length;
    return sum - length;
  });
}

export function PlannedWaves({ plan, page }: { plan: PlanView; page: RolloutPage }) {
  const from = starts(plan.waves.map((wave) => wave.leastSeconds));
  const all = Math.max(1, plan.leastSeconds);
  return (
    <section aria-labelledby="planned-waves">
      <h2 id="planned-waves">Waves</h2>
      <Wide label="Waves of the plan">
        <table class="plan">
          <caption class="unseen">Waves of the plan</caption>
          <thead>
            <tr>
              {["Wave", "Stands", "Clusters", "At once", "At least", "Earliest, from the start", "Bakes after", "Approval"].map((name) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {plan.waves.map((wave, index) => {
              const lane = plan.stored ? page.lanes.find((one) => one.name === wave.name) : undefined;
              const stands = lane ? phaseOf(lane, page) : null;
              const begin = from[index] ?? 0;
              return (
                <tr key={wave.name}>
                  <th scope="row">
                    <span class="faint">{index + 1}</span> {wave.name}
                  </th>
                  <td>{stands ? <Tag look={stands.look}>{stands.word}</Tag> : null}</td>
                  <td class="col-message" title={wave.clusters.join(", ")}>
                    {wave.clusters.length} <span class="faint">{names(wave.clusters)}</span>
                  </td>
                  <td>{wave.maxConcurrent}</td>
                  <td>{time(wave.leastSeconds)}</td>
                  <td class="col-when">
                    <span class="when" aria-hidden="true">
                      <span
                        class="when-bar"
                        style={{ left: `${(100 * begin) / all}%`, width: `${(100 * wave.leastSeconds) / all}%` }}
                      />
                    </span>
                    <span class="faint">
                      {time(begin)} to {time(begin + wave.leastSeconds)}
                    </span>
                  </td>
                  <td>{wave.bakeSeconds ? seconds(wave.bakeSeconds) : ""}</td>
                  <td class="tone-wait">{asks(wave.approval)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}

function names(clusters: string[]): string {
  const shown = clusters.slice(0, 3);
  return shown.join(", ") + (clusters.length > shown.length ? ", …" : "");
}

export function PlannedSteps({ plan, page }: { plan: PlanView; page: RolloutPage }) {
  const factors = plan.steps.find((step) => step.detections.length)?.detections ?? [];
  const from = starts(plan.steps.map((step) => step.leastSecondsFirst));
  const hasForecast = plan.traffic !== null;
  const cards = plan.stored ? page.lanes.flatMap((lane) => lane.cards) : [];
  const hasApprovals = plan.steps.some((step) => step.approval !== "None");
  return (
    <section aria-labelledby="planned-steps">
      <h2 id="planned-steps">
        Steps in each cluster <span class="faint">with the least time of each</span>
      </h2>
      <Wide label="Steps of the plan">
        <table class="plan">
          <caption class="unseen">Steps of the plan</caption>
          <thead>
            <tr>
              <th scope="col">Share</th>
              <th scope="col">There now</th>
              <th scope="col">Earliest</th>
              <th scope="col">First cluster</th>
              <th scope="col">Others</th>
              {factors.map((one) => (
                <th scope="col" key={one.factor}>
                  {one.factor}× errors: back after
                </th>
              ))}
              {hasForecast ? (
                <>
                  <th scope="col">Shown good after</th>
                  <th scope="col">Difference</th>
                </>
              ) : null}
              {hasApprovals ? <th scope="col">Approval</th> : null}
            </tr>
          </thead>
          <tbody>
            {plan.steps.map((step, index) => (
              <tr key={index}>
                <th scope="row" class="plan-share">
                  {step.weight} %
                </th>
                <td>
                  <Here cards={cards} step={index + 1} />
                </td>
                <td>{time(from[index] ?? 0)}</td>
                <td>{time(step.leastSecondsFirst)}</td>
                <td>{time(step.leastSeconds)}</td>
                {factors.map((one, at) => (
                  <Back seen={step.detections[at]} step={step} key={one.factor} />
                ))}
                {hasForecast ? (
                  <>
                    <td>{step.proofSeconds === null ? step.detections.length ? <Never /> : null : time(step.proofSeconds)}</td>
                    <td>{step.differenceShown === null ? null : `${figure(step.differenceShown * 100)} %`}</td>
                  </>
                ) : null}
                {hasApprovals ? <td class="tone-wait">{asks(step.approval)}</td> : null}
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}

function Here({ cards, step }: { cards: Card[]; step: number }) {
  const here = cards.filter((card) => card.phase === "Canary" && card.step === step);
  if (here.length === 0) return null;
  const [first] = here;
  return (
    <span class="tone-move">
      <span aria-hidden="true">◌ </span>
      <Words text={here.length > 1 ? `${here.length} clusters` : (first?.name ?? "")} />
    </span>
  );
}

/** How soon it is taken back; marked where that is before the step can end. */
function Back({ seen, step }: { seen: ForecastView | undefined; step: PlannedStepView }) {
  // At 100 % nothing stands beside it to compare with.
  if (!seen) return <td />;
  if (seen.tolerated) return <td class="faint">tolerated</td>;
  const after = seen.seconds;
  if (after === null) return <td><Never /></td>;
  const inTime = isInTime(after, step);
  return (
    <td class={inTime ? "tone-good" : ""}>
      {inTime ? <span title="before this step can end">✔ </span> : null}
      {time(after)}
    </td>
  );
}

/** Whether a release is taken back before the step can end. */
export function isInTime(after: number, step: PlannedStepView): boolean {
  return after <= step.leastSecondsFirst;
}

function Never() {
  return (
    <span class="faint">
      none
    </span>
  );
}
