//! The lines after the first.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{CalibrationLine, RecordingError, length, seconds};
use crate::judge::{Arm, ArmCounts, Cell, Counts, Observation, Window};

/// A line after the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A window.
    Window(WindowLine),
    /// A cluster is through with its steps: its evidence is fixed.
    Finished {
        /// The cluster.
        finished: String,
    },
    /// What stable has shown against itself, learned while the attempt went on. The first word
    /// on a metric and cluster counts.
    Calibrated {
        /// What it was.
        calibrated: CalibrationLine,
    },
}

/// One window. It has either `cells` or both of `canary` and `stable`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowLine {
    /// Windows that were judged together have the same number; it never goes down.
    pub round: u64,
    /// The metric.
    pub metric: String,
    /// The stream.
    #[serde(default)]
    pub stream: usize,
    /// The cluster.
    pub cluster: String,
    /// When the window ended.
    pub ends_at: DateTime<Utc>,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// Per pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<Vec<CellLine>>,
    /// Sums of the canary, from a source that does not tell pods apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CountsLine>,
    /// Sums of stable, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<CountsLine>,
}

/// A pod in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellLine {
    /// Whether it belongs to the canary.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
    /// Its name.
    pub pod: String,
    /// Bad events.
    pub bad: u64,
    /// All events.
    pub events: u64,
}

/// Sums of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountsLine {
    /// Bad events.
    pub bad: u64,
    /// All events.
    pub events: u64,
}

impl WindowLine {
    /// The line of a window that was judged in a round.
    #[must_use]
    pub fn of(round: u64, observation: &Observation) -> Self {
        let window = &observation.window;
        let sums = |arm: ArmCounts| Some(CountsLine { bad: arm.bad, events: arm.events });
        let (cells, canary, stable) = match &window.counts {
            Counts::Arms { canary, stable } => (None, sums(*canary), sums(*stable)),
            Counts::Cells(cells) => {
                let cells = cells.iter().map(|cell| CellLine {
                    canary: cell.arm == Arm::Canary,
                    pod: cell.pod.to_string(),
                    bad: cell.bad,
                    events: cell.events,
                });
                (Some(cells.collect()), None, None)
            }
        };
        Self {
            round,
            metric: observation.metric.to_string(),
            stream: observation.stream,
            cluster: observation.cluster.to_string(),
            ends_at: window.ends_at,
            seconds: seconds(window.length),
            cells,
            canary,
            stable,
        }
    }

    /// The window.
    pub fn observation(self) -> Result<Observation, RecordingError> {
        let sums = |arm: CountsLine| ArmCounts { bad: arm.bad, events: arm.events };
        let counts = match (self.cells, self.canary, self.stable) {
            (Some(cells), None, None) => Counts::Cells(cells.into_iter().map(cell).collect()),
            (None, Some(canary), Some(stable)) => {
                Counts::Arms { canary: sums(canary), stable: sums(stable) }
            }
            _ => return Err(RecordingError::Counts(self.metric)),
        };
        let length = length("seconds", self.seconds)?;
        Ok(Observation {
            metric: self.metric.into(),
            stream: self.stream,
            cluster: self.cluster.into(),
            window: Window { ends_at: self.ends_at, length, counts },
        })
    }
}

fn cell(line: CellLine) -> Cell {
    let arm = if line.canary { Arm::Canary } else { Arm::Stable };
    Cell { arm, pod: line.pod.into(), bad: line.bad, events: line.events }
}
