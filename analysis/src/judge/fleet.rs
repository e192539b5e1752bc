//! The process that the clusters' evidence adds up in.
//!
//! It is a process of its own: it cannot be worked out from those of the clusters, whose mixtures
//! over the moment of a change are each their own.

use serde::{Deserialize, Serialize};

use super::increments::Increments;
use super::processes::{Processes, Time};
use super::window::Window;

/// What the clusters show together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Fleet {
    time: Time,
    processes: Processes,
    /// `ln E` in the release's favour; a product, for what is bad is bad from the start.
    pub(super) promote: f64,
}

impl Fleet {
    /// A fleet that has shown this much in the release's favour, and nothing against it.
    pub(super) fn carrying(promote: f64) -> Self {
        Self { promote, ..Self::default() }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.processes.is_sound() && self.promote.is_finite()
    }

    /// `ln E` of the ratio and of the difference.
    pub(super) fn log_evidence(&self) -> (f64, f64) {
        self.processes.log_evidence(self.time)
    }

    /// Takes in what a cluster's window has gained.
    pub(super) fn take(&mut self, window: &Window, increments: &Increments) {
        let weight = self.time.pass(window);
        self.processes.step(weight, &increments.fleet_ratio, &increments.difference);
        self.promote += increments.promote;
    }
}
