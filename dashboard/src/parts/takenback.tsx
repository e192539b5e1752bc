// Why an attempt was taken back: the numbers first.
import type { AbortView } from "../api/types";
import { Ago, Words } from "./bits";

export function TakenBack({ abort, told }: { abort: AbortView; told: string }) {
  const scope = abort.fleet
    ? "everywhere, promoted clusters included"
    : "only clusters that had not been promoted";
  const facts: [string, string | number | null][] = [
    ["cluster", abort.cluster],
    ["step", abort.step],
    ["metric", abort.metric],
    ["observed", abort.observed],
    ["limit", abort.limit],
    ["set by", abort.by],
    ["goes back", scope],
    ["owed", abort.owed.length ? `${abort.owed.join(", ")}: first write on return` : null],
  ];
  return (
    <section class="takenback" aria-label="Taken back">
      <h2>
        <span class="glyph tone-bad" aria-hidden="true">
          ↩
        </span>
        Taken back <Ago at={abort.at} />: {abort.reason}
      </h2>
      {told.includes(abort.message.slice(1)) ? null : (
        <p>
          <Words text={abort.message} />
        </p>
      )}
      <dl>
        {facts.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <Words text={String(value)} />
              </dd>
            </div>
          ),
        )}
      </dl>
    </section>
  );
}
