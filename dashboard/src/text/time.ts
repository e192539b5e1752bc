// Spans and moments as the plugin writes them.

/** `42s`, `4m12s`, `3h05m` or `2d4h`; a negative span is `0s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3_600);
  const days = Math.floor(seconds / 86_400);
  const two = (number: number) => String(number).padStart(2, "0");
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m${two(seconds % 60)}s`;
  if (days === 0) return `${hours}h${two(minutes % 60)}m`;
  return `${days}d${hours % 24}h`;
}

/** A span that somebody has set: `10m`, `1h30m`. */
export function seconds(count: number): string {
  const parts: [number, string][] = [
    [Math.floor(count / 3_600), "h"],
    [Math.floor(count / 60) % 60, "m"],
    [count % 60, "s"],
  ];
  return parts.map(([number, unit]) => (number ? `${number}${unit}` : "")).join("") || "0s";
}

/** A moment with its date, in UTC: what logs of all clusters say. */
export function moment(text: string): string {
  return `${new Date(text).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function clockTime(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}
