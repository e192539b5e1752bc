//! Why somebody should look at a rollout.

use lockflight_crds::{Rollout, RolloutStatus, VerdictState, conditions::types};
use schemars::JsonSchema;
use serde::Serialize;

use super::Outcome;

/// Why somebody should look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    /// How urgent it is.
    pub urgency: Urgency,
    /// In one word.
    pub word: String,
    /// In a sentence.
    pub sentence: String,
    /// The cluster that it is about, when it is about one.
    pub cluster: Option<String>,
}

/// How urgent it is; the order in which the Fleet screen lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Urgency {
    /// A release goes back, or failed.
    Critical,
    /// Something holds it that does not end by itself.
    Blocked,
    /// A person is asked.
    Asked,
}

/// Words of Ready.reason that mean: it does not go on by itself, and no gate asks a person.
const BLOCKED: [&str; 7] = [
    "TrafficConflict",
    "RouteMissing",
    "RouteUnsupported",
    "WriteRefused",
    "AnalysisError",
    "NoData",
    "ClusterUnreachable",
];

/// Why somebody should look, if somebody should: the most urgent reason alone.
#[must_use]
pub fn attention(rollout: &Rollout, outcome: Outcome) -> Option<Attention> {
    let status = rollout.status.as_ref()?;
    let ready = status.conditions.iter().find(|c| c.type_ == types::READY)?;
    let told = |urgency, cluster: Option<String>| Attention {
        urgency,
        word: ready.reason.clone(),
        sentence: ready.message.clone(),
        cluster,
    };
    let failed_in = status.abort.as_ref().and_then(|abort| abort.cluster.clone());
    match outcome {
        Outcome::Completed => None,
        Outcome::Aborted => Some(told(Urgency::Critical, failed_in)),
        Outcome::Stalled => Some(told(Urgency::Blocked, None)),
        Outcome::Waiting => Some(told(Urgency::Asked, asked(status))),
        Outcome::Moving if ready.reason == "Aborting" => Some(told(Urgency::Critical, failed_in)),
        Outcome::Moving => failing(status).or_else(|| {
            let word = ready.reason.as_str();
            BLOCKED.contains(&word).then(|| told(Urgency::Blocked, blocked(status, word)))
        }),
    }
}

fn asked(status: &RolloutStatus) -> Option<String> {
    status.waiting.iter().find(|w| w.token.is_some()).and_then(|w| w.cluster.clone())
}

fn blocked(status: &RolloutStatus, word: &str) -> Option<String> {
    if word == "ClusterUnreachable" {
        let unknown = status.members.iter().find(|m| m.unknown_since.is_some());
        return unknown.map(|member| member.name.clone());
    }
    status.waiting.iter().find(|w| w.reason == word).and_then(|w| w.cluster.clone())
}

/// A gate that says Fail before the abort stands in the status, or a cluster with a problem.
fn failing(status: &RolloutStatus) -> Option<Attention> {
    let member = status.members.iter().find(|member| {
        member.problem.is_some()
            || member.verdict.as_ref().is_some_and(|v| v.state == VerdictState::Fail)
    })?;
    let sentence = member.problem.clone().or(member.verdict.as_ref().map(|v| v.message.clone()));
    Some(Attention {
        urgency: Urgency::Critical,
        word: "Failed".to_owned(),
        sentence: sentence.unwrap_or_default(),
        cluster: Some(member.name.clone()),
    })
}
