//! The evidence of a gate over time, column by column as charts want it.

use schemars::JsonSchema;
use serde::Serialize;

/// The Analysis screen of one cluster of a Rollout.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisPage {
    /// Namespace of the Rollout.
    pub namespace: String,
    /// Name of the Rollout.
    pub rollout: String,
    /// The cluster.
    pub cluster: String,
    /// Clusters of the Rollout that have shown evidence.
    pub clusters: Vec<String>,
    /// Whether the points are all that there are, or only those that are new.
    pub whole: bool,
    /// One series per metric.
    pub series: Vec<SeriesView>,
}

/// One metric in one cluster. All columns have the same length.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesView {
    /// Name of the metric.
    pub metric: String,
    /// Attempt that the points belong to.
    pub attempt: i64,
    /// What is asked of the source, as far as it is known.
    pub query: Option<String>,
    /// The last verdict in one word.
    pub verdict: String,
    /// The last verdict in a sentence.
    pub message: String,
    /// Points that were dropped because the ring is full.
    pub dropped: u64,
    /// Milliseconds since 1970.
    pub at_ms: Vec<i64>,
    /// Step of the rollout in this cluster, from 1.
    pub step: Vec<u32>,
    /// Bad events of the new revision so far.
    pub canary_bad: Vec<f64>,
    /// All events of the new revision so far.
    pub canary_total: Vec<f64>,
    /// Bad events of the stable revision so far.
    pub stable_bad: Vec<f64>,
    /// All events of the stable revision so far.
    pub stable_total: Vec<f64>,
    /// Natural logarithm of the evidence that the new revision is worse.
    pub abort_evidence: Vec<f64>,
    /// The bar at which the release is taken back.
    pub abort_bar: Vec<f64>,
    /// Natural logarithm of the evidence that the new revision is good enough.
    pub promote_evidence: Vec<f64>,
    /// The bar at which the gate opens.
    pub promote_bar: Vec<f64>,
}
