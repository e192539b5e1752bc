// Keys.
import { signal } from "@preact/signals";
import { Dialog } from "./dialog";

export const helpOpen = signal(false);

const KEYS: [string, string][] = [
  ["/", "search the fleet"],
  ["j  k", "next and previous rollout"],
  ["Enter", "open it"],
  ["g f", "Fleet"],
  ["g c", "Clusters"],
  ["1  2  3  4", "Overview, Analysis, History, Plan of a rollout"],
  ["?", "these keys"],
  ["Esc", "close"],
];

export function Help() {
  if (!helpOpen.value) return null;
  return (
    <Dialog title="Keys" onClose={() => (helpOpen.value = false)}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
