// A manifest that somebody pastes or changes, to see its plan before it is applied.
import { useId, useState } from "preact/hooks";

interface DraftProps {
  /** The rollout as it is; null where the server gives none out. */
  present: string | null;
  /** The manifest whose plan is shown; empty where it is the rollout's own. */
  shown: string;
  show: (manifest: string) => void;
  problem: string;
  remedy: string | null;
}

export function Draft({ present, shown, show, problem, remedy }: DraftProps) {
  const [text, setText] = useState<string | null>(null);
  const [label, hint] = [useId(), useId()];
  if (text === null) {
    return (
      <p class="draft-open">
        <button type="button" onClick={() => setText(present ?? "")}>
          Plan a changed manifest
        </button>
      </p>
    );
  }
  const submit = (event: Event) => {
    event.preventDefault();
    show(text);
  };
  const close = () => {
    setText(null);
    show("");
  };
  return (
    <section class="draft" aria-labelledby={label}>
      <h2 id={label}>A changed manifest</h2>
      <p class="faint" id={hint}>
        YAML of one Rollout. Its plan is shown below, as a new attempt would get it; nothing is written anywhere.
      </p>
      <form onSubmit={submit}>
        <textarea
          aria-labelledby={label}
          aria-describedby={hint}
          aria-invalid={problem !== ""}
          rows={16}
          spellcheck={false}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p role="alert" class="problem">
          {problem ? `${problem}.${remedy ? ` To do: ${remedy}.` : ""}` : ""}
        </p>
        <div class="draft-buttons">
          <button type="submit" class="primary" disabled={!text.trim()}>
            Show its plan
          </button>
          {present && present !== text ? (
            <button type="button" class="quiet" onClick={() => setText(present)}>
              Start again from the present spec
            </button>
          ) : null}
          <button type="button" class="quiet" onClick={close}>
            {shown ? "Back to the rollout's own plan" : "Close"}
          </button>
        </div>
      </form>
    </section>
  );
}
