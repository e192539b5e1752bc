//! Why an attempt was taken back.

use chrono::{DateTime, Utc};
use lockflight_crds::{AbortStatus, RolloutStatus};
use schemars::JsonSchema;
use serde::Serialize;

/// Why an attempt was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
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
    pub cluster: Option<String>,
    /// The step at which it failed.
    pub step: Option<u32>,
    /// The metric that failed.
    pub metric: Option<String>,
    /// Its value.
    pub observed: Option<String>,
    /// What it had to keep to.
    pub limit: Option<String>,
    /// Field manager that gave the command; a claim, not a proof.
    pub by: Option<String>,
    /// Whether promoted clusters go back too.
    pub fleet: bool,
    /// Clusters that get their rollback when they return.
    pub owed: Vec<String>,
}

/// The abort of the attempt that the status is about; an old one is history once another
/// attempt has begun.
pub(super) fn current(status: &RolloutStatus) -> Option<AbortView> {
    let abort = status.abort.as_ref()?;
    let concerns = status
        .attempt
        .as_ref()
        .is_none_or(|attempt| attempt.revision == abort.revision && attempt.started_at <= abort.at);
    concerns.then(|| AbortView::from(abort))
}

impl From<&AbortStatus> for AbortView {
    fn from(abort: &AbortStatus) -> Self {
        let AbortStatus {
            reason,
            message,
            at,
            revision,
            cluster,
            step,
            metric,
            observed,
            limit,
            by,
            fleet,
            owed,
        } = abort.clone();
        Self {
            reason,
            message,
            at,
            revision,
            cluster,
            step,
            metric,
            observed,
            limit,
            by,
            fleet,
            owed,
        }
    }
}
