// New points at the end of those that are known.
import type { AnalysisPage, SeriesView } from "../api/types";

/** Points kept in the page per series, as in the server. */
const POINTS_MAX = 512;

/** Columns; of a series some are empty, by its kind. */
type Column =
  | "atMs"
  | "step"
  | "verdicts"
  | "canaryBad"
  | "canaryTotal"
  | "stableBad"
  | "stableTotal"
  | "abortEvidence"
  | "abortBar"
  | "promoteEvidence"
  | "promoteBar"
  | "value";

export function mergeAnalysis(known: AnalysisPage | null, next: AnalysisPage): AnalysisPage {
  if (!known || next.whole || known.cluster !== next.cluster) return next;
  const series = new Map(known.series.map((one) => [one.metric, one]));
  for (const one of next.series) {
    const before = series.get(one.metric);
    const goesOn = before && before.attempt === one.attempt && before.kind === one.kind;
    series.set(one.metric, goesOn ? append(before, one) : one);
  }
  return { ...next, whole: true, series: [...series.values()] };
}

function append(before: SeriesView, next: SeriesView): SeriesView {
  const grown = <C extends Column>(column: C) => ({
    [column]: [...before[column], ...next[column]].slice(-POINTS_MAX),
  });
  return {
    ...next,
    ...grown("atMs"),
    ...grown("step"),
    ...grown("verdicts"),
    ...grown("canaryBad"),
    ...grown("canaryTotal"),
    ...grown("stableBad"),
    ...grown("stableTotal"),
    ...grown("abortEvidence"),
    ...grown("abortBar"),
    ...grown("promoteEvidence"),
    ...grown("promoteBar"),
    ...grown("value"),
  };
}
