//! Kayenta's `NetflixACAJudge`: at the end of every step, the series of error rates since the
//! steps of the cluster began, one point a minute. The metric is critical: `High` aborts.

use super::{INTERVAL_S, mann_whitney::Interval};
use crate::{
    number::size,
    scenario::WAVES,
    trace::{Live, Trace, share},
};

/// Settings of the classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kayenta {
    /// Confidence of the interval; 0.98 unless set.
    pub confidence: f64,
    /// Part of the estimated shift that its lower bound must exceed; 0.25 unless set.
    pub tolerance: f64,
}

impl Kayenta {
    pub(super) fn decide(&self, trace: &Trace) -> Option<usize> {
        for wave in WAVES {
            let Some(first) = wave.first().and_then(|cluster| trace.clusters.get(*cluster)) else {
                continue;
            };
            let ends = (trace.step_windows..=first.arms.len()).step_by(trace.step_windows);
            for end in ends {
                let clusters = wave.iter().filter_map(|cluster| trace.clusters.get(*cluster));
                let mut series = clusters.map(|live| series(live, end, trace));
                if series.any(|(canary, stable)| self.is_high(&canary, &stable)) {
                    return Some(first.from + end - 1);
                }
            }
        }
        None
    }

    /// Whether the canary's series is classified as `High`.
    fn is_high(&self, canary: &[f64], stable: &[f64]) -> bool {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / size(values.len());
        if canary.is_empty() || stable.is_empty() {
            return false;
        }
        let (of_canary, of_stable) = (mean(canary), mean(stable));
        // The effect: a ratio of means below 1 is never `High`; without a baseline it is unknown.
        if of_stable > 0.0 && of_canary < of_stable {
            return false;
        }
        let Some(interval) = Interval::of_shift(canary, stable, self.confidence) else {
            return false;
        };
        interval.low > self.tolerance * interval.estimate.abs()
    }
}

/// Both series up to window `end` of a cluster. Points without events are left out.
fn series(live: &Live, end: usize, trace: &Trace) -> (Vec<f64>, Vec<f64>) {
    let every = trace.windows_in(INTERVAL_S);
    let points = (every - 1..end).step_by(every).map(|at| live.last(at, every));
    let (canary, stable): (Vec<_>, Vec<_>) =
        points.map(|arms| (share(arms.canary), share(arms.stable))).unzip();
    (canary.into_iter().flatten().collect(), stable.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::Kayenta;

    /// Cases from the project's issues, as its judge classifies them.
    #[test]
    fn classifies_as_the_original() {
        let rule = Kayenta { confidence: 0.98, tolerance: 0.25 };
        let hundreds = |hundreds: usize| {
            let mut values = vec![100.0; hundreds];
            values.resize(10, 1.0);
            values
        };
        let zeros = |count| vec![0.0; count];
        let cases = [
            (vec![0.0, 1.0, 2.0, 1.0, 0.0, 0.0], zeros(6), false),
            (hundreds(7), hundreds(0), false),
            // Eight of ten and not seven flip it.
            (hundreds(8), hundreds(0), true),
            (vec![1.0, 4.0, 2.0, 3.0, 1.0], zeros(5), true),
            (vec![10.0, 20.0, 30.0, 40.0, 50.0], vec![1.0, 2.0, 3.0, 4.0, 5.0], false),
        ];
        for (canary, stable, is_high) in cases {
            assert_eq!(rule.is_high(&canary, &stable), is_high, "{canary:?}");
        }
    }
}
