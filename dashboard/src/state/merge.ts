// New points at the end of those that are known.
import type { AnalysisPage, SeriesView } from "../api/types";

/** Points kept in the page per series, as in the server. */
const POINTS_MAX = 720;

type Column = { [K in keyof SeriesView]: SeriesView[K] extends number[] ? K : never }[keyof SeriesView];

const COLUMNS: Column[] = [
  "atMs",
  "step",
  "canaryBad",
  "canaryTotal",
  "stableBad",
  "stableTotal",
  "abortEvidence",
  "abortBar",
  "promoteEvidence",
  "promoteBar",
];

export function mergeAnalysis(known: AnalysisPage | null, next: AnalysisPage): AnalysisPage {
  if (!known || next.whole || known.cluster !== next.cluster) return next;
  const series = new Map(known.series.map((one) => [one.metric, one]));
  for (const one of next.series) {
    const before = series.get(one.metric);
    series.set(one.metric, before?.attempt === one.attempt ? append(before, one) : one);
  }
  return { ...next, whole: true, series: [...series.values()] };
}

function append(before: SeriesView, next: SeriesView): SeriesView {
  const merged = { ...next };
  for (const column of COLUMNS) {
    merged[column] = [...before[column], ...next[column]].slice(-POINTS_MAX);
  }
  return merged;
}
