//! The cell engine: bad cells of canary pods against those of stable pods in the same window.
//!
//! A cell is a pod in a window; it is bad when it has any bad event (one bar), or many (another).
//! Counting cells instead of events makes batches within a pod harmless, and conditioning on
//! their number those that both arms share.
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
//! - Promote, `ρh ≥ 1`: the limit `ρh`; `ρh < 1`: ω at the larger share, with
//!   all bad cells taken for stable's. For "many bad events"
//!   the limit holds as well: bad events of a cell are cumulative damage by Poisson shocks, whose
//!   time to reach a bar has an increasing failure rate on average (Esary, Marshall & Proschan
//!   1973), so `P(K < bar)` at c times the intensity is at most its c-th power.
//!
//! The share of this window is a function of the number of bad cells alone, which the e-value is
//! conditional on; so may every choice of a bet be.

use super::hypergeometric::Table;
use super::increments::{ALTERNATIVES, Increments, NULL_DEFAULT, RATIO, float};
use super::odds::{log_odds_ratio, sound_share};
use super::past::{Added, Past};
use super::pods;
use super::settings::{Calibration, Margins};
use super::window::{Arm, Cell};

/// Largest log odds ratio that is bet on, and the least distance of a bet from the null.
const LOG_ODDS_MAX: f64 = 7.9;
const LOG_ODDS_STEP: f64 = 0.1;

/// Loads that differ by more than this are no loads to compare.
const LOAD_MAX: f64 = 1e6;

/// A window as tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables {
    /// Cells with any bad event, at the same bar in both arms.
    any: Table,
    /// Cells with many bad events; the canary's bar is higher by what is tolerated.
    many: Table,
    /// The same with what the fleet's process tolerates.
    fleet_many: Table,
    /// The same at the same bar in both arms, for the promote side.
    many_plain: Table,
    /// Load of a canary pod over load of a stable pod; none where a pod of neither arm had any.
    load_ratio: Option<f64>,
    /// Tolerated ratio, lasting differences of pods allowed for: here, and in the fleet.
    tolerated: f64,
    fleet_tolerated: f64,
}

impl Tables {
    pub(super) fn count(
        cells: &[Cell],
        past: &Past,
        margins: &Margins,
        calibration: &Calibration,
        fleet_sd: f64,
    ) -> Self {
        let (mut canary, mut stable) = (Arms::default(), Arms::default());
        for cell in cells {
            let arm = if cell.arm == Arm::Canary { &mut canary } else { &mut stable };
            arm.pods = arm.pods.saturating_add(1);
            arm.events += float(cell.events);
        }
        let load_ratio = (canary.pods > 0 && stable.pods > 0)
            .then(|| {
                (canary.events / f64::from(canary.pods)) / (stable.events / f64::from(stable.pods))
            })
            .filter(|ratio| ratio.is_finite() && *ratio > 1.0 / LOAD_MAX && *ratio < LOAD_MAX);
        let ratio = margins.tolerate.ratio.max(1.0);
        let tolerated =
            ratio * pods::allowance(pods::spread(calibration, canary.pods, stable.pods));
        let fleet_tolerated = ratio * pods::allowance(fleet_sd);
        let load = load_ratio.unwrap_or(1.0);
        let mean = past.mean_per_cell();
        // About the 85 % point of a stable cell.
        let bar = (mean + 1.1 * (2.0 * mean).sqrt()).ceil().max(2.0);
        let bars =
            [1.0, bar, (tolerated * load * bar).ceil(), (fleet_tolerated * load * bar).ceil()];
        let table = Table {
            cells: canary.pods.saturating_add(stable.pods),
            canary: canary.pods,
            bad: 0,
            canary_bad: 0,
        };
        let (mut any, mut many, mut fleet_many, mut many_plain) = (table, table, table, table);
        for cell in cells {
            let own = cell.arm == Arm::Canary;
            let reaches = bars.map(|bar| float(cell.bad) >= bar);
            let [one, plain, higher, fleet_higher] = reaches;
            for (table, is_bad) in [
                (&mut any, one),
                (&mut many_plain, plain),
                (&mut many, if own { higher } else { plain }),
                (&mut fleet_many, if own { fleet_higher } else { plain }),
            ] {
                table.bad += u32::from(is_bad);
                table.canary_bad += u32::from(own && is_bad);
            }
        }
        Self { any, many, fleet_many, many_plain, load_ratio, tolerated, fleet_tolerated }
    }

