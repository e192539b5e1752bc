//! What a person wants to know before they press: what has been measured, and what comes next.

use chrono::{DateTime, Utc};
use lockflight_crds::VerdictState;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{forecast::PlanView, standing::EvidenceView};

/// What has been measured of a Rollout so far, in all its clusters.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidencePage {
    /// Gates that wait for a person.
    pub gates: Vec<GateView>,
    /// The comparisons of both revisions; their logarithms are null where they are infinite.
    pub standing: Option<EvidenceView>,
    /// The newest measurement of each threshold in each cluster; only the hub knows them.
    pub thresholds: Vec<ThresholdView>,
    /// Why there are no comparisons to show, if so.
    pub missing: Option<String>,
}

/// A gate that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateView {
    /// What opens it.
    pub token: String,
    /// When this process first saw it wait.
    pub since: DateTime<Utc>,
    /// Whether it was already waiting then.
    pub perhaps_longer: bool,
}

/// The newest measurement of a threshold in a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdView {
    /// The cluster.
    pub cluster: String,
    /// Name of the metric, with that of its template.
    pub metric: String,
    /// Whether nothing follows from it.
    pub informs: bool,
    /// The number; none where there was no usable one.
    pub value: Option<f64>,
    /// What is allowed, in words.
    pub limit: String,
    /// The verdict in one word.
    pub verdict: VerdictState,
    /// The verdict in a sentence.
    pub message: String,
    /// When it was measured.
    pub at: DateTime<Utc>,
}

/// The Plan screen: what a Rollout will do and what its gates can see.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanPage {
    /// The plan; none where there are problems.
    pub plan: Option<PlanView>,
    /// Whether the gates decide by how much traffic there is: then forecasts need it.
    pub needs_traffic: bool,
    /// The cluster whose gates have counted the traffic of the forecasts; none where it was told.
    pub counted_in: Option<String>,
    /// What keeps the plan from being made.
    pub problems: Vec<String>,
    /// The Rollout as a manifest, to change and to plan; none for whoever is not known, and where
    /// the plan is that of a manifest already.
    pub manifest: Option<String>,
}
