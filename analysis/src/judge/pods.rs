//! Lasting differences between pods: one pod fails a little more than another for hours, for its
//! node, its shard or its clients. With few canary pods that looks like a regression.
//!
//! What has to be safe is an equal release whose pods are unlucky, so the tolerated ratio is
//! `max(ρ, exp(2 s))`, with `s = σ √(1/m + 1/S)` for m canary and S stable pods: the one-sided
//! 97.7 % point of the difference of two means of logarithms. A release that is worse by ρ *and*
//! unlucky may be taken back.
//!
//! In the fleet's process the windows of all clusters add up, so what matters there is the *mean*
//! of their deviations, whose spread is `√(Σ s²)/C` for C clusters that report at the time.
//! Allowing in each of eight clusters for what one alone could show would give away most of what
//! the clusters know together: with one canary pod of twenty each and σ = 0.3, 1.85 is tolerated
//! alone and 1.25 in eight. Each cluster is read in rounds of its own, so its last spread is
//! remembered, and counts for as long as an episode may last.

use std::collections::BTreeMap;

use super::settings::Calibration;
use super::window::{Arm, Counts, Window};

/// Standard deviations of lasting differences that are allowed for.
const DEVIATIONS: f64 = 2.0;

/// The tolerated ratio for a spread of lasting differences, where this one is tolerated at least.
pub(super) fn tolerated(ratio: f64, sd: f64) -> f64 {
    ratio.max(1.0).max((DEVIATIONS * sd).exp())
}

/// `σ √(1/m + 1/S)`.
pub(super) fn spread(calibration: &Calibration, (canary, stable): (u32, u32)) -> f64 {
    let inverse = |pods: u32| 1.0 / f64::from(pods.max(1));
    calibration.pods() * (inverse(canary) + inverse(stable)).sqrt()
}

/// `s²` of a window; none where an arm has no events: who says nothing does not water down what the
/// others say.
pub(super) fn variance(window: &Window, calibration: &Calibration) -> Option<f32> {
    let Counts::Cells(cells) = &window.counts else { return None };
    let of = |arm: Arm| cells.iter().filter(move |cell| cell.arm == arm);
    let is_silent = |arm| of(arm).all(|cell| cell.events == 0);
    if is_silent(Arm::Canary) || is_silent(Arm::Stable) {
        return None;
    }
    let count = |arm| u32::try_from(of(arm).count()).unwrap_or(u32::MAX);
    let sd = spread(calibration, (count(Arm::Canary), count(Arm::Stable)));
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
    Some((sd * sd) as f32)
}

/// The spreads of the clusters of a metric and stream.
#[derive(Debug, Default)]
pub(super) struct FleetPods(BTreeMap<(usize, usize), BTreeMap<usize, Noted>>);

/// `s²` of a cluster's window, and when that ended.
#[derive(Debug)]
struct Noted {
    variance: f32,
    ends_ms: i64,
}

impl FleetPods {
    /// Notes the spread of a window, by its metric, stream and cluster; of a cluster's windows the
    /// one that is noted last counts.
    pub(super) fn note(
        &mut self,
        (metric, stream, cluster): (usize, usize, usize),
        variance: f32,
        ends_ms: i64,
    ) {
        let clusters = self.0.entry((metric, stream)).or_default();
        clusters.insert(cluster, Noted { variance, ends_ms });
    }

    /// `√(Σ s²)/C` of a stream, of what was noted since.
    pub(super) fn sd(&self, metric: usize, stream: usize, since_ms: i64) -> f64 {
        let clusters = self.0.get(&(metric, stream)).into_iter().flat_map(BTreeMap::values);
        let recent = clusters.filter(|noted| noted.ends_ms >= since_ms);
        let (sum, count) = recent.fold((0.0, 0_u32), |(sum, count), noted| {
            (sum + f64::from(noted.variance), count.saturating_add(1))
        });
        sum.sqrt() / f64::from(count.max(1))
    }
}
