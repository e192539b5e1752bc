// Keys. Never while somebody types, never with a modifier, never over a dialog.
import { helpOpen } from "../parts/help";
import { go, rolloutHref, route, type Tab } from "./route";

/** Waits for the second key of `g f`. */
const SECOND_KEY_MS = 1_000;

let first = "";
let firstAt = 0;

function isTyping(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest("input, textarea, select, dialog");
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector<HTMLInputElement>("#search");
  if (search && event.key === "Escape" && event.target === search) return search.blur();
  if (isTyping(event.target)) return;
  const pressed = Date.now() - firstAt < SECOND_KEY_MS ? first + event.key : event.key;
  [first, firstAt] = event.key === "g" ? ["g", Date.now()] : ["", 0];
  const action = actions[pressed] ?? actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

function move(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by]?.focus();
}

function tab(name: Tab): void {
  if (route.value.screen === "rollout") go(rolloutHref(route.value, name));
}

const actions: Record<string, () => void> = {
  "/": () => {
    const focus = () => document.querySelector<HTMLInputElement>("#search")?.focus();
    // At once: the next letter is already meant for it.
    if (route.value.screen === "fleet") return focus();
    go("/");
    requestAnimationFrame(focus);
  },
  j: () => move(1),
  k: () => move(-1),
  gf: () => go("/"),
  gc: () => go("/clusters"),
  "1": () => tab("overview"),
  "2": () => tab("analysis"),
  "3": () => tab("history"),
  "4": () => tab("plan"),
  "?": () => (helpOpen.value = true),
};
