//! The cell engine: bad cells of canary pods against those of stable pods in the same window.
//!
//! A cell is a pod in a window; it is bad when it has any bad event. Counting cells instead of
//! events makes batches within a pod harmless, and conditioning on their number those that both
//! arms share.
//!
//! Pods of the arms may carry different loads. With h, a canary pod's load over a stable pod's, a
//! rate ratio r makes r h times as many bad events in a cell, so h enters the odds on both sides.
//!
//! What the edges of the nulls rest on. A canary cell has `c = r h` times the intensity of a
//! stable one, and `ω(c; p)` is the odds ratio of "any bad event" when p is stable's share:
//! rising in p for `c > 1`, falling for `c < 1`, and `c` in the limit of small p.
//! - Abort, `ρh ≥ 1`: ω at the larger of the past's share and this window's pooled one, the
//!   latter a standard deviation higher: of few pods it is often below the truth, and after a jump
//!   of the base rate a window would win up to 3 % on average (0.4 % with the deviation, added up
//!   over every outcome). `ρh < 1`: its limit `ρh`, valid for every base rate.
//! - Promote, `ρh ≥ 1`: ω at the smaller of the past's share and this window's pooled one, and never
//!   above `0.25/ρh`: where many cells are bad nothing is taken from it, or a window would win up to
//!   half on average. While the past is right no window wins on average; of few bad cells the
//!   pooled share is often above the truth, and while the past is too high as well, after a
//!   disturbance of both arms, a window wins up to 0.9 % (0.5 % where the past is a quarter too
//!   high; added up over every outcome). The limit `ρh` would be safe at every base rate and gives
//!   an eighth of what is known away at 14 % bad cells. `ρh < 1`: ω at the larger share, with all
//!   bad cells taken for stable's.
//!
//! What is looked for is told from the past alone, for the null's safe share would bet on more. But
//! where the null's edge has reached that, nothing could be found any more: with a pod of either
//! arm a window has no, all or half of its cells bad, and half is so many. There the null's share
//! tells what is looked for as well.
//!
//! The share of this window is a function of the number of bad cells alone, which the e-value is
//! conditional on; so may every choice of a bet be.

use super::hypergeometric::Table;
use super::increments::float;
use super::odds::{divergence, log_odds_ratio, sound_share};
use super::past::{Added, Past};
use super::ratios::Ratios;
use super::window::{Arm, Cell};

/// Largest log odds ratio that is bet on, and the least distance of a bet from the null.
const LOG_ODDS_MAX: f64 = 7.9;
const LOG_ODDS_STEP: f64 = 0.1;

/// What the share of bad cells times `ρh` is taken for at most, on the promote side.
const PROMOTE_INTENSITY_MAX: f64 = 0.25;

/// Loads that differ by more than this are no loads to compare.
const LOAD_MAX: f64 = 1e6;

/// The cells of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells {
    /// Those with any bad event.
    table: Table,
    /// Load of a canary pod over load of a stable pod; none where a pod of neither arm had any.
    load: Option<f64>,
}

impl Cells {
    pub(super) fn count(cells: &[Cell]) -> Self {
        let mut table = Table { cells: 0, canary: 0, bad: 0, canary_bad: 0 };
        let (mut canary_events, mut stable_events) = (0.0, 0.0);
        for cell in cells {
            let own = cell.arm == Arm::Canary;
            let is_bad = cell.bad > 0;
            table.cells = table.cells.saturating_add(1);
            table.canary += u32::from(own);
            table.bad += u32::from(is_bad);
            table.canary_bad += u32::from(own && is_bad);
            let events = if own { &mut canary_events } else { &mut stable_events };
            *events += float(cell.events);
        }
        let (canary, stable) = (f64::from(table.canary), f64::from(table.cells - table.canary));
        let load = (canary > 0.0 && stable > 0.0)
            .then(|| (canary_events / canary) / (stable_events / stable))
            .filter(|load| load.is_finite() && *load > 1.0 / LOAD_MAX && *load < LOAD_MAX);
        Self { table, load }
    }

    /// What stable's cells add to the past.
    pub(super) fn added(&self) -> Added {
        let Table { cells, canary, bad, canary_bad } = self.table;
        Added {
            cells: f64::from(cells - canary),
            bad_cells: f64::from(bad - canary_bad),
            ..Added::default()
        }
    }

    /// Pods of both arms: canary, then stable.
    pub(super) fn pods(&self) -> (u32, u32) {
        (self.table.canary, self.table.cells - self.table.canary)
    }

    /// A bet that the canary is worse than tolerated; none where none can be made.
    pub(super) fn worse(&self, past: &Past, ratios: Ratios) -> f64 {
        let Some(load) = self.load else { return 0.0 };
        let share = sound_share(past.bad_cells().max(self.table.share_upper()));
        let edge = ratios.null * load;
        let null = if edge >= 1.0 { log_odds_ratio(edge, share) } else { edge.ln() };
        let look_for = |share| log_odds_ratio(ratios.alternative * load, share);
        let from_past = look_for(past.bad_cells());
        let alternative =
            if from_past > null + LOG_ODDS_STEP { from_past } else { look_for(share) };
        let alternative = alternative.max(null + LOG_ODDS_STEP).min(LOG_ODDS_MAX);
        if alternative <= null { 0.0 } else { self.table.log_ratio(null, alternative) }
    }

    /// A bet that the canary is not as bad as has to be ruled out, but as good as stable.
    pub(super) fn as_good(&self, past: &Past, worst: f64) -> f64 {
        let Some(load) = self.load else { return 0.0 };
        let share = sound_share(past.bad_cells().max(self.table.share()));
        let upper = sound_share(past.bad_cells().max(self.table.stable_share_upper()));
        let lower = past.bad_cells().min(self.table.share());
        let (edge, alternative) = promote_odds(worst, load, (lower, upper), share);
        if alternative >= edge { 0.0 } else { self.table.log_ratio(edge, alternative) }
    }

    /// How much such a bet is expected to grow when it is right, in nats, as the past has it.
    pub(super) fn growth_if_good(&self, past: &Past, worst: f64) -> f64 {
        let Some(load) = self.load else { return 0.0 };
        let share = past.bad_cells();
        let (edge, alternative) = promote_odds(worst, load, (share, share), share);
        self.growth(share, edge, alternative)
    }

    /// Bad cells, those that could as well have been good, times what each tells about whose it
    /// is. Good for choosing a bet, not for counting one.
    fn growth(&self, share: f64, null: f64, alternative: f64) -> f64 {
        let (canary, stable) = self.pods();
        let (canary, stable) = (f64::from(canary), f64::from(stable));
        let odds = alternative.exp() * share / (1.0 - share);
        let bad = canary * odds / (1.0 + odds) + stable * share;
        let of = |log_odds: f64| canary * log_odds.exp() / (canary * log_odds.exp() + stable);
        bad * (1.0 - bad / (canary + stable)) * divergence(of(alternative), of(null))
    }
}

/// Log odds ratios of the null's edge and of an equal canary, on the promote side.
fn promote_odds(worst: f64, load: f64, (lower, upper): (f64, f64), share: f64) -> (f64, f64) {
    let worst = worst * load;
    let at = if worst >= 1.0 { lower.min(PROMOTE_INTENSITY_MAX / worst) } else { upper };
    let edge = log_odds_ratio(worst, sound_share(at));
    (edge.min(LOG_ODDS_MAX), log_odds_ratio(load, share))
}
