// The traffic that forecasts are made for: counted by the gates, or told.
import { useState } from "preact/hooks";
import type { PlanView } from "../api/types";
import { setQuery } from "../state/route";
import { me } from "../state/store";
import { isInTime } from "./planned";
import { figure } from "../text/figures";
import { span } from "../text/time";

interface TrafficProps {
  plan: PlanView;
  countedIn: string | null;
  /** As told, in the words of the address; empty where it was not. */
  rps: string;
  errors: string;
}

function wrong(rps: string, errors: string): string {
  if (!(Number(rps) >= 0.001 && Number(rps) <= 1e9)) return "Requests per second: a number from 0.001 to 1000000000.";
  if (Number(errors) === 0) return "Failing: 0 % is never known exactly; give the share that you could not have noticed, for example 0.01.";
  if (!(Number(errors) >= 1e-6 && Number(errors) <= 50)) return "Failing: a percentage from 0.000001 to 50.";
  return "";
}

export function Traffic({ plan, countedIn, rps, errors }: TrafficProps) {
  const known = plan.traffic;
  const [wanted, setWanted] = useState(rps || (known ? String(Number(known.requestsPerSecond.toPrecision(3))) : ""));
  const [failing, setFailing] = useState(errors || (known ? String(Number((known.badShare * 100).toPrecision(3))) : ""));
  const [problem, setProblem] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    const why = wrong(wanted, failing);
    setProblem(why);
    if (why) return;
    setQuery("rps", wanted);
    setQuery("errors", failing);
  };
  const forget = () => {
    setQuery("rps", "");
    setQuery("errors", "");
  };
  return (
    <section class="traffic" aria-labelledby="traffic">
      <h2 id="traffic">What the gates can see depends on the traffic</h2>
      <p>
        {known ? <Known plan={plan} countedIn={countedIn} /> : <Uncounted />}
      </p>
      <form onSubmit={submit}>
        <label>
          Requests per second of one cluster
          <input inputMode="decimal" value={wanted} maxLength={12} onInput={(event) => setWanted(event.currentTarget.value)} />
        </label>
        <label>
          Failing on stable, %
          <input inputMode="decimal" value={failing} maxLength={12} onInput={(event) => setFailing(event.currentTarget.value)} />
        </label>
        <button type="submit">Forecast</button>
        {rps ? (
          <button type="button" class="quiet" onClick={forget}>
            As counted
          </button>
        ) : null}
      </form>
      <p role="alert" class="problem">
        {problem}
      </p>
      {known ? <Explained plan={plan} /> : null}
    </section>
  );
}

function Known({ plan, countedIn }: { plan: PlanView; countedIn: string | null }) {
  const known = plan.traffic;
  if (!known) return null;
  return (
    <>
      One cluster alone, with {figure(known.requestsPerSecond)} requests a second of which {figure(known.badShare * 100)} % fail (
      {known.metric}){countedIn ? <>, as the gates have counted in {countedIn}: the one with the fewest failures</> : null}.
      {known.badShare > 0 ? null : " Of no failures nothing is a multiple: name a share to learn how soon a worse release is taken back."}
    </>
  );
}

/** Counts are the hub's: a page that a user's own kubeconfig feeds never gets any. */
function Uncounted() {
  const why =
    me.value?.signIn === "Code"
      ? "What the gates have counted is with the hub, and its own dashboard knows it here"
      : "Nothing has been counted in this attempt yet";
  return <>{why}: say how much traffic one cluster has.</>;
}

/** What the marks mean that stand in the table. */
function Explained({ plan }: { plan: PlanView }) {
  const seen = plan.steps.flatMap((step) => step.detections.map((one) => ({ ...one, step })));
  const marks = [
    seen.some((one) => one.seconds !== null && isInTime(one.seconds, one.step)) ? "✔: before the step can end." : "",
    seen.some((one) => one.tolerated) ? "Tolerated: no worse than the margins of the comparison allow; it is not taken back." : "",
    seen.some((one) => !one.tolerated && one.seconds === null) ? "None: not within 30 days, or hidden by how much pods differ." : "",
  ];
  return (
    <p class="faint">
      {marks.filter(Boolean).join(" ")} Shown good: a release that is as good as stable. Difference: the smallest one of error
      shares that can be ruled out within {span(plan.decisionDeadlineSeconds * 1_000)}, the decision deadline. Averages, good to
      a factor of 2.5, with batches of failures and differences of pods as usual. Evidence adds up over steps, and clusters that
      move together see it sooner.
    </p>
  );
}
