//! From raw samples to windows, without the traps.
//!
//! [`read`] gets what a range selector returned, what the hub knows about the pods and the cursor
//! of the round before. It gives windows that the judge can count, each exactly once, and a
//! reason for everything that it left out. It never asks for `increase()` or `rate()`: those
//! extrapolate, lose the first sample of a new series, and overlap or leave gaps from window to
//! window.
//!
//! The rules (tests in `tests.rs`):
//!
//! - Deltas are taken between neighbouring samples of one series; of two samples at one time one
//!   counts, and two different values at one time are none.
//! - A value below the one before is a restart: it counts from zero. Where other counters of the
//!   same process did not fall, nobody can tell, and the cell is left out.
//! - A series that begins in a scrape after one without it counts from zero. A pod's first values
//!   do where the pod was created after the scrape before.
//! - No series of bad events is no bad event. No series of all events is no data.
//! - A window is handed out when it is behind the watermark: two scrapes, or as late as samples
//!   have lately come. What comes later than that is not counted.
//! - A pod's cell counts with samples at both edges of the window, warm, not ending, and not
//!   counted before; a window counts with cells of both arms.
//! - A scrape that is missing although its pod is Ready is a bad cell of the scrape health.
//! - Of several that scrape the same target one counts.
//! - A gauge's value in a window is the mean over its scrapes; a cell is bad above a level that
//!   was fixed before the window ([`Level`]).
//!
//! Work and memory are bounded: [`SERIES_MAX`], [`SAMPLES_MAX`], [`WINDOWS_MAX`].

mod answer;
mod arms;
mod cells;
mod collect;
mod cursor;
mod frame;
mod gauge;
mod grid;
mod health;
mod latency;
mod naming;
mod native;
mod reason;
mod round;
mod settings;
mod span;
mod target;
mod track;
mod traffic;

pub use answer::{Answer, Answers, HistogramSample, RawSeries};
pub use collect::{SAMPLES_MAX, SERIES_MAX};
pub use cursor::Cursor;
pub use frame::WINDOWS_MAX;
pub use gauge::Level;
pub use latency::{Edge, Edges, HistogramForm};
pub use naming::arm_named;
pub use native::{NativeBucket, NativeHistogram};
pub use reason::{Gap, LeftOut, Notes};
pub use round::{Read, Round, StreamWindow, read};
pub use settings::{OBSERVER_LABELS, PodFacts, Pods, Settings, Split};

use crate::judge::Arm;

/// Lanes alternate between the arms: what is counted is told apart from whose it is, and sources
/// that know arms only by a label have both in one target.
fn lane(arm: Arm, what: usize) -> usize {
    what * 2 + usize::from(arm == Arm::Stable)
}

/// Whether a lane is that of all events.
fn counts_all(lane: usize) -> bool {
    lane < 2
}

#[cfg(test)]
mod tests;
