// Plan: what the rollout will do, how long that takes at least, and what its gates can see.
import { useRef, useState } from "preact/hooks";
import { plan as askPlan, planOf } from "../api/client";
import type { PlanPage, PlanView, RolloutPage } from "../api/types";
import { Copy, Countdown, Empty, Words } from "../parts/bits";
import { Draft } from "../parts/draft";
import { PlannedSteps, PlannedWaves } from "../parts/planned";
import { Traffic } from "../parts/traffic";
import { usePolled } from "../state/polled";
import { query } from "../state/route";
import { key } from "../state/store";
import { span } from "../text/time";

/** How often it is asked for: traffic changes while gates count it. */
const PERIOD_MS = 10_000;

function least(plan: PlanView): string {
  const time = `At least ${span(plan.leastSeconds * 1_000)}`;
  if (plan.approvals === 0) return time;
  return `${time} and ${plan.approvals === 1 ? "1 approval" : `${plan.approvals} approvals`}`;
}

export function Plan({ page }: { page: RolloutPage }) {
  return <PlanOf page={page} key={key(page.row)} />;
}

function PlanOf({ page }: { page: RolloutPage }) {
  const [manifest, setManifest] = useState("");
  const present = useRef<string | null>(null);
  const { namespace, name, attempt } = page.row;
  const [rps, errors] = [query.value.get("rps") ?? "", query.value.get("errors") ?? ""];
  const ask = () => (manifest ? planOf(namespace, name, manifest, rps, errors) : askPlan(namespace, name, rps, errors));
  const { found, problem, remedy } = usePolled(ask, PERIOD_MS, [namespace, name, manifest], [attempt, rps, errors]);
  if (found?.manifest) present.current = found.manifest;
  return (
    <>
      <Draft present={present.current} shown={manifest} show={setManifest} problem={manifest ? problem : ""} remedy={remedy} />
      {found ? (
        <Found page={page} found={found} pasted={manifest !== ""} rps={rps} errors={errors} />
      ) : problem ? null : (
        <p class="loading">Loading the plan</p>
      )}
      {problem && !manifest ? <Wrong why={problem} /> : null}
    </>
  );
}

interface FoundProps {
  page: RolloutPage;
  found: PlanPage;
  /** Whether it is the plan of a manifest that somebody has pasted. */
  pasted: boolean;
  rps: string;
  errors: string;
}

function Found({ page, found, pasted, rps, errors }: FoundProps) {
  const plan = found.plan;
  if (!plan) {
    return (
      <Empty title="There is no plan to show.">
        {found.problems.map((one) => (
          <span class="plan-problem" key={one}>
            <Words text={one} />
          </span>
        ))}
      </Empty>
    );
  }
  const { namespace, name } = page.row;
  const told = rps && errors ? ` --rps ${rps} --errors ${errors}%` : "";
  return (
    <>
      {pasted ? <Changed plan={plan} /> : <Next page={page} plan={plan} />}
      <PlannedWaves plan={plan} page={page} />
      <PlannedSteps plan={plan} page={page} />
      {found.needsTraffic ? (
        <Traffic key={`${rps} ${errors}`} plan={plan} countedIn={found.countedIn} rps={rps} errors={errors} />
      ) : (
        <p class="faint">No metric here counts requests, so the traffic tells nothing of its gates.</p>
      )}
      <p class="faint">The same from a terminal{pasted ? ", where the manifest is a file" : ", and for a file before it is applied with -f"}:</p>
      <Copy text={`kubectl lockflight plan ${pasted ? "-f rollout.yaml" : name} -n ${namespace}${told}`} label="command line" />
    </>
  );
}

function Changed({ plan }: { plan: PlanView }) {
  return (
    <section class="why plan-head" aria-label="The plan in a sentence">
      <p class="why-sentence">{least(plan)}</p>
      <p>What a new attempt would get from the changed manifest. Nothing has been written.</p>
    </section>
  );
}

function Wrong({ why }: { why: string }) {
  return (
    <p role="alert" class="problem">
      {why}.
    </p>
  );
}

function Next({ page, plan }: { page: RolloutPage; plan: PlanView }) {
  const { row, why } = page;
  const isOver = row.endedAt !== null;
  return (
    <section class="why plan-head" aria-label="The plan in a sentence">
      <p class="why-sentence">{least(plan)}</p>
      <p>
        {plan.stored ? `As the hub has planned it for attempt ${row.attempt ?? ""}` : "What a new attempt would get"}
        {isOver ? ", which has ended." : "."}
      </p>
      {isOver ? null : (
        <p>
          <strong>Next:</strong> <Words text={why.sentence} /> {why.until ? <Countdown until={why.until} /> : null}
        </p>
      )}
    </section>
  );
}