    /// What stable's cells add to the past.
    pub(super) fn added(&self) -> Added {
        let stable_bad = |table: &Table| f64::from(table.bad - table.canary_bad);
        Added {
            cells: f64::from(self.any.cells - self.any.canary),
            bad_cells: stable_bad(&self.any),
            worse_cells: stable_bad(&self.many_plain),
            ..Added::default()
        }
    }
}

/// Pods and events of an arm.
#[derive(Debug, Clone, Copy, Default)]
struct Arms {
    pods: u32,
    events: f64,
}

/// What the tables say. The difference and the absolute parts are others' business.
pub(super) fn increments(tables: &Tables, past: &Past, margins: &Margins) -> Increments {
    let mut increments = Increments::default();
    let Some(load) = tables.load_ratio else { return increments };
    let any_share = sound_share(past.bad_cells().max(tables.any.share()));
    let ratio_of = |tolerated: f64, many: &Table| ratio(&tables.any, many, past, tolerated, load);
    increments.ratio = ratio_of(tables.tolerated, &tables.many);
    increments.fleet_ratio = if tables.fleet_tolerated.to_bits() == tables.tolerated.to_bits() {
        increments.ratio
    } else {
        ratio_of(tables.fleet_tolerated, &tables.fleet_many)
    };
    let worst = margins.rule_out.ratio.max(1.0) * load;
    let upper = sound_share(past.bad_cells().max(tables.any.stable_share_upper()));
    let edge = if worst >= 1.0 { worst.ln() } else { log_odds_ratio(worst, upper) };
    let [any, many, ..] = &mut increments.promote;
    *any = against(&tables.any, edge, log_odds_ratio(load, any_share));
    if load >= 1.0 {
        let share = sound_share(past.worse_cells().max(tables.many_plain.share()));
        *many = against(&tables.many_plain, edge, log_odds_ratio(load, share));
    }
    increments
}

/// The abort side at a tolerated ratio.
fn ratio(any: &Table, many: &Table, past: &Past, tolerated: f64, load: f64) -> [f64; RATIO] {
    let mut found = [0.0; RATIO];
    let any_share = sound_share(past.bad_cells().max(any.share_upper()));
    let many_share = sound_share(past.worse_cells().max(many.share()));
    let edge = tolerated * load;
    let null = if edge >= 1.0 { log_odds_ratio(edge, any_share) } else { edge.ln() };
    // A bar below the window's middle tells nothing: of two laws with equal means the narrower
    // one, that of the pod with more load, then lies above it more often.
    let many_tells = load >= 1.0 && !many.is_mostly_bad();
    let (any_found, many_found) = found.split_at_mut(ALTERNATIVES.len());
    for ((any_found, many_found), alternative) in
        any_found.iter_mut().zip(many_found).zip(ALTERNATIVES)
    {
        let ratio = alternative * tolerated / NULL_DEFAULT;
        *any_found = bet(any, null, log_odds_ratio(ratio * load, any_share));
        if many_tells {
            *many_found = bet(many, 0.0, log_odds_ratio(ratio / tolerated, many_share));
        }
    }
    found
}

/// A bet on more bad cells than the null's edge allows; none where none can be made.
fn bet(table: &Table, null: f64, alternative: f64) -> f64 {
    let alternative = alternative.max(null + LOG_ODDS_STEP).min(LOG_ODDS_MAX);
    if alternative <= null { 0.0 } else { table.log_ratio(null, alternative) }
}

/// A bet on fewer bad cells than the edge of what has to be ruled out.
fn against(table: &Table, edge: f64, alternative: f64) -> f64 {
    let edge = edge.min(LOG_ODDS_MAX);
    if alternative >= edge { 0.0 } else { table.log_ratio(edge, alternative) }
}
