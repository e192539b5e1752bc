//! Conditions that keep the moment of their last change.

use chrono::Utc;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// A condition as this pass sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Type.
    pub type_: &'static str,
    /// Status; none is Unknown.
    pub status: Option<bool>,
    /// Reason in one word.
    pub reason: &'static str,
    /// Reason in a sentence.
    pub message: String,
}

/// The drafts as conditions; those whose status did not change keep their time.
#[must_use]
pub fn merge(old: &[Condition], drafts: Vec<Draft>, generation: Option<i64>) -> Vec<Condition> {
    let now = Time(Timestamp::from_second(Utc::now().timestamp()).unwrap_or(Timestamp::UNIX_EPOCH));
    drafts
        .into_iter()
        .map(|draft| {
            let status = match draft.status {
                Some(true) => "True",
                Some(false) => "False",
                None => "Unknown",
            };
            let before = old
                .iter()
                .find(|condition| condition.type_ == draft.type_ && condition.status == status);
            Condition {
                type_: draft.type_.to_owned(),
                status: status.to_owned(),
                reason: draft.reason.to_owned(),
                message: draft.message,
                observed_generation: generation,
                last_transition_time: before.map_or_else(
                    || now.clone(),
                    |condition| condition.last_transition_time.clone(),
                ),
            }
        })
        .collect()
}
