//! What one window says: the logarithms of its e-values, one per component.
//!
//! Against the release there are bets by cells and by shares of events. Which of them finds a
//! regression first is not known beforehand: cells lose what saturates, shares what batches hide.
//! Each is a component of its own, and the evidence their weighted mean (chosen window by window from the
//! past alone, one of them cost 677 bad requests at 500 a second and three times the errors, both
//! together 471).
//!
//! In its favour there are bets by cells, or else by shares, and on the volume of good events.
//! There the service decides which of them moves at all, so a mean would pay for the others. One
//! is made per window: the one that is expected to grow most if the release is as good, from
//! nothing but the past and this window's exposures. Each is an e-value given these, so the
//! chosen one is.

use super::batches::generating;
use super::cells::Cells;
use super::difference::{self, Alternative};
use super::past::{Added, Past};
use super::pods;
use super::ratios::Ratios;
use super::settings::{Calibration, Margins};
use super::window::{ArmCounts, Counts, Window};

/// Differences that are looked for where stable hardly fails, in tolerated differences, and at
/// least as multiples of stable's share.
const EXCESSES: [(f64, f64); 2] = [(4.0, 2.3), (20.0, 5.0)];

/// Up to so many times stable's share the tolerated difference is judged as a ratio.
const DIFFERENCE_AS_RATIO_MAX: f64 = 4.0;

/// Factors at which the canary's bad share is bet to lie below what has to be ruled out.
pub(super) const BELOW: [f64; 3] = [0.2, 0.5, 0.8];

/// Components of the abort side: ratio, per alternative.
pub(super) const RATIO: usize = 4;
/// Components of the abort side: difference.
pub(super) const DIFFERENCE: usize = RATIO;

/// What each component weighs in the evidence: cells low and high, shares low and high. Twice the
/// errors are the hard case; five times are found in a few minutes by any of them.
pub(super) const WEIGHTS: [f64; RATIO] = [0.5, 0.15, 0.25, 0.1];

/// Up to this mean batch bad events come alone: shares are all but exact there, and cells take
/// away from what they say. Both pairs of components are by shares then.
const ALONE_MAX: f64 = 1.25;

/// `ln e` per component.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Increments {
    /// Of the ratio, with the lasting differences of this cluster's pods allowed for.
    pub(super) ratio: [f64; RATIO],
    /// Of the ratio, with those of the pods of all clusters of the round: see [`super::pods`].
    pub(super) fleet_ratio: [f64; RATIO],
    pub(super) difference: [f64; DIFFERENCE],
    pub(super) promote: f64,
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
    let cells = match &window.counts {
        Counts::Cells(cells) => Some(Cells::count(cells)),
        Counts::Arms { .. } => None,
    };
    let mut added = cells.map_or_else(Added::default, |cells| cells.added());
    added.bad = float(stable.bad);
    added.events = float(stable.events);
    if canary.events == 0 || stable.events == 0 {
        return (None, added);
    }
    let look = Look { arms: (canary, stable), cells, past, calibration };
    let pods_sd = cells.map_or(0.0, |cells| pods::spread(calibration, cells.pods()));
    let tolerated = pods::tolerated(margins.tolerate.ratio, pods_sd);
    let fleet_tolerated = pods::tolerated(margins.tolerate.ratio, fleet_sd);
    let ratio = look.worse(tolerated);
    let fleet_ratio = if fleet_tolerated.to_bits() == tolerated.to_bits() {
        ratio
    } else {
        look.worse(fleet_tolerated)
    };
    let difference = look.worse_by(margins.tolerate.difference.clamp(0.0, 1.0));
    let promote = look.good(margins);
    (Some(Increments { ratio, fleet_ratio, difference, promote }), added)
}

/// What a canary event adds to a bet on volume, with batches of this mean: `δ/b (1 - G_b(x))`,
/// falling in b, so that an upper bound of b is safe.
pub(super) fn absolute_drift(difference: f64, below: f64, batch_mean: f64) -> f64 {
    difference / batch_mean * (1.0 - generating(below, batch_mean))
}

/// A window in which both arms had events, and what is known beforehand.
struct Look<'w> {
    arms: (ArmCounts, ArmCounts),
    cells: Option<Cells>,
    past: &'w Past,
    calibration: &'w Calibration,
}

impl Look<'_> {
    /// Bets that the canary is more than this many times as bad: by cells, then by shares of
    /// events; twice by shares where there are no cells.
    fn worse(&self, tolerated: f64) -> [f64; RATIO] {
        let (canary, stable) = self.arms;
        let bets = Ratios::beyond(tolerated);
        let [low, high] =
            bets.map(|ratios| ratios.log_ratio(canary, stable, self.calibration.batches()));
        let alone = self.calibration.batches() <= ALONE_MAX;
        let [cells_low, cells_high] = self
            .cells
            .filter(|_| !alone)
            .map_or([low, high], |cells| bets.map(|ratios| cells.worse(self.past, ratios)));
        [cells_low, cells_high, low, high]
    }

    /// Bets that the canary's bad share is higher by more than this. Where stable's share is
    /// known and not small beside it, that is a ratio, and the bets on ratios find it sooner.
    fn worse_by(&self, difference: f64) -> [f64; DIFFERENCE] {
        let share = self.past.share();
        if self.past.is_known() && difference < DIFFERENCE_AS_RATIO_MAX * share {
            return self.worse(1.0 + difference / share);
        }
        let bets = EXCESSES.map(|(excess, ratio)| {
            let looked_for = (ratio * share).max(share + excess * difference);
            // Half-way to certainty at most: more would be a share above one.
            let canary = looked_for.min(f64::midpoint(share, 1.0));
            let of = Alternative { canary, stable: share };
            difference::log_ratio(of, difference, self.arms, self.calibration.batches())
        });
        let [low, high] = bets;
        [low, high, low, high]
    }

    /// The bet that the canary is not as bad as has to be ruled out.
    fn good(&self, margins: &Margins) -> f64 {
        let (canary, stable) = self.arms;
        let (canary_bad, canary_events) = (float(canary.bad), float(canary.events));
        let worst = margins.rule_out.ratio.max(1.0);
        let of_ratio = if let Some(cells) = self.cells {
            // Never sums beside cells: after an outage of both arms cells are all bad and say
            // nothing, while sums say "the same" (16 % of the releases with twice the errors
            // passed).
            (cells.growth_if_good(self.past, worst), cells.as_good(self.past, worst))
        } else {
            // The same test with the arms exchanged: stable at most 1/ρ of the canary.
            let ratios = Ratios { null: 1.0 / worst, alternative: 1.0 };
            let batch_mean = self.calibration.batches();
            let growth = ratios.growth((stable, canary), self.past.share(), batch_mean);
            (growth, ratios.log_ratio(stable, canary, batch_mean))
        };
        let of_volume = BELOW.map(|below| {
            let batch_mean = self.calibration.batches_upper();
            let drift = absolute_drift(margins.rule_out.difference, below, batch_mean);
            let log_bad = below.ln();
            let growth = canary_events * (self.past.share() * log_bad + drift);
            (growth, canary_bad * log_bad + canary_events * drift)
        });
        let bets = std::iter::once(of_ratio).chain(of_volume);
        let best = bets.filter(|bet| bet.0 > 0.0).max_by(|one, other| one.0.total_cmp(&other.0));
        best.map_or(0.0, |(_, log)| log)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
