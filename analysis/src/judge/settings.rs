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
            tolerate: Margin { ratio: 1.25, difference: 0.000_5 },
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
}

impl Default for Calibration {
    /// Without any history: differences and batches as they are usual.
    fn default() -> Self {
        Self { pod_sd: 0.3, batch_mean: 2.5 }
    }
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
