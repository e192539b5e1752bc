//! What one window says: the logarithms of its e-values, one per component.

use super::batches::generating;
use super::cells::{self, Tables};
use super::difference::{self, Alternative};
use super::past::{Added, Past};
use super::settings::{Calibration, Margins};
use super::share::Ratios;
use super::window::{ArmCounts, Counts, Window};

/// Rate ratios that are looked for: each finds its own size of regression soonest.
pub(super) const ALTERNATIVES: [f64; 3] = [2.0, 3.5, 10.0];

/// The tolerated ratio for which [`ALTERNATIVES`] are meant.
pub(super) const NULL_DEFAULT: f64 = 1.25;

/// Differences that are looked for where stable hardly fails, in tolerated differences.
const EXCESSES: [f64; 3] = [3.0, 8.0, 30.0];

/// Factors at which the canary's bad share is bet to lie below what has to be ruled out.
pub(super) const BELOW: [f64; 2] = [0.2, 0.5];

/// Components of the abort side: ratio, per alternative and bar of a cell.
pub(super) const RATIO: usize = 6;
/// Components of the abort side: difference.
pub(super) const DIFFERENCE: usize = 3;
/// Components of the promote side: two of ratio, two absolute.
pub(super) const PROMOTE: usize = 4;

/// `ln e` per component.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Increments {
    /// Of the ratio, with the lasting differences of this cluster's pods allowed for.
    pub(super) ratio: [f64; RATIO],
    /// Of the ratio, with those of the pods of all clusters of the round: see [`super::pods`].
    pub(super) fleet_ratio: [f64; RATIO],
    pub(super) difference: [f64; DIFFERENCE],
    pub(super) promote: [f64; PROMOTE],
}

impl Increments {
    /// Everything that the cap on an episode holds for.
    pub(super) fn gains(&mut self) -> impl Iterator<Item = &mut f64> {
        self.ratio.iter_mut().chain(&mut self.fleet_ratio).chain(&mut self.difference)
    }
}

/// What a window says, given the past; and what it adds to the past. Nothing where one arm had
/// no event. `fleet_sd` is that of [`super::pods::FleetPods`].
pub(super) fn of_window(
    window: &Window,
    past: &Past,
    margins: &Margins,
    calibration: &Calibration,
    fleet_sd: f64,
) -> (Option<Increments>, Added) {
    let (canary, stable) = window.arms();
    let speaks = canary.events > 0 && stable.events > 0;
    let mut increments = Increments::default();
    let mut added = match &window.counts {
        Counts::Cells(cells) => {
            let tables = Tables::count(cells, past, margins, calibration, fleet_sd);
            if speaks {
                increments = cells::increments(&tables, past, margins);
            }
            tables.added()
        }
        Counts::Arms { .. } => {
            if speaks {
                increments = shares(canary, stable, margins, calibration.batches());
            }
            Added::default()
        }
    };
    added.bad = float(stable.bad);
    added.events = float(stable.events);
    if !speaks {
        return (None, added);
    }
    increments.difference = differences(canary, stable, past, margins, calibration.batches());
    for (place, below) in increments.promote.iter_mut().skip(2).zip(BELOW) {
        let drift = absolute_drift(margins.rule_out.difference, below, calibration.batches_upper());
        *place = float(canary.bad) * below.ln() + float(canary.events) * drift;
    }
    (Some(increments), added)
}

/// What a canary event adds to the absolute part of the promote side, with batches of this mean:
/// `δ/b (1 - G_b(x))`, falling in b, so that an upper bound of b is safe.
pub(super) fn absolute_drift(difference: f64, below: f64, batch_mean: f64) -> f64 {
    difference / batch_mean * (1.0 - generating(below, batch_mean))
}

fn shares(canary: ArmCounts, stable: ArmCounts, margins: &Margins, batch_mean: f64) -> Increments {
    let mut increments = Increments::default();
    let null = margins.tolerate.ratio.max(1.0);
    for (index, alternative) in ALTERNATIVES.into_iter().enumerate() {
        let ratios = Ratios { null, alternative: alternative * null / NULL_DEFAULT };
        let ln = ratios.log_ratio(canary, stable, batch_mean);
        // Without cells there is one bar only; it stands for both.
        for place in increments.ratio.iter_mut().skip(index).step_by(ALTERNATIVES.len()) {
            *place = ln;
        }
    }
    increments.fleet_ratio = increments.ratio;
    // The same test with the arms exchanged: stable at most 1/ρ of the canary, looked for at 1.
    let worst = margins.rule_out.ratio;
    if worst > 1.0 {
        let ratios = Ratios { null: 1.0 / worst, alternative: 1.0 };
        let ln = ratios.log_ratio(stable, canary, batch_mean);
        increments.promote = [ln, ln, 0.0, 0.0];
    }
    increments
}

fn differences(
    canary: ArmCounts,
    stable: ArmCounts,
    past: &Past,
    margins: &Margins,
    batch_mean: f64,
) -> [f64; DIFFERENCE] {
    let difference = margins.tolerate.difference.clamp(0.0, 1.0);
    let share = past.share();
    let bets = ALTERNATIVES.into_iter().zip(EXCESSES);
    let mut found = [0.0; DIFFERENCE];
    for (place, (ratio, excess)) in found.iter_mut().zip(bets) {
        let looked_for = (ratio * share).max(share + excess * difference);
        // Half-way to certainty at most: more would be a share above one.
        let of = Alternative { canary: looked_for.min(f64::midpoint(share, 1.0)), stable: share };
        *place = difference::log_ratio(of, difference, (canary, stable), batch_mean);
    }
    found
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
