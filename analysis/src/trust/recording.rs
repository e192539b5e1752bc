//! The form of recorded windows: JSON lines. The first line is a [`Head`], the judge's settings;
//! each further one is a [`Line`], one window, or a cluster that is through with its steps.
//!
//! Fields are only ever added; what an older reader must not pass over gets a new version.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::judge::{
    Arm, ArmCounts, Calibration, Cell, ClusterName, Counts, Judge, Margin, Margins, MetricName,
    MetricPlan, Observation, Window,
};

/// What the first line says that it is.
pub const FORMAT: &str = "lockflight-recording";

/// The version that this program writes and reads.
pub const VERSION: u32 = 1;

/// A cluster's and a metric's lists are bounded as those of a Rollout are.
const CLUSTERS_MAX: usize = 500;
const METRICS_MAX: usize = 64;

/// The longest window: a year, in seconds, so that no arithmetic of times overflows.
const SECONDS_MAX: f64 = 31_536_000.0;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// Which attempt of the revision it is, from 1: each further one has a higher bar.
    #[serde(default = "first")]
    pub attempt: u32,
    /// Chance that a release as good as stable is taken back, above 0 and below 1.
    pub false_abort: f64,
    /// Chance that a release worse by `ruleOut` passes, above 0 and below 1.
    pub missed: f64,
    /// The longest disturbance of a cluster that must not decide alone, in seconds.
    pub episode_seconds: f64,
    /// The clusters of the plan.
    pub clusters: Vec<String>,
    /// The comparison metrics.
    pub metrics: Vec<MetricLine>,
    /// What stable has shown against itself; the usual where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibrations: Vec<CalibrationLine>,
}

/// A metric in the first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricLine {
    /// Its name.
    pub name: String,
    /// Its part of the chance of a false abort, from 0 to 1.
    pub weight: f64,
    /// Whether a promotion waits for it.
    pub promotes: bool,
    /// Within it the canary is not worse.
    pub tolerate: MarginLine,
    /// What is ruled out before promotion.
    pub rule_out: MarginLine,
    /// Streams: 1 for counters, one per edge for a histogram.
    #[serde(default = "one")]
    pub streams: usize,
}

/// A margin in the first line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MarginLine {
    /// Multiple of stable's bad share, from 1.
    pub ratio: f64,
    /// Bad share above stable's, from 0 to 1.
    pub difference: f64,
}

/// A calibration in the first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalibrationLine {
    /// The metric.
    pub metric: String,
    /// The cluster.
    pub cluster: String,
    /// Standard deviation of lasting differences of pods, of the logarithm of their rates.
    pub pod_sd: f64,
    /// Mean size of a batch of bad events, from 1.
    pub batch_mean: f64,
    /// Its upper bound.
    pub batch_mean_upper: f64,
}

/// A line after the first: a window, or the end of a cluster's steps.
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

fn first() -> u32 {
    1
}

fn one() -> usize {
    1
}

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

impl MarginLine {
    fn read(self, field: &str) -> Result<Margin, RecordingError> {
        let ratio = ranged(format!("{field}.ratio"), self.ratio, 1.0..=1e6, "a number from 1")?;
        let difference =
            ranged(format!("{field}.difference"), self.difference, 0.0..=1.0, "0 to 1")?;
        Ok(Margin { ratio, difference })
    }
}

impl From<Margin> for MarginLine {
    fn from(margin: Margin) -> Self {
        Self { ratio: margin.ratio, difference: margin.difference }
    }
}

impl Head {
    /// The first line of a recording of this judge's rounds.
    #[must_use]
    pub fn of(
        judge: &Judge,
        attempt: u32,
        calibrations: &BTreeMap<(MetricName, ClusterName), Calibration>,
    ) -> Self {
        let metrics = judge.metrics.iter().map(|plan| MetricLine {
            name: plan.name.to_string(),
            weight: plan.weight,
            promotes: plan.promotes,
            tolerate: plan.margins.tolerate.into(),
            rule_out: plan.margins.rule_out.into(),
            streams: plan.streams,
        });
        let calibrations = calibrations.iter().map(|((metric, cluster), found)| CalibrationLine {
            metric: metric.to_string(),
            cluster: cluster.to_string(),
            pod_sd: found.pod_sd,
            batch_mean: found.batch_mean,
            batch_mean_upper: found.batch_mean_upper,
        });
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            attempt,
            false_abort: judge.false_abort,
            missed: judge.missed,
            episode_seconds: seconds(judge.episode),
            clusters: judge.clusters.iter().map(ToString::to_string).collect(),
            metrics: metrics.collect(),
            calibrations: calibrations.collect(),
        }
    }

    /// The judge that the first line describes.
    pub fn judge(&self) -> Result<Judge, RecordingError> {
        const CHANCE: &str = "a chance from 0.000001 to 0.5";
        if self.format != FORMAT {
            return Err(RecordingError::Format(self.format.clone()));
        }
        if self.version != VERSION {
            return Err(RecordingError::Version(self.version));
        }
        bounded("clusters", self.clusters.len(), CLUSTERS_MAX, "1 to 500 of them")?;
        bounded("metrics", self.metrics.len(), METRICS_MAX, "1 to 64 of them")?;
        let metrics = self.metrics.iter().map(|metric| {
            let field = |part: &str| format!("metric {}, {part}", metric.name);
            bounded(&field("streams"), metric.streams, 64, "1 to 64")?;
            Ok(MetricPlan {
                name: metric.name.as_str().into(),
                weight: ranged(field("weight"), metric.weight, 0.0..=1.0, "0 to 1")?,
                promotes: metric.promotes,
                margins: Margins {
                    tolerate: metric.tolerate.read(&field("tolerate"))?,
                    rule_out: metric.rule_out.read(&field("ruleOut"))?,
                },
                streams: metric.streams,
            })
        });
        Ok(Judge {
            metrics: metrics.collect::<Result<_, RecordingError>>()?,
            clusters: self.clusters.iter().map(|name| name.as_str().into()).collect(),
            false_abort: ranged("falseAbort", self.false_abort, 1e-6..=0.5, CHANCE)?,
            missed: ranged("missed", self.missed, 1e-6..=0.5, CHANCE)?,
            episode: length("episodeSeconds", self.episode_seconds)?,
        })
    }

    /// What stable has shown against itself.
    pub(super) fn calibrations(&self) -> BTreeMap<(MetricName, ClusterName), Calibration> {
        let found = self.calibrations.iter().map(|line| {
            let calibration = Calibration {
                pod_sd: line.pod_sd,
                batch_mean: line.batch_mean,
                batch_mean_upper: line.batch_mean_upper,
            };
            ((line.metric.as_str().into(), line.cluster.as_str().into()), calibration)
        });
        found.collect()
    }
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
