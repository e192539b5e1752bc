//! The evidence of a gate over time, column by column as charts want it.

use lockflight_crds::VerdictState;
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

/// How a series is judged; in the order in which they are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum SeriesKind {
    /// All comparisons together: it is their sum that takes a release back.
    Together,
    /// One metric of the new revision against the stable one.
    #[default]
    Comparison,
    /// A number against a condition.
    Threshold,
}

/// One metric in one cluster. All columns have the same length, but those that a series of its
/// kind does not have: they are empty.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesView {
    /// Name of the metric, with that of its template.
    pub metric: String,
    /// How it is judged.
    pub kind: SeriesKind,
    /// Whether nothing follows from it.
    pub informs: bool,
    /// Attempt that the points belong to.
    pub attempt: i64,
    /// What is asked of the source, as far as it is known.
    pub query: Option<String>,
    /// What is allowed, in words; empty where the bars say it.
    pub limit: String,
    /// Numbers that a threshold compares with.
    pub bounds: Vec<f64>,
    /// The last verdict in one word.
    pub verdict: VerdictState,
    /// The last verdict in a sentence.
    pub message: String,
    /// Points that were dropped because the ring is full.
    pub dropped: u64,
    /// Milliseconds since 1970.
    pub at_ms: Vec<i64>,
    /// Step of the rollout in this cluster, from 1.
    pub step: Vec<u32>,
    /// The verdict at that moment.
    pub verdicts: Vec<VerdictState>,
    /// Comparison: bad events of the new revision in this cluster, so far in the attempt.
    pub canary_bad: Vec<f64>,
    /// Comparison: all events of the new revision.
    pub canary_total: Vec<f64>,
    /// Comparison: bad events of the stable revision.
    pub stable_bad: Vec<f64>,
    /// Comparison: all events of the stable revision.
    pub stable_total: Vec<f64>,
    /// Natural logarithm of the evidence, over all clusters, that the new revision is worse.
    pub abort_evidence: Vec<Option<f64>>,
    /// The bar at which this evidence alone takes the release back.
    pub abort_bar: Vec<Option<f64>>,
    /// Natural logarithm of the evidence, over all clusters, that the new revision is good enough.
    pub promote_evidence: Vec<Option<f64>>,
    /// The bar at which the last step may end.
    pub promote_bar: Vec<Option<f64>>,
    /// Threshold: the number that was measured; none where there was no usable one.
    pub value: Vec<Option<f64>>,
}
