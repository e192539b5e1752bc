//! What a rollout asks of the judge.

use chrono::TimeDelta;

use super::window::{ClusterName, MetricName};

/// How much worse: beyond both the ratio and the difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// The canary's bad share as a multiple of stable's, from 1.
    pub ratio: f64,
    /// The canary's bad share minus stable's, from 0 to 1.
    pub difference: f64,
}

/// Both sides of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// Within it the canary is not worse, and is never taken back for it.
    pub tolerate: Margin,
    /// What has to be ruled out before promotion.
    pub rule_out: Margin,
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            tolerate: Margin { ratio: 1.25, difference: 0.000_2 },
            rule_out: Margin { ratio: 2.0, difference: 0.001 },
        }
    }
}

/// What stable shows against itself, per metric and cluster, fixed for an attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Standard deviation of lasting differences between pods, of the logarithm of their rates.
    pub pod_sd: f64,
    /// Mean size of a batch of bad events, from 1.
    pub batch_mean: f64,
    /// Upper bound of `batch_mean`: what speaks for a release from a volume of good events alone
    /// needs the worst case.
    pub batch_mean_upper: f64,
}

impl Default for Calibration {
    /// Without any history: differences and batches as they are usual.
    fn default() -> Self {
        Self { pod_sd: 0.3, batch_mean: 2.5, batch_mean_upper: 2.5 }
    }
}

/// Batches and differences beyond these are no calibration; nothing is believed from there on.
const BATCHES_MAX: f64 = 1e4;
const POD_SD_MAX: f64 = 5.0;

impl Calibration {
    /// `pod_sd` in its range; what is no number counts as the usual.
    pub(super) fn pods(&self) -> f64 {
        sound(self.pod_sd, Self::default().pod_sd, 0.0, POD_SD_MAX)
    }

    /// `batch_mean` in its range, likewise.
    pub(super) fn batches(&self) -> f64 {
        sound(self.batch_mean, Self::default().batch_mean, 1.0, BATCHES_MAX)
    }

    /// `batch_mean_upper`, at least `batch_mean`, likewise.
    pub(super) fn batches_upper(&self) -> f64 {
        let upper =
            sound(self.batch_mean_upper, Self::default().batch_mean_upper, 1.0, BATCHES_MAX);
        upper.max(self.batches())
    }
}

fn sound(number: f64, usual: f64, min: f64, max: f64) -> f64 {
    if number.is_nan() { usual } else { number.clamp(min, max) }
}

/// A comparison metric of a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricPlan {
    /// Its name.
    pub name: MetricName,
    /// Its part of the chance of a false abort; all parts sum to 1.
    pub weight: f64,
    /// Whether a promotion waits for evidence of this metric.
    pub promotes: bool,
    /// How much worse is worse.
    pub margins: Margins,
    /// Streams: 1 for counters, one per edge for a histogram.
    pub streams: usize,
}

/// More edges than any histogram is asked about.
const STREAMS_MAX: usize = 64;

impl MetricPlan {
    /// Streams, at most 64.
    pub(super) fn streams(&self) -> usize {
        self.streams.min(STREAMS_MAX)
    }
}

/// The judge of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    /// The comparison metrics.
    pub metrics: Vec<MetricPlan>,
    /// The clusters of the plan, started or not: the denominator of the mean over clusters.
    pub clusters: Vec<ClusterName>,
    /// Chance that a release as good as stable is taken back.
    pub false_abort: f64,
    /// Chance that a release worse by `rule_out` passes.
    pub missed: f64,
    /// The longest disturbance of one cluster that must not decide alone.
    pub episode: TimeDelta,
}
