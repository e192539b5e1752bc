//! What stable has shown so far: the predictable part of every bet.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::odds::sound_share;

/// Time in which the past loses half of its weight: a service at noon is not the one at night.
const HALF_LIFE: TimeDelta = TimeDelta::minutes(12);

/// From so many bad events on, within the half-life, stable's share is known: to a third or so.
const BAD_KNOWN: f64 = 10.0;

/// Stable's sums over past windows, older ones weighing less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    /// Up to when, in ms since 1970.
    pub(super) at_ms: i64,
    /// Bad events and events.
    pub(super) bad: f64,
    pub(super) events: f64,
    /// Cells; those with any bad event.
    pub(super) cells: f64,
    pub(super) bad_cells: f64,
}

/// What a window adds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Added {
    pub(super) bad: f64,
    pub(super) events: f64,
    pub(super) cells: f64,
    pub(super) bad_cells: f64,
}

impl Past {
    /// Stable's bad share: `(K+0.5)/(N+500)`.
    pub(super) fn share(&self) -> f64 {
        (self.bad + 0.5) / (self.events + 500.0)
    }

    /// Whether stable has failed often enough for its share to be known.
    pub(super) fn is_known(&self) -> bool {
        self.bad >= BAD_KNOWN
    }

    /// Share of stable cells with any bad event; before any is known 0.2 of 4 are assumed.
    pub(super) fn bad_cells(&self) -> f64 {
        sound_share((self.bad_cells + 0.2) / (self.cells + 4.0))
    }

    pub(super) fn is_sound(&self) -> bool {
        let Self { at_ms: _, bad, events, cells, bad_cells } = self;
        [bad, events, cells, bad_cells].iter().all(|sum| sum.is_finite() && **sum >= 0.0)
    }

    /// End of the last window that was taken in.
    pub(super) fn until(&self) -> Option<DateTime<Utc>> {
        (self.at_ms > 0).then(|| DateTime::from_timestamp_millis(self.at_ms)).flatten()
    }

    /// Whether a window that ended at `at` has not been taken in yet: each counts once.
    pub(super) fn is_before(&self, at: DateTime<Utc>) -> bool {
        self.at_ms < at.timestamp_millis()
    }

    /// Takes in a window that ended at `at`.
    pub(super) fn add(&mut self, at: DateTime<Utc>, added: Added) {
        let at_ms = at.timestamp_millis();
        #[expect(clippy::cast_precision_loss, reason = "spans stay far below 2^53 ms")]
        let passed = at_ms.saturating_sub(self.at_ms).max(0) as f64;
        #[expect(clippy::cast_precision_loss, reason = "a constant of minutes")]
        let kept = 0.5_f64.powf(passed / HALF_LIFE.num_milliseconds() as f64);
        let Added { bad, events, cells, bad_cells } = added;
        self.at_ms = at_ms.max(self.at_ms);
        self.bad = self.bad * kept + bad;
        self.events = self.events * kept + events;
        self.cells = self.cells * kept + cells;
        self.bad_cells = self.bad_cells * kept + bad_cells;
    }
}
