//! A disturbance that lasts longer than a window is one event, not many: what a component may
//! gain within a sliding episode of one cluster is capped.
//!
//! How large such events are, stable has shown: the mean batch of its bad events is taken from two
//! minutes of pods against each other, so that lasting trouble of a pod counts in. Where bad events
//! come alone there was no such trouble, and more may be gained; where they come in larger batches
//! than usual an episode lasts longer. (One cap for all cost A ideal 23.3 bad requests at five times
//! the errors, with this rule about 20, and took 21 of 1,500 equal releases of B back under held-out
//! noise, with it about 8.)
//!
//! A cap on what is won keeps an e-value one. The gains are remembered in steps of 0.03 nats,
//! rounded up, so that the state of a cluster stays small and the cap errs to the safe side.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::increments::{DIFFERENCE, RATIO};

/// The most that one component may gain within an episode in one cluster where batches are as
/// usual: half of ln 100, so that no single disturbance decides alone.
const GAIN_USUAL: f64 = 2.3;

/// The mean batch for which it is meant.
const BATCHES_USUAL: f64 = 2.5;

/// Where bad events come alone more may be gained: so many times as much (3.45 nats, which the
/// memory of gains has room for), and of the bar so much at most: all components may gain it at
/// once, and even then they must not reach the bar.
const GAIN_FACTOR_MAX: f64 = 1.5;
const BAR_PART_MAX: f64 = 0.96;

/// So many times as long an episode lasts at most where batches are large.
const SPAN_FACTOR_MAX: f64 = 2.0;

/// What one unit of a remembered gain is, in nats.
const UNIT: f64 = 0.03;

/// Windows shorter than this part of an episode are remembered together.
const PARTS: i64 = 6;

/// Components under the cap: the cluster's own ratio, its part of the fleet's, the difference.
pub(super) const CAPPED: usize = RATIO + RATIO + DIFFERENCE;

/// What the windows of the current episode have gained.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Episode(pub(super) Vec<Gains>);

/// What some windows, from the end of the first to that of the last, have gained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Gains {
    pub(super) first_ms: i64,
    pub(super) rest_ms: u32,
    pub(super) units: [i8; CAPPED],
}

impl Gains {
    fn last_ms(&self) -> i64 {
        self.first_ms.saturating_add(i64::from(self.rest_ms))
    }
}

/// What a component may gain in how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowance {
    /// In nats.
    gain: f64,
    span_ms: i64,
}

impl Allowance {
    /// Where batches have this mean and an abort needs so many nats. `episode` is what the rollout
    /// asks for; it is never shorter than a window.
    pub(super) fn of(episode: TimeDelta, window: TimeDelta, batch_mean: f64, bar_ln: f64) -> Self {
        let more = (BATCHES_USUAL / batch_mean).clamp(1.0, GAIN_FACTOR_MAX);
        let gain = (GAIN_USUAL * more).min(BAR_PART_MAX * bar_ln);
        let longer = (batch_mean / BATCHES_USUAL).clamp(1.0, SPAN_FACTOR_MAX);
        let span_ms = times(episode.num_milliseconds(), longer);
        Self { gain, span_ms: span_ms.max(window.num_milliseconds()) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as saturates")]
#[expect(clippy::cast_precision_loss, reason = "an episode is far below 2^53 ms")]
fn times(ms: i64, factor: f64) -> i64 {
    (ms as f64 * factor) as i64
}

impl Episode {
    /// Caps what a window that ended at `ends_ms` gains, and remembers it.
    pub(super) fn cap<'g>(
        &mut self,
        ends_ms: i64,
        Allowance { gain: most, span_ms }: Allowance,
        gains: impl Iterator<Item = &'g mut f64>,
    ) {
        self.0.retain(|past| ends_ms.saturating_sub(past.last_ms()) < span_ms);
        let joins = self.0.last().is_some_and(|last| {
            ends_ms.saturating_sub(last.first_ms) < (span_ms / PARTS).min(i64::from(u32::MAX))
        });
        if !joins {
            self.0.push(Gains { first_ms: ends_ms, rest_ms: 0, units: [0; CAPPED] });
        }
        for (index, gain) in gains.enumerate() {
            let units = |past: &Gains| past.units.get(index).copied().unwrap_or(0);
            let before: i32 = self.0.iter().map(|past| i32::from(units(past))).sum();
            *gain = gain.min((most - f64::from(before) * UNIT).max(0.0));
            if let Some(units) = self.0.last_mut().and_then(|last| last.units.get_mut(index)) {
                *units = units.saturating_add(rounded_up(*gain));
            }
        }
        if let Some(last) = self.0.last_mut() {
            last.rest_ms = u32::try_from(ends_ms.saturating_sub(last.first_ms)).unwrap_or(0);
        }
    }
}

/// A loss beyond the range counts as a smaller loss: then less may be won later.
#[expect(clippy::cast_possible_truncation, reason = "as saturates, which errs to the safe side")]
fn rounded_up(gain: f64) -> i8 {
    (gain / UNIT).ceil() as i8
}
