//! The windows' common grid, and where each target's scrapes fall into it.
//!
//! Prometheus scrapes each target at its own fixed offset within the interval. The pods' samples
//! are therefore never simultaneous, but the k-th window of each holds exactly one interval of
//! its life, and all of them share the grid's numbering. So that the jitter of a scrape near an
//! edge of the grid makes neither an empty window nor one of two, a sample belongs to the slot
//! that is nearest on its target's *own* grid: `phase + slot * length`.

use std::collections::BTreeMap;

use chrono::TimeDelta;

/// Rounds in a row that have to see another interval before the grid changes: a few missing
/// scrapes look like a longer interval.
const ROUNDS_TO_CHANGE: u8 = 3;

/// The longest window: with rarer scrapes nothing can be judged in time.
const LENGTH_MAX_MS: i64 = 10 * 60_000;

/// Most multiples of the longer interval that are tried as length for two intervals.
const MULTIPLES_MAX: i64 = 4;

/// The rhythm of a metric in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Time between scrapes; the longer one where the arms differ.
    pub(super) interval_ms: i64,
    /// Length of a window: a multiple of it.
    pub(super) length_ms: i64,
    /// Rounds in a row that have seen another interval.
    pub(super) disagreeing: u8,
}

impl Grid {
    /// The grid for the intervals of both arms.
    pub(super) fn new(intervals: &[i64], window_min: TimeDelta) -> Option<Self> {
        let longest = *intervals.iter().max()?;
        let shortest = *intervals.iter().min()?;
        if shortest <= 0 || longest > LENGTH_MAX_MS {
            return None;
        }
        let at_least = window_min.num_milliseconds().clamp(1, LENGTH_MAX_MS);
        let multiple = (at_least + longest - 1) / longest;
        let fits = |n: &i64| {
            let off = (longest * n) % shortest;
            off.min(shortest - off) * 20 <= shortest
        };
        let n = (multiple..multiple + MULTIPLES_MAX).find(fits).unwrap_or(multiple);
        Some(Self { interval_ms: longest, length_ms: longest * n, disagreeing: 0 })
    }

    /// This grid, or the new one once it has been seen often enough.
    pub(super) fn or_changed(self, seen: Option<Self>) -> Self {
        let Some(seen) = seen else { return self };
        let differs = (seen.length_ms - self.length_ms).abs() * 5 > self.length_ms;
        match (differs, self.disagreeing + 1) {
            (false, _) => Self { disagreeing: 0, ..self },
            (true, rounds) if rounds >= ROUNDS_TO_CHANGE => seen,
            (true, rounds) => Self { disagreeing: rounds, ..self },
        }
    }

    /// How far from its slot's time a sample may be.
    pub(super) fn tolerance(self) -> i64 {
        self.length_ms / 4
    }

    /// Where in a window this time is.
    pub(super) fn phase_of(self, at: i64) -> i64 {
        at.rem_euclid(self.length_ms)
    }

    /// Index of the sample of each slot. Of several the nearest counts, then the later one.
    pub(super) fn slots(self, scrapes: &[i64], phase: i64) -> BTreeMap<i64, usize> {
        let mut slots: BTreeMap<i64, (i64, usize)> = BTreeMap::new();
        for (index, at) in scrapes.iter().enumerate() {
            let since = at - phase;
            let slot = (since + self.length_ms / 2).div_euclid(self.length_ms);
            let off = (since - slot * self.length_ms).abs();
            if off <= self.tolerance() {
                let best = slots.entry(slot).or_insert((off, index));
                if off <= best.0 {
                    *best = (off, index);
                }
            }
        }
        slots.into_iter().map(|(slot, (_, index))| (slot, index)).collect()
    }

    /// The phase to use from now on. It follows a slow drift; a target whose newest scrapes have
    /// all missed their slots has moved and starts anew.
    pub(super) fn phase(self, scrapes: &[i64], before: Option<i64>) -> i64 {
        let Some(newest) = scrapes.last() else { return before.unwrap_or(0) };
        let Some(phase) = before else { return self.phase_of(*newest) };
        let slots = self.slots(scrapes, phase);
        let Some((slot, index)) = slots.last_key_value() else { return self.phase_of(*newest) };
        let Some(matched) = scrapes.get(*index) else { return phase };
        if newest - matched > self.length_ms * 5 / 2 {
            return self.phase_of(*newest);
        }
        let drifted = phase + (matched - phase - slot * self.length_ms) / 4;
        if (-self.length_ms / 2..self.length_ms * 3 / 2).contains(&drifted) {
            drifted
        } else {
            self.phase_of(*newest)
        }
    }
}

/// The usual time between neighbouring scrapes of several targets: the median, which missing
/// ones do not change. None below two gaps. Rounded, because scrapes jitter.
pub(super) fn interval<'a>(targets: impl IntoIterator<Item = &'a [i64]>) -> Option<i64> {
    let mut gaps: Vec<i64> = targets
        .into_iter()
        .flat_map(|scrapes| scrapes.windows(2))
        .filter_map(|pair| match pair {
            [a, b] => Some(b - a),
            _ => None,
        })
        .collect();
    if gaps.len() < 2 {
        return None;
    }
    gaps.sort_unstable();
    let median = *gaps.get(gaps.len() / 2)?;
    let rounded = |to: i64| (median + to / 2) / to * to;
    let close = |to: i64| (rounded(to) - median).abs() * 50 <= median;
    Some([5_000, 1_000, 100, 10].into_iter().find(|to| close(*to)).map_or(median, rounded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_multiples_of_the_scrape_interval() {
        // Intervals of the arms in s, shortest window in s, length in s.
        let cases: [(&[i64], i64, Option<i64>); 9] = [
            (&[15], 15, Some(15)),
            (&[60], 15, Some(60)),
            (&[5], 15, Some(15)),
            (&[10], 15, Some(20)),
            (&[1], 1, Some(1)),
            (&[5, 15], 15, Some(15)),
            (&[10, 15], 15, Some(30)),
            (&[700], 15, None),
            (&[], 15, None),
        ];
        for (intervals, at_least, expect) in cases {
            let ms: Vec<_> = intervals.iter().map(|s| s * 1000).collect();
            let grid = Grid::new(&ms, TimeDelta::seconds(at_least));
            assert_eq!(grid.map(|g| g.length_ms / 1000), expect, "{intervals:?}");
        }
    }

    #[test]
    fn jitter_at_the_edge_of_the_grid_changes_no_slot() {
        let grid = Grid::new(&[15_000], TimeDelta::seconds(15)).expect("a grid");
        let scrapes = [-40, 15_030, 29_950, 45_010, 75_000];
        let slots: Vec<_> = grid.slots(&scrapes, 0).into_keys().collect();
        assert_eq!(slots, [0, 1, 2, 3, 5]);
        let moved = [7_000, 22_000, 37_000, 52_000];
        assert!(grid.slots(&moved, 0).is_empty());
        assert_eq!(grid.phase(&moved, Some(0)), 7_000);
    }

    #[test]
    fn the_interval_is_the_usual_gap() {
        let cases: [(&[i64], Option<i64>); 5] = [
            (&[0, 14_998, 30_003], Some(15_000)),
            (&[0, 15_000, 45_000, 60_000, 75_000], Some(15_000)),
            (&[0, 1_003, 1_998, 3_004], Some(1_000)),
            (&[0, 251, 499, 750], Some(250)),
            (&[0, 15_000], None),
        ];
        for (scrapes, expect) in cases {
            assert_eq!(interval([scrapes]), expect, "{scrapes:?}");
        }
    }
}
