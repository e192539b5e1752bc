//! A Rollout as the Rollout screen shows it.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use lockflight_crds::{Rollout, RolloutStatus};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    AbortView, ActionView, Lane, Outcome, RolloutRow, StepView, Why, abort, action::actions,
    card::Members, lane, why::why,
};

/// A Rollout, whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPage {
    /// The same Rollout as a row.
    pub row: RolloutRow,
    /// Why it stands where it stands.
    pub why: Why,
    /// The revision that the spec asks for.
    pub wanted_revision: Option<String>,
    /// Pods of one revision at full size, per cluster.
    pub replicas: u32,
    /// Waves in their order, each with its clusters.
    pub lanes: Vec<Lane>,
    /// Steps that every cluster takes.
    pub steps: Vec<StepView>,
    /// What is waited for.
    pub waiting: Vec<Wait>,
    /// Why the attempt was taken back.
    pub abort: Option<AbortView>,
    /// What can be pressed, with its exact effect.
    pub actions: Vec<ActionView>,
    /// Templates of the metrics that gate the steps.
    pub analysis: Vec<String>,
    /// The conditions of the status.
    pub conditions: Vec<ConditionView>,
}

/// Something that the rollout waits for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// The cluster that waits; absent when a wave or the rollout does.
    pub cluster: Option<String>,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// Earliest end, where it is known.
    pub until: Option<DateTime<Utc>>,
    /// What opens the gate.
    pub token: Option<String>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionView {
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
}

impl From<&Condition> for ConditionView {
    fn from(condition: &Condition) -> Self {
        Self {
            kind: condition.type_.clone(),
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            since: moment(condition.last_transition_time.0.as_second()),
        }
    }
}

/// Seconds since 1970 as a moment.
pub(super) fn moment(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

impl From<&Rollout> for RolloutPage {
    fn from(rollout: &Rollout) -> Self {
        let unseen = RolloutStatus::default();
        let status = rollout.status.as_ref().unwrap_or(&unseen);
        let members = Members::of(status);
        let plan = status.plan.as_ref();
        Self {
            row: RolloutRow::from(rollout),
            why: why(rollout, Outcome::of(rollout)),
            wanted_revision: status.revision.clone(),
            replicas: rollout.spec.replicas,
            lanes: lane::lanes(plan, &members),
            steps: lane::steps(plan),
            waiting: status
                .waiting
                .iter()
                .map(|wait| Wait {
                    cluster: wait.cluster.clone(),
                    reason: wait.reason.clone(),
                    message: wait.message.clone(),
                    until: wait.until,
                    token: wait.token.clone(),
                })
                .collect(),
            abort: abort::current(status),
            actions: actions(rollout),
            analysis: rollout.spec.analysis.iter().map(|a| a.template.clone()).collect(),
            conditions: status.conditions.iter().map(ConditionView::from).collect(),
        }
    }
}
