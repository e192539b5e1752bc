//! What a rollout's state means to whoever waits for it.

use lockflight_crds::{AttemptPhase, Rollout, RolloutStatus, conditions::types};
use serde::Serialize;

/// Words of Ready.reason that mean: a person has to act.
const WAITING_REASONS: [&str; 2] = ["AwaitingApproval", "Paused"];

/// The word of Ready.reason for a release that is back: stalled by design.
const ABORTED_REASON: &str = "Aborted";

/// What a rollout's state means to whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// It goes on by itself, forward or back.
    Moving,
    /// It waits for a person: paused, or an approval.
    Waiting,
    /// Everywhere.
    Completed,
    /// Taken back.
    Aborted,
    /// It cannot go on by itself, and nothing was taken back.
    Stalled,
}

impl Outcome {
    pub(super) fn of(rollout: &Rollout) -> Self {
        let Some(status) = &rollout.status else {
            return Self::Moving;
        };
        // A status that answers an older spec says nothing about this one.
        if status.observed_generation != rollout.metadata.generation {
            return Self::Moving;
        }
        if is_true(status, types::READY) {
            return Self::Completed;
        }
        let reason = ready_reason(status).unwrap_or_default();
        if is_true(status, types::STALLED) && reason != ABORTED_REASON {
            return Self::Stalled;
        }
        if status.attempt.as_ref().is_some_and(|a| a.phase == AttemptPhase::Aborted) {
            return Self::Aborted;
        }
        if WAITING_REASONS.contains(&reason) { Self::Waiting } else { Self::Moving }
    }
}

fn is_true(status: &RolloutStatus, kind: &str) -> bool {
    status.conditions.iter().any(|c| c.type_ == kind && c.status == "True")
}

fn ready_reason(status: &RolloutStatus) -> Option<&str> {
    status.conditions.iter().find(|c| c.type_ == types::READY).map(|c| c.reason.as_str())
}
