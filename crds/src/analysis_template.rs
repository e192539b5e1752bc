//! `AnalysisTemplate`: named metrics and how each is judged.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// Metrics that gate a rollout, written by the service team. `{{name}}` in a query stands for
/// the argument of that name; the hub itself provides `{{window}}` (time since the gate's
/// evidence opened, at most 5m), `{{canaryPods}}` and `{{stablePods}}` (regular expressions that
/// match the pods of the two revisions), `{{revision}}` and `{{cluster}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "lockflight.dev",
    version = "v1alpha1",
    kind = "AnalysisTemplate",
    plural = "analysistemplates",
    namespaced,
    category = "lockflight",
    doc = "Named metrics that gate rollouts, and how each is judged.",
    printcolumn = r#"{"name":"Metrics","type":"string","jsonPath":".spec.metrics[*].name"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisTemplateSpec {
    /// Arguments that a Rollout may pass.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub args: Vec<TemplateArgument>,
    /// The metrics; every one of them has to pass.
    #[schemars(length(min = 1, max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub metrics: Vec<Metric>,
}

/// An argument of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateArgument {
    /// Name, used as `{{name}}` inside a quoted label value of a query.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z][A-Za-z0-9-]*$"))]
    pub name: String,
    /// Value where the Rollout gives none; without it the Rollout must give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub value: Option<String>,
}

/// One metric and its judge: exactly one of compare and threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.compare) != has(self.threshold)", "message": "must have exactly one of compare and threshold"}]))]
pub struct Metric {
    /// Name of the metric, shown in verdicts.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Compares the canary with the stable revision that runs beside it at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Comparison>,
    /// Holds the result of a query against an absolute condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
}

/// Compares the share of bad events of the canary with that of the stable revision. Applies
/// only while both serve traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Selector of a counter of bad events, without a function or range: the hub reads the raw
    /// samples. Example: `http_requests_total{service="{{service}}",code=~"5.."}`
    #[schemars(length(min = 1, max = 2048))]
    pub bad: String,
    /// Selector of the counter of all events, bad ones included.
    #[schemars(length(min = 1, max = 2048))]
    pub total: String,
    /// How the series of the two revisions are told apart.
    pub by: Arms,
    /// Fails when the canary's bad share exceeds this many times the stable's. Decimal from 1;
    /// default 2.
    #[serde(default = "default_max_ratio")]
    #[schemars(length(max = 16), regex(pattern = "^[1-9][0-9]*(\\.[0-9]+)?$"))]
    pub max_ratio: String,
    /// Bad shares up to this one never fail, whatever the ratio: with few errors a ratio means
    /// little. Decimal share of all events, from 0 to 1; default 0.01.
    #[serde(default = "default_tolerated_share")]
    #[schemars(length(max = 16), regex(pattern = "^(0(\\.[0-9]+)?|1(\\.0+)?)$"))]
    pub tolerated_share: String,
    /// Canary events that must have been seen before the metric passes or fails. Default 100.
    #[serde(default = "default_min_samples")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub min_samples: u32,
}

/// How series are told apart: exactly one of pod and label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.pod) != has(self.label)", "message": "must have exactly one of pod and label"}]))]
pub struct Arms {
    /// Series carry a label with the name of their pod; the hub knows each pod's revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<ByPod>,
    /// Series are aggregated by their source, with one label that tells the arms apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<ByLabel>,
}

/// Series per pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByPod {
    /// Label that holds the pod's name. Default pod.
    #[serde(default = "default_pod_label")]
    #[schemars(length(max = 63), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub label: String,
}

/// Aggregated series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByLabel {
    /// Label that tells the arms apart, for example `envoy_cluster_name`.
    #[schemars(length(max = 63), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub name: String,
    /// Its value for the stable Service.
    #[schemars(length(min = 1, max = 512))]
    pub stable: String,
    /// Its value for the canary Service.
    #[schemars(length(min = 1, max = 512))]
    pub canary: String,
}

/// A query and the condition that its result must meet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// `PromQL` expression with a scalar or vector result. A range in it that reaches back
    /// before the step began keeps the gate waiting: use `[{{window}}]`.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
    /// CEL condition over result, the list of the query's values: `result[0] < 0.05`
    #[schemars(length(min = 1, max = 1024))]
    pub pass: String,
    /// Time from one evaluation to the next. Default 1s.
    #[serde(default = "default_interval")]
    pub interval: Duration,
    /// Failed evaluations in a row that are tolerated before the gate fails. Default 0.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub failure_limit: u32,
}

fn default_max_ratio() -> String {
    "2".to_owned()
}
fn default_tolerated_share() -> String {
    "0.01".to_owned()
}
fn default_min_samples() -> u32 {
    100
}
fn default_pod_label() -> String {
    "pod".to_owned()
}
fn default_interval() -> Duration {
    Duration::from("1s")
}
