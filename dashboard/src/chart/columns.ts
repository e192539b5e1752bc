// From totals to what a chart shows.
import type { SeriesView } from "../api/types";

/** Span that a share is taken over. */
const SPAN_MS = 60_000;

/** Share of bad events in per cent over the last minute; null where there were no events. */
export function windowed(series: SeriesView, bad: number[], total: number[]): (number | null)[] {
  let before = 0;
  return total.map((now, index) => {
    const from = (series.atMs[index] ?? 0) - SPAN_MS;
    while (before < index && (series.atMs[before + 1] ?? 0) <= from) before += 1;
    // Totals count from the beginning of the attempt: before the first point there were none.
    const isWhole = before === 0 && series.dropped === 0 && (series.atMs[0] ?? 0) > from;
    const events = now - (isWhole ? 0 : (total[before] ?? 0));
    const wrong = (bad[index] ?? 0) - (isWhole ? 0 : (bad[before] ?? 0));
    // Totals that fell belong to a new count.
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
