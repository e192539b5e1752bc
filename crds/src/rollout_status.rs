//! What the hub reports of a Rollout. It is also the hub's journal: an effect in a member is
//! sent only after the intent behind it stands here.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AnalysisReference, Approval, EvidencePolicy, EvidenceStatus, schema};

/// State of a rollout. Written on transitions only: all times are absolute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// Generation of the spec that this status answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready (its reason is the state in one word), Reconciling, Stalled, Paused, Aborted,
    /// Validated, `ClustersReachable`, `AnalysisSucceeded`, `TrafficConflict`,
    /// Mixed.
    #[serde(default)]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The wave that moves, as number/of name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub wave: Option<String>,
    /// Clusters that serve the revision fully, as done/all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub clusters: Option<String>,
    /// Highest share, in per cent, that the new revision is meant to have in a moving cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// The revision that the spec asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub revision: Option<String>,
    /// What the rollout waits for, and which token opens a gate that waits for a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 600))]
    pub waiting: Vec<WaitingStatus>,
    /// Why the last attempt was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<AbortStatus>,
    /// The attempt in progress, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptStatus>,
    /// The plan of the attempt, fixed when it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// Each cluster of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub members: Vec<MemberStatus>,
    /// Commands that have been carried out.
    #[serde(default)]
    pub handled: HandledCommands,
    /// What the comparison metrics have shown, so that a restarted hub goes on where it was.
    /// Written along with other changes; counters against the release also by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceStatus>,
}

/// One run of a revision through the fleet. Its number never resets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptStatus {
    /// Number of the attempt, from 1.
    pub number: i64,
    /// The revision on trial.
    #[schemars(length(max = 32))]
    pub revision: String,
    /// Where it stands.
    pub phase: AttemptPhase,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it was completed or its traffic was back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AttemptPhase {
    /// Moving or waiting.
    Progressing,
    /// Going back.
    Aborting,
    /// Back, except for clusters that are owed their rollback.
    Aborted,
    /// Everywhere.
    Completed,
}

/// The plan of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// Shortest time that the plan can take, and how many approvals it needs.
    #[schemars(length(max = 128))]
    pub estimate: String,
    /// Steps within a cluster.
    #[schemars(length(max = 20))]
    pub steps: Vec<PlannedStep>,
    /// Waves in their order.
    #[schemars(length(max = 32))]
    pub waves: Vec<PlannedWave>,
    /// Metrics that gate the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub analysis: Vec<AnalysisReference>,
    /// How sure the comparison metrics must be, and how long a step may take to become so.
    #[serde(default)]
    pub evidence: EvidencePolicy,
}

/// A step of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Share of the traffic in per cent.
    pub weight: u8,
    /// Bake in the first cluster of a wave, in seconds.
    pub bake_seconds_first: u32,
    /// Bake in the other clusters of a wave, in seconds.
    pub bake_seconds: u32,
    /// Canary events that every comparison metric must have seen.
    pub samples: u32,
    /// Whether a person has to agree.
    #[serde(default)]
    pub approval: Approval,
}

/// A wave of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWave {
    /// Name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Its clusters, in the order in which they start.
    #[schemars(length(max = 500), inner(length(max = 253)))]
    pub clusters: Vec<String>,
    /// Clusters that may move at the same time.
    pub max_concurrent: u32,
    /// Bake after the last cluster, in seconds.
    pub bake_seconds: u32,
    /// Canary events that every comparison metric must have seen in the bake.
    pub samples: u32,
    /// Whether a person has to agree.
    #[serde(default)]
    pub approval: Approval,
    /// Whether the approval was given.
    #[serde(default)]
    pub approved: bool,
    /// Where the wave stands.
    pub phase: WavePhase,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Where a wave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WavePhase {
    /// Not yet started.
    Waiting,
    /// Its clusters move.
    Moving,
    /// All clusters are promoted; the wave shows its evidence.
    Baking,
    /// Passed.
    Done,
}

