//! A cluster under way.

use serde::{Deserialize, Serialize};

use super::episode::{Allowance, Episode};
use super::increments::Increments;
use super::past::Past;
use super::processes::{Processes, Time};
use super::window::{ArmCounts, Window};

/// What is kept of a stream in a cluster under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Live {
    pub(super) time: Time,
    pub(super) past: Past,
    pub(super) processes: Processes,
    pub(super) episode: Episode,
    /// `s²` of the last window (see [`super::pods`]); none where that told nothing.
    pub(super) pods_variance: Option<f32>,
    pub(super) canary: Totals,
    pub(super) stable: Totals,
}

/// Events since the attempt began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) bad: u64,
    pub(super) events: u64,
}

impl Totals {
    fn add(&mut self, counts: ArmCounts) {
        self.bad = self.bad.saturating_add(counts.bad.min(counts.events));
        self.events = self.events.saturating_add(counts.events);
    }
}

impl Live {
    /// A cluster of which only the past is known.
    pub(super) fn carrying(past: Past) -> Self {
        Self { past, ..Self::default() }
    }

    pub(super) fn is_sound(&self) -> bool {
        let variance = self.pods_variance.unwrap_or_default();
        self.processes.is_sound() && self.past.is_sound() && variance >= 0.0 && variance.is_finite()
    }

    /// `ln E` of the ratio and of the difference.
    pub(super) fn log_evidence(&self) -> (f64, f64) {
        self.processes.log_evidence(self.time)
    }

    /// Takes in a window; `increments` is left with what of it counts.
    pub(super) fn take(
        &mut self,
        window: &Window,
        increments: &mut Increments,
        allowance: Allowance,
    ) {
        self.episode.cap(window.ends_at.timestamp_millis(), allowance, increments.gains());
        let weight = self.time.pass(window);
        self.processes.step(weight, &increments.ratio, &increments.difference);
        let (canary, stable) = window.arms();
        self.canary.add(canary);
        self.stable.add(stable);
    }
}
