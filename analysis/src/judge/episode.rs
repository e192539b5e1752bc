//! A disturbance that lasts longer than a window is one event, not many: what a component may
//! gain within a sliding episode of one cluster is capped.
//!
//! A cap on what is won keeps an e-value one. The gains are remembered in steps of 0.02 nats,
//! rounded up, so that the state of a cluster stays small and the cap errs to the safe side.

use serde::{Deserialize, Serialize};

use super::increments::{DIFFERENCE, RATIO};

/// The most that one component may gain within an episode in one cluster: half of ln 100, so
/// that no single disturbance decides alone.
const GAIN_MAX: f64 = 2.3;

/// What one unit of a remembered gain is, in nats.
const UNIT: f64 = 0.02;

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

impl Episode {
    /// Caps what a window that ended at `ends_ms` gains, and remembers it.
    pub(super) fn cap<'g>(
        &mut self,
        ends_ms: i64,
        span_ms: i64,
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
            *gain = gain.min((GAIN_MAX - f64::from(before) * UNIT).max(0.0));
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
