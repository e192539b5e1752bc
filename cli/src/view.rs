//! What a Rollout looks like to a person: versioned, and only ever added to.

mod aa;
mod build;
mod outcome;

use chrono::{DateTime, Utc};
use lockflight_crds::{Approval, AttemptPhase, MemberPhase, VerdictState, WavePhase};
use serde::Serialize;

pub use aa::{AaView, DetectionView, ShareView, TrafficView};
pub use lockflight::forecast::{
    Compared, Expected, ExpectedView, ForecastView, PlanView, PlannedStepView, PlannedWaveView,
};
pub use lockflight::standing::{ArmView, ClusterEvidence, EvidenceView, MetricEvidence, SideView};
pub use outcome::Outcome;

/// A rollout as the plugin shows it; the JSON output.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutView {
    /// `cli.lockflight.dev/v1`.
    pub api_version: &'static str,
    /// `RolloutView`.
    pub kind: &'static str,
    /// Namespace of the Rollout.
    pub namespace: String,
    /// Name of the Rollout.
    pub name: String,
    /// When the Rollout was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// State in one word: the reason of the condition Ready.
    pub state: String,
    /// The state in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the state means to whoever waits for the rollout.
    pub outcome: Outcome,
    /// Value of the pause annotation, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// The revision that the spec asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The attempt in progress, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptView>,
    /// Shortest time that the plan can take, and the approvals that it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<String>,
    /// Clusters of the plan.
    pub clusters: Counts,
    /// The wave that moves, as number/of name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// Highest share of the new revision in a moving cluster, in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// The waves in their order, each with its clusters.
    pub waves: Vec<WaveView>,
    /// What is waited for.
    pub waiting: Vec<WaitView>,
    /// Why the last attempt was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<AbortView>,
}

/// One run of a revision through the fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    /// Its number.
    pub number: i64,
    /// What is on trial.
    pub revision: String,
    /// What served before, when all clusters agree on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where it stands.
    pub phase: AttemptPhase,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// Clusters, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// In the plan.
    pub total: usize,
    /// Where the new revision is the stable one.
    pub promoted: usize,
    /// That the hub cannot reach.
    pub unreachable: usize,
    /// That still have to get a rollback.
    pub owed: usize,
}

/// A wave and its clusters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveView {
    /// Name.
    pub name: String,
    /// Where it stands.
    pub phase: WavePhase,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Clusters that may move at the same time.
    pub max_concurrent: u32,
    /// Bake after its last cluster, in seconds.
    pub bake_seconds: u32,
    /// Whether a person has to agree.
    pub approval: Approval,
    /// Its clusters in their order.
    pub clusters: Vec<ClusterView>,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterView {
    /// Name.
    pub name: String,
    /// Where it stands.
    pub phase: MemberPhase,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Step it is at, from 1; 0 before the first.
    pub step: u32,
    /// Steps of the plan.
    pub steps: usize,
    /// Share that the new revision is meant to have, in per cent.
    pub weight: u8,
    /// Last share that the router was seen to have accepted.
    pub acknowledged_weight: u8,
    /// When the router was seen to have accepted the share that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Ready pods of the new revision.
    pub ready_pods: u32,
    /// What served before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What its gates say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictView>,
    /// Since when the hub has not reached it: all else here is what was last known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable_since: Option<DateTime<Utc>>,
    /// Whether it still has to get its rollback.
    pub owed_rollback: bool,
    /// Why it failed or cannot go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What the gates of a cluster say.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictView {
    /// In one word.
    pub state: VerdictState,
    /// In a sentence.
    pub message: String,
}

/// Something that the rollout waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitView {
    /// The cluster that waits; absent when a wave or the rollout does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// Earliest end, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// What opens the gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Why an attempt was taken back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AbortView {
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// What was taken back.
    pub revision: String,
    /// The cluster that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The step at which it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The metric that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// What it had to keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Field manager that gave the command; a claim, not a proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether promoted clusters go back too.
    pub fleet: bool,
    /// Clusters that get their rollback when they return.
    pub owed: Vec<String>,
}
