// From totals to what a chart shows.
import type { SeriesView } from "../api/types";

/** Points that the share is taken over: a minute at one in five seconds. */
const WINDOW = 12;

/** Share of bad events in per cent over the last points; null where there were no events. */
export function windowed(bad: number[], total: number[]): (number | null)[] {
  return total.map((now, index) => {
    const before = Math.max(0, index - WINDOW);
    const events = now - (total[before] ?? 0);
    const wrong = (bad[index] ?? 0) - (bad[before] ?? 0);
    // Totals that fell belong to a new window.
    return events > 0 && wrong >= 0 ? (100 * wrong) / events : null;
  });
}

/** When each step began, in seconds, with its number. */
export function stepStarts(series: SeriesView): { at: number; label: string }[] {
  const starts: { at: number; label: string }[] = [];
  series.step.forEach((step, index) => {
    const at = series.atMs[index];
    if (at !== undefined && step !== series.step[index - 1]) starts.push({ at: at / 1_000, label: `step ${step}` });
  });
  return starts;
}
