//! `AnalysisTemplate`: named metrics and how each is judged.

mod threshold;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::threshold::{
    ArgoMetric, FlaggerAnalysis, FlaggerCheck, FlaggerKind, FlaggerNoData, FlaggerRange, Threshold,
};
use crate::Duration;

/// Metrics that gate a rollout, written by the service team. `{{name}}` in a query stands for
/// the argument of that name; the hub itself provides `{{window}}` (time since the gate's
/// evidence opened, at most 5m), `{{canaryPods}}` and `{{stablePods}}` (regular expressions that
/// match the pods of the two revisions), `{{revision}}`, `{{cluster}}`, `{{rollout}}` and
/// `{{namespace}}` (name and namespace of the Rollout).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "lockflight.dev",
    version = "v1alpha1",
    kind = "AnalysisTemplate",
    plural = "analysistemplates",
    namespaced,
    category = "lockflight",
    doc = "Named metrics that gate rollouts, and how each is judged.",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.flagger) == self.metrics.exists(metric, has(metric.threshold) && has(metric.threshold.flagger))", "message": "must have flagger if a metric has threshold.flagger, and only then"}]))]
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
    /// What the metrics with threshold.flagger share; set where there are such metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flagger: Option<FlaggerAnalysis>,
}

/// An argument of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateArgument {
    /// Name, used as `{{name}}` inside a quoted label value of a query.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z][A-Za-z0-9-]*$"))]
    pub name: String,
    /// Value where the Rollout gives none; without it the Rollout must give one. `{{rollout}}`
    /// and `{{namespace}}` may stand in it.
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
    /// How much its evidence weighs among the comparison metrics of a rollout. Default Critical.
    #[serde(default)]
    pub severity: Severity,
    /// Compares the canary with the stable revision that runs beside it at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Comparison>,
    /// Holds the result of a query against an absolute condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
}

/// Weight of a metric's evidence. The chance of a false abort that a rollout allows is shared
/// out among its comparison metrics: four fifths to the critical ones, the rest to the normal
/// ones. Whatever it is, an informational metric is judged and shown but decides nothing: no step
/// waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Decides, with the larger share.
    #[default]
    Critical,
    /// Decides, with the smaller share.
    Normal,
    /// Shown only.
    Info,
}

/// Compares the share of bad events of the canary with that of the stable revision. Applies
/// only while both serve traffic. Exactly one form: bad with total, histogram, or gauge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "has(self.bad) == has(self.total) && (has(self.bad) ? 1 : 0) + (has(self.histogram) ? 1 : 0) + (has(self.gauge) ? 1 : 0) == 1", "message": "must have exactly one of bad with total, histogram and gauge"},
    {"rule": "!has(self.gauge) || has(self.by.pod)", "message": "gauge needs by.pod: of an aggregated gauge nobody can tell how many pods are high"},
    {"rule": "!has(self.above) || has(self.gauge)", "message": "above goes with gauge: it is the value above which a pod is high"},
    {"rule": "!has(self.stableHealth) || has(self.bad)", "message": "stableHealth goes with bad and total: histograms and gauges say of no event that it is bad"},
]))]
pub struct Comparison {
    /// Selector of a counter of bad events, without a function or range: the hub reads the raw
    /// samples. Example: `http_requests_total{service="{{service}}",code=~"5.."}`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub bad: Option<String>,
    /// Selector of the counter of all events, bad ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub total: Option<String>,
    /// Selector of a latency histogram, classic (its name without `_bucket`) or native. Slow
    /// events are compared, at the bucket bounds above stable's p50, p90 and p99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub histogram: Option<String>,
    /// Selector of a gauge that is worse when it is higher, such as memory or the length of a
    /// queue; several series of a pod are added up. A pod in a window is an event, and bad when
    /// its mean value there is above the level: of pods with equal load, as many should be in both
    /// revisions. Needs by.pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub gauge: Option<String>,
    /// The level of the gauge, in its own unit, a decimal number. Without it the level is
    /// `tolerate.ratio` times what the highest stable pod usually shows; it follows stable up and,
    /// within an attempt, never down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^-?[0-9]+(\\.[0-9]+)?$"))]
    pub above: Option<String>,
    /// How the series of the two revisions are told apart.
    pub by: Arms,
    /// A canary within this margin of stable is not worse: it is never taken back for it. Default
    /// 1.25 times and 0.0002; of a gauge 1.25 times and 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerate: Option<Margin>,
    /// What has to be ruled out before the release is promoted. Default 2 times and 0.001; of a
    /// gauge 2 times and 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_out: Option<Margin>,
    /// How long a new pod's events are left out, counted from its first request: cold caches are
    /// no regression. Default 90s.
    #[serde(default = "default_warm_up")]
    pub warm_up: Duration,
    /// Greatest bad share that stable may have by itself, a decimal share of its events in the last
    /// `spec.evidence.episode`: `"0.05"`. While stable has more, the release waits, and this metric
    /// takes nothing back. Without it stable's health is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = "^(0(\\.[0-9]+)?|1(\\.0+)?)$"))]
    pub stable_health: Option<String>,
}

/// How much worse: beyond both the ratio and the difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Margin {
    /// Bad share of the canary as a multiple of stable's: a decimal number from 1.
    #[schemars(length(max = 16), regex(pattern = "^[1-9][0-9]*(\\.[0-9]+)?$"))]
    pub ratio: String,
    /// Bad share of the canary minus stable's: a decimal share of all events, from 0 to 1. With
    /// few errors a ratio means little.
    #[schemars(length(max = 16), regex(pattern = "^(0(\\.[0-9]+)?|1(\\.0+)?)$"))]
    pub difference: String,
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
    /// Its value for the stable Service. A `*` in it stands for any text, for example for a hash
    /// that the source puts into names. A value that fits both arms is of neither.
    #[schemars(length(min = 1, max = 512))]
    pub stable: String,
    /// Its value for the canary Service. A `*` in it stands for any text.
    #[schemars(length(min = 1, max = 512))]
    pub canary: String,
}

impl Comparison {
    /// `tolerate`, or its default. Of a gauge an event is a pod in a window: there are few of
    /// them, and one in twenty may be high by chance.
    #[must_use]
    pub fn tolerate_or_default(&self) -> Margin {
        let difference = if self.gauge.is_some() { "0.05" } else { "0.0002" };
        self.tolerate.clone().unwrap_or_else(|| Margin::of("1.25", difference))
    }

    /// `ruleOut`, or its default. For a gauge about forty windows of canary pods without a high
    /// one rule it out.
    #[must_use]
    pub fn rule_out_or_default(&self) -> Margin {
        let difference = if self.gauge.is_some() { "0.2" } else { "0.001" };
        self.rule_out.clone().unwrap_or_else(|| Margin::of("2", difference))
    }
}

impl Margin {
    fn of(ratio: &str, difference: &str) -> Self {
        Self { ratio: ratio.to_owned(), difference: difference.to_owned() }
    }
}

fn default_warm_up() -> Duration {
    Duration::from("90s")
}
fn default_pod_label() -> String {
    "pod".to_owned()
}
