//! `Rollout`: the service, where it runs, and how a new revision of it moves.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CountOrPercent, Duration, RolloutStatus, schema};

/// A service that runs in many clusters, and the way its releases take through them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "lockflight.dev",
    version = "v1alpha1",
    kind = "Rollout",
    plural = "rollouts",
    namespaced,
    category = "lockflight",
    doc = "A service that runs in many clusters, and the way its releases take through them.",
    status = "RolloutStatus",
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Wave","type":"string","jsonPath":".status.wave"}"#,
    printcolumn = r#"{"name":"Clusters","type":"string","jsonPath":".status.clusters"}"#,
    printcolumn = r#"{"name":"Weight","type":"integer","jsonPath":".status.weight"}"#,
    printcolumn = r#"{"name":"Revision","type":"string","jsonPath":".status.revision"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// Pods of one revision at full size, per cluster. Changes apply at once, without a rollout.
    /// Default 1.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 10_000))]
    pub replicas: u32,
    /// The pods: a `PodTemplateSpec`. Checked by a strict dry run in a member before anything
    /// moves. serviceAccountName may not be set yet: its use cannot be checked against the
    /// author's rights in the member.
    #[schemars(schema_with = "schema::any_object")]
    pub template: Value,
    /// Ports of the two Services. They belong to the revision; the number that the route names
    /// (port) is immutable.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub ports: Vec<ServicePort>,
    /// Which clusters run the service.
    #[serde(default)]
    pub placement: Placement,
    /// Groups of clusters that a release passes one after the other. Omitted: one cluster, one
    /// cluster, up to 25 %, the rest. A cluster belongs to the first wave that selects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub waves: Option<Vec<Wave>>,
    /// How a release moves within one cluster.
    #[serde(default)]
    pub strategy: Strategy,
    /// What shifts the traffic.
    pub traffic: Traffic,
    /// Metrics that gate every step. In a first deployment only thresholds are judged; without
    /// traffic they have no data, and no data holds.
    #[serde(default)]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["template"])
    )]
    pub analysis: Vec<AnalysisReference>,
    /// How sure the comparison metrics must be, and how long a step may take to become so.
    #[serde(default)]
    pub evidence: EvidencePolicy,
    /// What may go wrong, and what happens then.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
}

/// One port of the Services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.port == oldSelf.port", "message": "port is immutable: the route names it; add another port instead"}
]))]
pub struct ServicePort {
    /// Name of the port.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Number that the route's backendRefs name.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// Number or name of the container's port. Default: the same as port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<IntOrString>,
}

/// Selection of clusters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Labels of the Clusters that run the service. Empty: all of them.
    #[serde(default)]
    pub cluster_selector: LabelSelector,
}

/// A group of clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Name of the wave.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Labels of its clusters, among those of the placement. Empty: all that no earlier wave
    /// has selected.
    #[serde(default)]
    pub cluster_selector: LabelSelector,
    /// Clusters of the wave that may move at the same time: a number or a percentage of the
    /// wave, rounded up. Default 25%.
    #[serde(default = "default_max_concurrent")]
    pub max_concurrent: CountOrPercent,
    /// What the whole wave must show after its last cluster was promoted, before the next wave
    /// starts. Default 12h for the first wave, 2h for later ones, nothing for the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<Bake>,
    /// Whether a person has to agree before the wave starts, or after it before the next starts.
    #[serde(default)]
    pub approval: Approval,
}

/// Evidence to wait for: time and samples, both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bake {
    /// At least so long, for example 10m.
    #[serde(default = "default_bake_time")]
    pub time: Duration,
    /// At least so many canary events in every comparison metric. Default 100 where there is a
    /// comparison metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000_000))]
    pub samples: Option<u32>,
}

/// When a person has to agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Approval {
    /// Never.
    #[default]
    None,
    /// Before it starts.
    Before,
    /// After it has passed its gates, before what follows.
    After,
}

/// How a release moves within one cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Strategy {
    /// Weight by weight, beside the stable revision.
    #[serde(default)]
    pub canary: CanaryStrategy,
}

/// Weight by weight, beside the stable revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStrategy {
    /// The steps; weights rise and end at 100. Default 5, 10, 33, 66, 100, with a bake of 1h at
    /// 10 % in the first cluster of each wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 20),
        extend("x-kubernetes-list-type" = "atomic"),
        extend("x-kubernetes-validations" = [
            {"rule": "self[size(self) - 1].weight == 100", "message": "the last step must have weight 100"},
            {"rule": "self.map(s, s.weight).isSorted() && self.all(s, self.exists_one(t, t.weight == s.weight))", "message": "weights must rise from step to step"}
        ])
    )]
    pub steps: Option<Vec<Step>>,
    /// How long the old pods stay, without traffic, after the whole rollout has ended. Default
    /// 30s.
    #[serde(default = "default_scale_down_delay")]
    pub scale_down_delay: Duration,
}

impl Default for CanaryStrategy {
    fn default() -> Self {
        Self { steps: None, scale_down_delay: default_scale_down_delay() }
    }
}

/// One step: a share of the traffic and the evidence it must show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Per cent of the cluster's traffic that the new revision serves.
    #[schemars(range(min = 1, max = 100))]
    pub weight: u8,
    /// What the step must show before the next one. Default: no wait; the gates still have to
    /// pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<Bake>,
    /// Whether a person has to agree in each cluster before the step or after it.
    #[serde(default)]
    pub approval: Approval,
}

