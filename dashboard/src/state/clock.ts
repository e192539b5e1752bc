// The server's time, once a second. Countdowns follow it, not the browser's clock.
import { signal } from "@preact/signals";
import { clockOffset } from "./store";

export const now = signal(Date.now());

setInterval(() => {
  if (!document.hidden) now.value = Date.now() + clockOffset.value;
}, 1_000);
