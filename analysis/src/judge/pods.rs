//! Lasting differences between pods: one pod fails a little more than another for hours, for its
//! node, its shard or its clients. With few canary pods that looks like a regression.
//!
//! What has to be safe is an equal release whose pods are unlucky, so the tolerated ratio is
//! `max(ρ, exp(2 s))`, with `s = σ √(1/m + 1/S)` for m canary and S stable pods: the one-sided
//! 97.7 % point of the difference of two means of logarithms. A release that is worse by ρ *and*
//! unlucky may be taken back.
//!
//! In the fleet's process the windows of all clusters of a round add up, so what matters there
//! is the *mean* of their deviations, whose spread is `√(Σ s²)/C` for C clusters of the round.
//! Allowing in each of eight clusters for what one alone could show would give away most of what
//! the clusters know together: with one canary pod of twenty each and σ = 0.3, 1.85 is tolerated
//! alone and 1.25 in eight. Clusters that report in other rounds do not count in, which errs to
//! the safe side.

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

/// The spread in the fleet, per metric and stream.
#[derive(Debug, Default)]
pub(super) struct FleetPods(BTreeMap<(usize, usize), Sums>);

#[derive(Debug, Default)]
struct Sums {
    variance: f64,
    clusters: BTreeMap<usize, f64>,
}

impl FleetPods {
    /// Notes the pods of a window that will be counted; of several of a cluster the last.
    pub(super) fn note(
        &mut self,
        (metric, stream, cluster): (usize, usize, usize),
        window: &Window,
        calibration: &Calibration,
    ) {
        let Counts::Cells(cells) = &window.counts else { return };
        let of = |arm: Arm| cells.iter().filter(move |cell| cell.arm == arm);
        // Who says nothing does not water down what the others say.
        if of(Arm::Canary).all(|cell| cell.events == 0)
            || of(Arm::Stable).all(|cell| cell.events == 0)
        {
            return;
        }
        let count = |arm| u32::try_from(of(arm).count()).unwrap_or(u32::MAX);
        let sd = spread(calibration, (count(Arm::Canary), count(Arm::Stable)));
        let sums = self.0.entry((metric, stream)).or_default();
        let before = sums.clusters.insert(cluster, sd * sd).unwrap_or(0.0);
        sums.variance += sd * sd - before;
    }

    /// `√(Σ s²)/C` of a stream.
    pub(super) fn sd(&self, metric: usize, stream: usize) -> f64 {
        self.0.get(&(metric, stream)).map_or(0.0, |sums| {
            let clusters = u32::try_from(sums.clusters.len().max(1)).unwrap_or(u32::MAX);
            sums.variance.max(0.0).sqrt() / f64::from(clusters)
        })
    }
}
