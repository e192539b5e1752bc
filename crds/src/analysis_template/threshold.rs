//! A query and what its result has to meet: in our words, or in those of Argo Rollouts or Flagger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// A query and the condition that its result must meet. Exactly one of pass, argo and flagger says
/// which: pass holds where nothing can be judged; argo and flagger decide as those projects do, for
/// templates that were written for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "(has(self.pass) ? 1 : 0) + (has(self.argo) ? 1 : 0) + (has(self.flagger) ? 1 : 0) == 1", "message": "must have exactly one of pass, argo and flagger"},
    {"rule": "has(self.pass) || (!has(self.interval) && !has(self.failureLimit))", "message": "interval and failureLimit go with pass; argo has its own, and those of flagger are in spec.flagger"},
]))]
pub struct Threshold {
    /// `PromQL` expression with a scalar or vector result. With pass, a range in it that reaches
    /// back before the step began keeps the gate waiting: use `[{{window}}]`.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
    /// Name of the `MetricProvider` that is asked. Without it the Cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub provider: Option<String>,
    /// CEL condition over result, the list of the query's values: `result[0] < 0.05`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pass: Option<String>,
    /// Time from one evaluation of pass to the next; without it 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Failed evaluations of pass in a row that are tolerated before the gate fails; without it
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1000))]
    pub failure_limit: Option<u32>,
    /// A metric of an `AnalysisTemplate` of Argo Rollouts. All of a Rollout's make one run in each
    /// step; those without an end make one over all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argo: Option<ArgoMetric>,
    /// A metric of a Canary of Flagger. All of a template's make one analysis, as spec.flagger says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flagger: Option<FlaggerCheck>,
}

/// A metric of Argo Rollouts, field by field. A failed or erroneous one takes the release back, an
/// inconclusive one holds it. severity Info stands for a dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "!has(self.count) || self.count <= 1 || has(self.interval)", "message": "interval must be set where count is more than 1"}]))]
pub struct ArgoMetric {
    /// Expression in expr-lang over result that a successful measurement meets:
    /// `result[0] >= 0.95`. result is a list for a vector, and a number for a scalar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub success_condition: Option<String>,
    /// Expression that a failed measurement meets. Alone it passes NaN, the result of 0/0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub failure_condition: Option<String>,
    /// Time from one measurement to the next; after an error it is 10s. Without it there is one
    /// measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Measurements to take. Without it, or with 0, one where interval is not set; where it is,
    /// there is no end: the metric is measured as long as the rollout moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000))]
    pub count: Option<u32>,
    /// Time from the start of the run, when the step's weight is in force, to the first
    /// measurement. Default 0s.
    #[serde(default = "default_delay")]
    pub initial_delay: Duration,
    /// Failed measurements that are tolerated, in all; -1 tolerates any number. Default 0.
    #[serde(default)]
    #[schemars(range(min = -1, max = 100_000))]
    pub failure_limit: i32,
    /// Inconclusive measurements that are tolerated, in all. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100_000))]
    pub inconclusive_limit: i32,
    /// Errors in a row that are tolerated: the source cannot be asked, or the conditions cannot be
    /// evaluated. Default 4.
    #[serde(default = "default_consecutive_errors")]
    #[schemars(range(min = 0, max = 100_000))]
    pub consecutive_error_limit: i32,
    /// Successes in a row that end the metric successfully at once; 0 is no number of them.
    /// Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100_000))]
    pub consecutive_success_limit: i32,
}

/// A metric of Flagger. Its value is the query's last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.thresholdRange) != has(self.threshold)", "message": "must have exactly one of thresholdRange and threshold"}]))]
pub struct FlaggerCheck {
    /// Which of Flagger's metrics it is: that decides how the value is compared, and when. Default
    /// `InlineQuery`.
    #[serde(default)]
    pub kind: FlaggerKind,
    /// Least and greatest value that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_range: Option<FlaggerRange>,
    /// The old form of one bound, a decimal number: the least value of a `RequestSuccessRate`, the
    /// greatest of any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^-?[0-9]+(\\.[0-9]+)?$"))]
    pub threshold: Option<String>,
}

/// Kinds of metrics of Flagger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum FlaggerKind {
    /// request-success-rate, in per cent.
    RequestSuccessRate,
    /// request-duration in milliseconds: value and bounds are cut to whole ones.
    RequestDuration,
    /// A query of the Canary itself.
    #[default]
    InlineQuery,
    /// A `MetricTemplate`: looked at after all others.
    Template,
}

/// A range of allowed values; both ends are allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.min) || has(self.max)", "message": "must have min or max, or both"}]))]
pub struct FlaggerRange {
    /// Least value that is allowed, a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^-?[0-9]+(\\.[0-9]+)?$"))]
    pub min: Option<String>,
    /// Greatest value that is allowed, a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^-?[0-9]+(\\.[0-9]+)?$"))]
    pub max: Option<String>,
}

/// The analysis of a Canary: what its metrics share. They are looked at together, in order, up to
/// the first that does not pass; failed checks are counted over all steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlaggerAnalysis {
    /// Time from one look to the next, and from the step's weight to its first. Default 60s.
    #[serde(default = "default_analysis_interval")]
    pub interval: Duration,
    /// Failed checks that take the release back, at the look after the last of them; 0 is as 1.
    /// Default 0.
    #[serde(default)]
    #[schemars(range(max = 100_000))]
    pub threshold: u32,
    /// Failed checks that a good look forgives. Flagger forgives none. Default 0.
    #[serde(default)]
    #[schemars(range(max = 100_000))]
    pub failed_check_decay: u32,
    /// What a check without a value does. Flagger counts it as failed. Default Hold.
    #[serde(default)]
    pub no_data: FlaggerNoData,
}

/// What a check without a value does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum FlaggerNoData {
    /// The release waits, and nothing is counted.
    #[default]
    Hold,
    /// It is a failed check, as in Flagger.
    Fail,
    /// It is passed over. A source that cannot be asked still holds.
    Ignore,
}

fn default_delay() -> Duration {
    Duration::from("0s")
}
fn default_consecutive_errors() -> i32 {
    4
}
fn default_analysis_interval() -> Duration {
    Duration::from("60s")
}