/// One cluster in the attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Name of the Cluster.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Where it stands.
    pub phase: MemberPhase,
    /// Step it is at, from 1; 0 before the first.
    #[serde(default)]
    pub step: u32,
    /// Since when it has been at this phase and step.
    pub since: DateTime<Utc>,
    /// What served here when the attempt began: what a rollback restores. Absent until the
    /// cluster was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseStatus>,
    /// Weight that the route is meant to give the canary Service, in per cent.
    #[serde(default)]
    pub weight: u8,
    /// Last share that the router was seen to have accepted, in per cent.
    #[serde(default)]
    pub acknowledged_weight: u8,
    /// When the router was seen to have accepted weight; evidence counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Ready pods of the new revision.
    #[serde(default)]
    pub ready_pods: u32,
    /// What the gates say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictStatus>,
    /// Since when the hub has not reached the cluster: its state is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_since: Option<DateTime<Utc>>,
    /// Why it failed or cannot go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub problem: Option<String>,
    /// Step, from 1, whose approval was given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_step: Option<u32>,
    /// Since when the Services' endpoints are what the phase asks for; what follows waits until
    /// the data plane has settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints_since: Option<DateTime<Utc>>,
}

/// What served in a cluster when an attempt began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaseStatus {
    /// The revision; absent where nothing of ours served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub revision: Option<String>,
}

/// Where a cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MemberPhase {
    /// Its turn has not come; it serves what it served.
    Pending,
    /// The first deployment in this cluster comes up.
    Deploying,
    /// The new revision takes its steps.
    Canary,
    /// All traffic is on the new revision; it becomes the stable one.
    Promoting,
    /// The new revision is stable.
    Promoted,
    /// Going back to what served before.
    RollingBack,
    /// Back.
    RolledBack,
}

/// What the gates of a cluster say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictStatus {
    /// The verdict.
    pub state: VerdictState,
    /// Why, as seen when the verdict last changed or its evidence last moved by a whole nat.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Evidence of the comparison metrics that the release is worse than stable, as the natural
    /// logarithm of an e-value, in hundredths. At ln(1.25/falseAborts), 322 by default, a first
    /// attempt is taken back; each further attempt of a revision needs ln 5 more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_centinats: Option<i32>,
    /// Evidence, over all clusters, that it is not worse by ruleOut, in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_favour_centinats: Option<i32>,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VerdictState {
    /// Every metric passes.
    Pass,
    /// A metric fails.
    Fail,
    /// More evidence is needed.
    Watch,
    /// The source gives no usable data; nothing moves.
    NoData,
    /// The source or the query is broken; nothing moves.
    Error,
}

/// Something that the rollout waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingStatus {
    /// The cluster that waits; absent when a whole wave or the rollout waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster: Option<String>,
    /// Reason in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// What is waited for, in a sentence.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Earliest moment at which the wait can end, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Value of the annotation lockflight.dev/promote that opens the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub token: Option<String>,
}

/// Why an attempt was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbortStatus {
    /// Reason in one word: `AnalysisFailed`, `CanaryCrashing`, `CanaryNotReady`, `CommandedAbort`,
    /// `Deleted`, `ProgressDeadlineExceeded` or `StatusLost`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// The same in a sentence with cluster, step, metric, value and limit.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The revision that was taken back.
    #[schemars(length(max = 32))]
    pub revision: String,
    /// The cluster that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster: Option<String>,
    /// The step at which it failed, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The metric that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub metric: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub observed: Option<String>,
    /// What it had to keep to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub limit: Option<String>,
    /// Field manager that set the abort annotation; not a proof of who it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub by: Option<String>,
    /// Whether promoted clusters go back too.
    pub fleet: bool,
    /// Clusters that still have to get their rollback when they return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(max = 253)))]
    pub owed: Vec<String>,
}

/// Commands that have been carried out: each acts once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandledCommands {
    /// Last value of lockflight.dev/promote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub promote: Option<String>,
    /// Value of lockflight.dev/abort that is being consumed; cleared once it was seen removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<HandledAbort>,
    /// Last value of lockflight.dev/retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub retry: Option<String>,
}

/// An abort annotation that was taken up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandledAbort {
    /// Its value.
    #[schemars(length(max = 1024))]
    pub value: String,
    /// The attempt that it applied to; absent when nothing was in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
}
