//! The form of recorded windows: JSON lines. The first line is a [`Head`], the judge's settings;
//! each further one is a [`Line`], one window, or a cluster that is through with its steps.
//!
//! Fields are only ever added; what an older reader must not pass over gets a new version.
//!
//! A recording is exact: numbers of more than fifteen digits stand as text, because readers of
//! JSON may round them, and what had been shown before it begins is in its first line.

mod exact;
mod head;
mod line;

use chrono::TimeDelta;

pub use head::{CalibrationLine, Head, MarginLine, MetricLine};
pub use line::{CellLine, CountsLine, Line, WindowLine};

/// What the first line says that it is.
pub const FORMAT: &str = "lockflight-recording";

/// The version that this program writes and reads.
pub const VERSION: u32 = 1;

/// The longest window: a year, in seconds, so that no arithmetic of times overflows.
const SECONDS_MAX: f64 = 31_536_000.0;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecordingError {
    /// It is no recording.
    #[error("format is {0:?}, not {FORMAT:?}: this is no recording of Lockflight")]
    Format(String),
    /// A newer program wrote it.
    #[error("version is {0}, and this program reads {VERSION}: use a newer kubectl-lockflight")]
    Version(u32),
    /// A value is out of its range.
    #[error("{field} is {found}; give {allowed}")]
    Range {
        /// Name of the field.
        field: String,
        /// What it holds.
        found: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// A window without counts, or with two kinds of them.
    #[error("a window has either cells, or both canary and stable; this one of {0} has not")]
    Counts(String),
    /// The evidence that it begins with cannot be read.
    #[error("evidence of the first line cannot be read: {0}")]
    Evidence(String),
    /// Rounds go back.
    #[error("round is {found} after round {before}; put the lines in the order of their rounds")]
    Order {
        /// This line's round.
        found: u64,
        /// The round before.
        before: u64,
    },
}

fn ranged(
    field: impl Into<String>,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
    allowed: &'static str,
) -> Result<f64, RecordingError> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(RecordingError::Range { field: field.into(), found: value.to_string(), allowed })
}

fn bounded(
    field: &str,
    found: usize,
    max: usize,
    allowed: &'static str,
) -> Result<(), RecordingError> {
    if (1..=max).contains(&found) {
        return Ok(());
    }
    Err(RecordingError::Range { field: field.to_owned(), found: found.to_string(), allowed })
}

fn seconds(span: TimeDelta) -> f64 {
    span.as_seconds_f64()
}

fn length(field: &str, seconds: f64) -> Result<TimeDelta, RecordingError> {
    let seconds = ranged(field, seconds, 0.001..=SECONDS_MAX, "seconds, from 0.001 to a year")?;
    #[expect(clippy::cast_possible_truncation, reason = "at most a year of milliseconds")]
    let ms = (seconds * 1000.0).round() as i64;
    Ok(TimeDelta::milliseconds(ms))
}
