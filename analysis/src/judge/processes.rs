//! The processes of the abort side, one per component, and the time they run on.

use serde::{Deserialize, Serialize};

use super::change_point::{self, Process};
use super::increments::{DIFFERENCE, RATIO, WEIGHTS};
use super::window::Window;

/// Time in window lengths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Time {
    pub(super) begun_ms: i64,
    pub(super) windows: u32,
}

impl Time {
    /// Moves on to the end of a window; the weight of the moments that have passed.
    pub(super) fn pass(&mut self, window: &Window) -> f64 {
        let ends_ms = window.ends_at.timestamp_millis();
        let length_ms = window.length.num_milliseconds().max(1);
        if self.windows == 0 {
            self.begun_ms = ends_ms.saturating_sub(length_ms);
        }
        let before = self.windows;
        let passed = ends_ms.saturating_sub(self.begun_ms) / length_ms;
        self.windows = u32::try_from(passed.max(1)).unwrap_or(u32::MAX).max(before);
        change_point::weight(before, self.windows)
    }
}

/// The processes of the abort side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Processes {
    pub(super) ratio: [Process; RATIO],
    pub(super) difference: [Process; DIFFERENCE],
}

impl Processes {
    pub(super) fn step(
        &mut self,
        weight: f64,
        ratio: &[f64; RATIO],
        difference: &[f64; DIFFERENCE],
    ) {
        for (process, increment) in self.ratio.iter_mut().zip(ratio) {
            process.step(weight, *increment);
        }
        for (process, increment) in self.difference.iter_mut().zip(difference) {
            process.step(weight, *increment);
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.ratio.iter().chain(&self.difference).copied().all(Process::is_sound)
    }

    /// `ln E` of the ratio and of the difference: each the weighted mean over its components.
    pub(super) fn log_evidence(&self, time: Time) -> (f64, f64) {
        let left = change_point::left(time.windows);
        let mean = |processes: &[Process; RATIO]| {
            let logs = processes.iter().map(|process| process.log_evidence(left));
            let weighted = logs.zip(WEIGHTS).map(|(log, weight)| log + weight.ln());
            weighted.fold(f64::NEG_INFINITY, change_point::log_add)
        };
        (mean(&self.ratio), mean(&self.difference))
    }
}