/// What shifts the traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// The Gateway API.
    #[serde(rename = "gatewayAPI")]
    pub gateway_api: GatewayApiTraffic,
}

/// Routes of the Gateway API whose weights are moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayApiTraffic {
    /// Routes in the Rollout's namespace of each member. Every rule whose backends are exactly
    /// the two Services has its two weights moved; all else is left untouched.
    #[schemars(
        length(min = 1, max = 4),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"])
    )]
    pub routes: Vec<RouteReference>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteReference {
    /// Kind of the route. Default HTTPRoute.
    #[serde(default)]
    pub kind: RouteKind,
    /// Name of the route.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Kinds of routes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RouteKind {
    /// `gateway.networking.k8s.io/v1` HTTPRoute.
    #[default]
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
}

/// Metrics that gate the rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisReference {
    /// Name of an `AnalysisTemplate` in the same namespace, or `builtin:` with the name of a
    /// template that comes with Lockflight, for example `builtin:contour`.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^(builtin:)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub template: String,
    /// Arguments of the template, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub args: BTreeMap<String, String>,
}

/// How sure the comparison metrics of a rollout must be, and how long a step may take to become
/// so. Thresholds know no such figures: they decide by their conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidencePolicy {
    /// Chance that a release as good as stable is taken back by comparison metrics, over the
    /// whole rollout, all clusters, steps and metrics together. Decimal number; default 0.05.
    #[serde(default = "default_chance")]
    #[schemars(length(max = 16), regex(pattern = "^0\\.[0-9]+$"))]
    pub false_aborts: String,
    /// Chance that a release which is worse by ruleOut passes. Decimal number; default 0.05.
    #[serde(default = "default_chance")]
    #[schemars(length(max = 16), regex(pattern = "^0\\.[0-9]+$"))]
    pub missed: String,
    /// The longest disturbance of one cluster that must not decide alone. Default 60s.
    #[serde(default = "default_episode")]
    pub episode: Duration,
    /// Least time of a step, from its first measured window. Default 60s.
    #[serde(default = "default_min_dwell")]
    pub min_dwell: Duration,
    /// Time after which an early step of the first wave goes on although what it has seen leans
    /// towards a release as bad as ruleOut says, as long as there is no evidence to speak of that
    /// it is worse: at a small weight the harm is small, and the next weight tells sooner. The
    /// last step before 100 % never does. Default 5m.
    #[serde(default = "default_max_dwell")]
    pub max_dwell: Duration,
    /// Time after its bake at which a step without enough evidence counts as undecided: it says
    /// what is missing and asks for a person. Default 1h.
    #[serde(default = "default_decision_deadline")]
    pub decision_deadline: Duration,
}

impl Default for EvidencePolicy {
    fn default() -> Self {
        Self {
            false_aborts: default_chance(),
            missed: default_chance(),
            episode: default_episode(),
            min_dwell: default_min_dwell(),
            max_dwell: default_max_dwell(),
            decision_deadline: default_decision_deadline(),
        }
    }
}

/// What may go wrong, and what happens then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailurePolicy {
    /// Clusters that may fail, each of them rolled back alone, before the rollout is aborted.
    /// Default 0.
    #[serde(default = "default_budget")]
    pub max_failed_clusters: CountOrPercent,
    /// Clusters that may be unreachable while the others go on; they get the release when they
    /// return. Default 0 in the first two waves and 10% of the fleet later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unreachable_clusters: Option<CountOrPercent>,
    /// How far an abort by a failed gate goes.
    #[serde(default)]
    pub rollback: RollbackScope,
    /// How long a step may wait for pods or for the router before the cluster has failed.
    /// Default 10m.
    #[serde(default = "default_progress_deadline")]
    pub progress_deadline: Duration,
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self {
            max_failed_clusters: default_budget(),
            max_unreachable_clusters: None,
            rollback: RollbackScope::default(),
            progress_deadline: default_progress_deadline(),
        }
    }
}

/// How far an abort by a failed gate goes. An abort by command always goes everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RollbackScope {
    /// Everywhere when it fails in one of the first two waves or in two clusters; else only
    /// clusters that have not been promoted go back.
    #[default]
    Auto,
    /// Everywhere, promoted clusters included.
    Fleet,
    /// Only clusters that have not been promoted.
    Cluster,
}

fn default_replicas() -> u32 {
    1
}
fn default_max_concurrent() -> CountOrPercent {
    CountOrPercent::Percent("25%".to_owned())
}
fn default_bake_time() -> Duration {
    Duration::from("0s")
}
fn default_scale_down_delay() -> Duration {
    Duration::from("30s")
}
fn default_chance() -> String {
    "0.05".to_owned()
}
fn default_episode() -> Duration {
    Duration::from("60s")
}
fn default_min_dwell() -> Duration {
    Duration::from("60s")
}
fn default_max_dwell() -> Duration {
    Duration::from("5m")
}
fn default_decision_deadline() -> Duration {
    Duration::from("1h")
}
fn default_budget() -> CountOrPercent {
    CountOrPercent::Count(0)
}
fn default_progress_deadline() -> Duration {
    Duration::from("10m")
}
