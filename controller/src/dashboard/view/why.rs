//! Why a rollout stands where it stands, in one sentence, and who can change it.

use chrono::{DateTime, Utc};
use lockflight_crds::{AttemptPhase, Rollout, RolloutStatus, WaitingStatus, conditions::types};
use schemars::JsonSchema;
use serde::Serialize;

use super::Outcome;

/// Why a rollout stands where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// Who or what it waits for.
    pub who: Who,
    /// The sentence.
    pub sentence: String,
    /// Earliest moment at which it can go on, where that is known.
    pub until: Option<DateTime<Utc>>,
}

/// Who or what a rollout waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Who {
    /// A person: without one it does not go on.
    Person,
    /// Time.
    Clock,
    /// Evidence.
    Evidence,
    /// Pods, routers or clusters.
    Clusters,
    /// Nothing: it goes back.
    GoingBack,
    /// Nothing: it is at rest.
    Nothing,
}

/// Why the Rollout stands where it stands.
#[must_use]
pub(super) fn why(rollout: &Rollout, outcome: Outcome) -> Why {
    let unseen = RolloutStatus::default();
    let status = rollout.status.as_ref().unwrap_or(&unseen);
    let ready = status.conditions.iter().find(|c| c.type_ == types::READY);
    let message = ready.map_or("the hub has not looked at this rollout yet", |c| &c.message);
    let plain = |who| Why { who, sentence: sentence(message), until: None };
    let going_back = status.attempt.as_ref().is_some_and(|a| a.phase == AttemptPhase::Aborting);
    match outcome {
        Outcome::Completed => plain(Who::Nothing),
        // A message names what to mend in the spec, or what was taken back: both are for people.
        Outcome::Stalled | Outcome::Aborted => plain(Who::Person),
        _ if going_back => plain(Who::GoingBack),
        _ => match leading(status) {
            Some(wait) => of_wait(wait),
            None => plain(Who::Clusters),
        },
    }
}

/// The wait that explains most: the one that the state is named after, then one that asks a
/// person, then the one that ends last.
fn leading(status: &RolloutStatus) -> Option<&WaitingStatus> {
    let waits = &status.waiting;
    let named = status.conditions.iter().find(|c| c.type_ == types::READY).and_then(|ready| {
        waits.iter().find(|w| w.reason == ready.reason || w.message == ready.message)
    });
    named
        .or_else(|| waits.iter().find(|w| w.token.is_some()))
        .or_else(|| waits.iter().filter(|w| w.until.is_some()).max_by_key(|w| w.until))
        .or_else(|| waits.first())
}

fn of_wait(wait: &WaitingStatus) -> Why {
    let who = match wait.reason.as_str() {
        "AwaitingApproval" | "Paused" | "TrafficConflict" | "RouteMissing" | "RouteUnsupported"
        | "WriteRefused" | "AnalysisError" | "InvalidSpec" => Who::Person,
        "Baking" | "Settling" => Who::Clock,
        "CollectingSamples" | "Analyzing" | "NoData" => Who::Evidence,
        "RollingBack" => Who::GoingBack,
        _ => Who::Clusters,
    };
    let place = wait.cluster.as_ref().filter(|name| !wait.message.contains(name.as_str()));
    let text = match place {
        Some(cluster) => format!("{cluster}: {}", wait.message),
        None => wait.message.clone(),
    };
    Why { who, sentence: sentence(&text), until: wait.until }
}

/// A message as a sentence. A first word that holds a name or a number keeps its spelling.
fn sentence(text: &str) -> String {
    let mut text = text.trim().to_owned();
    let first = text.split(' ').next().unwrap_or_default();
    if !first.is_empty()
        && first.chars().all(char::is_alphabetic)
        && let Some(initial) = text.get(0..1).map(str::to_uppercase)
    {
        text.replace_range(0..1, &initial);
    }
    if !text.is_empty() && !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}
