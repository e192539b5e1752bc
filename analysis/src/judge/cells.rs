//! The cell engine: bad cells of canary pods against those of stable pods in the same window.
//!
//! A cell is a pod in a window; it is bad when it has any bad event (one bar), or many (another).
//! Counting cells instead of events makes batches within a pod harmless, and conditioning on
//! their number those that both arms share.

use super::hypergeometric::Table;
use super::increments::{ALTERNATIVES, Increments, NULL_DEFAULT, float};
use super::odds::{log_odds_ratio, sound_share};
use super::past::{Added, Past};
use super::settings::{Calibration, Margins};
use super::window::{Arm, Cell};

/// Largest log odds ratio that is bet on, and the least distance of a bet from the null.
const LOG_ODDS_MAX: f64 = 7.9;
const LOG_ODDS_STEP: f64 = 0.1;

/// The one-sided 90 % point of the standard normal law: lasting differences of pods are allowed
/// for up to there.
const PODS_QUANTILE: f64 = 1.28;

/// A window as tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables {
    /// Cells with any bad event, at the same bar in both arms.
    any: Table,
    /// Cells with many bad events; the canary's bar is higher by what is tolerated.
    many: Table,
    /// The same at the same bar in both arms, for the promote side.
    many_plain: Table,
    /// Load of a canary pod over load of a stable pod; none where a pod of neither arm had any.
    load_ratio: Option<f64>,
    /// Tolerated ratio, lasting differences of pods allowed for.
    tolerated: f64,
}

impl Tables {
    pub(super) fn count(
        cells: &[Cell],
        past: &Past,
        margins: &Margins,
        calibration: &Calibration,
    ) -> Self {
        let canary = cells.iter().filter(|cell| cell.arm == Arm::Canary).count();
        let stable = cells.len() - canary;
        let events = |arm: Arm| {
            let cells = cells.iter().filter(|cell| cell.arm == arm);
            cells.map(|cell| float(cell.events)).sum::<f64>()
        };
        let load_ratio = (canary > 0 && stable > 0)
            .then(|| (events(Arm::Canary) / size(canary)) / (events(Arm::Stable) / size(stable)))
            .filter(|ratio| ratio.is_finite() && *ratio > 0.0);
        let spread = (1.0 / size(canary.max(1)) + 1.0 / size(stable.max(1))).sqrt();
        let tolerated =
            margins.tolerate.ratio * (PODS_QUANTILE * calibration.pod_sd.max(0.0) * spread).exp();
        let load = load_ratio.unwrap_or(1.0);
        let mean = past.mean_per_cell();
        // About the 85 % point of a stable cell.
        let bar = (mean + 1.1 * (2.0 * mean).sqrt()).ceil().max(2.0);
        let table = |canary_bar: f64, stable_bar: f64| {
            let mut table = Table { cells: 0, canary: 0, bad: 0, canary_bad: 0 };
            for cell in cells {
                let own = cell.arm == Arm::Canary;
                let is_bad = float(cell.bad) >= if own { canary_bar } else { stable_bar };
                table.cells += 1;
                table.canary += u32::from(own);
                table.bad += u32::from(is_bad);
                table.canary_bad += u32::from(own && is_bad);
            }
            table
        };
        Self {
            any: table(1.0, 1.0),
            many: table((tolerated * load * bar).ceil(), bar),
            many_plain: table(bar, bar),
            load_ratio,
            tolerated,
        }
    }

    /// What stable's cells add to the past.
    pub(super) fn added(&self) -> Added {
        let stable_bad = |table: &Table| f64::from(table.bad - table.canary_bad);
        Added {
            cells: f64::from(self.any.cells - self.any.canary),
            bad_cells: stable_bad(&self.any),
            worse_cells: stable_bad(&self.many),
            ..Added::default()
        }
    }
}

/// What the tables say. The difference and the absolute parts are others' business.
pub(super) fn increments(tables: &Tables, past: &Past, margins: &Margins) -> Increments {
    let mut increments = Increments::default();
    let Some(load) = tables.load_ratio else { return increments };
    let tolerated = tables.tolerated;
    let observed = |table: &Table| f64::from(table.bad) / f64::from(table.cells.max(1));
    let any_share = sound_share(past.bad_cells().max(observed(&tables.any)));
    let many_share = sound_share(past.worse_cells().max(observed(&tables.many)));
    let (any, many) = increments.ratio.split_at_mut(ALTERNATIVES.len());
    for ((any, many), alternative) in any.iter_mut().zip(many).zip(ALTERNATIVES) {
        let ratio = alternative * tolerated / NULL_DEFAULT;
        let null = log_odds_ratio(tolerated * load, any_share);
        *any = bet(&tables.any, null, log_odds_ratio(ratio * load, any_share));
        if load >= 1.0 {
            *many = bet(&tables.many, 0.0, log_odds_ratio(ratio / tolerated, many_share));
        }
    }
    let worst = margins.rule_out.ratio * load;
    let edge = if worst >= 1.0 { worst.ln() } else { log_odds_ratio(worst, any_share) };
    let [any, many, ..] = &mut increments.promote;
    *any = against(&tables.any, edge, log_odds_ratio(load, any_share));
    if load >= 1.0 {
        let share = sound_share(past.worse_cells().max(observed(&tables.many_plain)));
        *many = against(&tables.many_plain, edge, log_odds_ratio(load, share));
    }
    increments
}

/// A bet on more bad cells than the null's edge allows; none where none can be made.
fn bet(table: &Table, null: f64, alternative: f64) -> f64 {
    let alternative = alternative.max(null + LOG_ODDS_STEP).min(LOG_ODDS_MAX);
    if alternative <= null { 0.0 } else { table.log_ratio(null, alternative) }
}

/// A bet on fewer bad cells than the edge of what has to be ruled out.
fn against(table: &Table, edge: f64, alternative: f64) -> f64 {
    if alternative >= edge { 0.0 } else { table.log_ratio(edge.min(LOG_ODDS_MAX), alternative) }
}

#[expect(clippy::cast_precision_loss, reason = "pods are few")]
fn size(count: usize) -> f64 {
    count as f64
}
