// What can be pressed. Nothing is done with one press: the exact effect is shown first, with the
// command line that does the same.
import { useEffect, useState } from "preact/hooks";
import { type Command, press, Refused, rights as askRights } from "../api/client";
import type { ActionRight, ActionView, RolloutPage, Verb } from "../api/types";
import { me, news } from "../state/store";
import { Copy, Words } from "./bits";
import { Dialog } from "./dialog";
import { Evidence, useEvidence, Waited } from "./evidence";
import { Exactly } from "./exactly";

const LOOKS: Record<Verb, { label: string; kind: string }> = {
  Promote: { label: "Approve", kind: "primary" },
  Resume: { label: "Resume", kind: "primary" },
  Retry: { label: "Retry", kind: "plain" },
  Pause: { label: "Pause", kind: "plain" },
  Abort: { label: "Abort", kind: "danger" },
};

const REASONS: Partial<Record<Verb, string>> = {
  Abort: "Why is it taken back? Kept in the rollout's status.",
  Pause: "Why is it paused? Others will see it.",
};

export function actionLabel(action: ActionView): string {
  const { label } = LOOKS[action.verb];
  if (action.verb === "Promote") return action.cluster ? `${label} ${action.cluster}` : `${label} the wave`;
  if (action.verb === "Abort") return `${label} attempt ${action.attempt}`;
  return label;
}

function useRights(namespace: string): ActionRight[] | null {
  const [found, setFound] = useState<ActionRight[] | null>(null);
  useEffect(() => {
    let here = true;
    askRights(namespace).then(
      (answer) => here && setFound(answer),
      () => here && setFound([]),
    );
    return () => {
      here = false;
    };
  }, [namespace, me.value?.user]);
  return found;
}

export function Actions({ page }: { page: RolloutPage }) {
  const rights = useRights(page.row.namespace);
  const [chosen, setChosen] = useState<ActionView | null>(null);
  if (page.actions.length === 0) return null;
  const whyNot = (verb: Verb): string | null => {
    if (me.value?.readOnly) return me.value.readOnly;
    if (rights === null) return "asking whether you may";
    const right = rights.find((one) => one.verb === verb);
    if (!right) return "whether you may is not known now";
    return right.allowed ? null : right.why;
  };
  return (
    <section class="actions" aria-label="Actions">
      {page.actions.map((action) => {
        const refused = whyNot(action.verb);
        const name = `action-${action.verb}-${action.token ?? ""}`;
        return (
          <div class="action" key={name}>
            <button
              type="button"
              class={LOOKS[action.verb].kind}
              aria-disabled={refused !== null}
              aria-describedby={name}
              onClick={() => refused === null && setChosen(action)}
            >
              <Words text={actionLabel(action)} />
            </button>
            <p id={name} class="faint">
              <Words text={action.effect} />
              {refused === null ? null : <span class="refused"> Not now: {refused}.</span>}
            </p>
          </div>
        );
      })}
      {chosen ? <Confirm page={page} action={chosen} onClose={() => setChosen(null)} /> : null}
    </section>
  );
}

function commandOf(action: ActionView, reason: string): Command {
  switch (action.verb) {
    case "Promote":
      return { verb: "Promote", tokens: [action.token ?? ""] };
    case "Abort":
    case "Pause":
      return { verb: action.verb, reason };
    case "Retry":
      return { verb: "Retry", attempt: action.attempt ?? 0 };
    case "Resume":
      return { verb: "Resume" };
  }
}

/** One argument of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const hasGrounds = (verb: Verb) => verb === "Promote" || verb === "Abort";

/** What a person decides by. */
function Grounds({ page, action }: { page: RolloutPage; action: ActionView }) {
  if (!hasGrounds(action.verb)) return null;
  return action.verb === "Promote" ? <ForPromotion page={page} action={action} /> : <ForAbort page={page} />;
}

function ForPromotion({ page, action }: { page: RolloutPage; action: ActionView }) {
  const evidence = useEvidence(page);
  return (
    <>
      <Waited found={evidence.found} token={action.token} />
      <Evidence page={page} {...evidence} cluster={action.cluster} />
    </>
  );
}

function ForAbort({ page }: { page: RolloutPage }) {
  const evidence = useEvidence(page);
  return (
    <>
      <Exactly page={page} />
      <details>
        <summary>What has been measured</summary>
        <Evidence page={page} {...evidence} cluster={null} />
      </details>
    </>
  );
}

function Confirm(props: { page: RolloutPage; action: ActionView; onClose(): void }) {
  const { page, action } = props;
  const asks = REASONS[action.verb];
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  // The page moves on below: what is told is what happens now, or it is said that it is gone.
  const current = page.actions.find((one) => one.verb === action.verb && one.token === action.token && one.attempt === action.attempt);
  const stillOffered = current !== undefined;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (asks && !reason.trim()) return setProblem("Say why.");
    setBusy(true);
    try {
      await press(page.row.namespace, page.row.name, commandOf(action, reason.trim()));
      news.value = `${actionLabel(action)}: sent.`;
      props.onClose();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const remedy = error.problem.remedy ? ` ${error.problem.remedy}.` : "";
      setProblem(`Not done: ${error.problem.message}.${remedy}`);
      setBusy(false);
    }
  };
  const line = action.kubectl.replace("'<why>'", reason.trim() ? quoted(reason.trim()) : "'<why>'");
  return (
    <Dialog title={`${actionLabel(action)}?`} onClose={props.onClose} wide={hasGrounds(action.verb)}>
      <form onSubmit={submit}>
        <p class="dialog-place">
          {page.row.namespace}/{page.row.name}, revision {page.row.revision}
        </p>
        <p class="effect">
          <Words text={current?.effect ?? action.effect} />
        </p>
        <Grounds page={page} action={action} />
        {asks ? (
          <>
            <label for="reason">{asks}</label>
            <input
              id="reason"
              value={reason}
              maxLength={1000}
              autocomplete="off"
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </>
        ) : null}
        <p class="faint">The same from a terminal:</p>
        <Copy text={line} label="command line" />
        <p role="alert" class="problem">
          {stillOffered ? problem : "The rollout has moved on: this cannot be pressed any more."}
        </p>
        <div class="dialog-foot">
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class={LOOKS[action.verb].kind} disabled={busy || !stillOffered}>
            {actionLabel(action)}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
