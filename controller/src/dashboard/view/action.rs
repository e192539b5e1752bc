//! What can be pressed, what exactly it does, and the same as a command line.

use std::collections::BTreeSet;

use lockflight_crds::{
    AttemptPhase, AttemptStatus, MemberPhase, MemberStatus, PlanStatus, Rollout, RolloutStatus,
    WaitingStatus, WavePhase, names,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::row::{annotation, base};

/// Something that can be pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionView {
    /// What.
    pub verb: Verb,
    /// The gate that it opens.
    pub token: Option<String>,
    /// The cluster of that gate; absent for a wave.
    pub cluster: Option<String>,
    /// The attempt that it is about.
    pub attempt: Option<i64>,
    /// What exactly happens, in a sentence.
    pub effect: String,
    /// The same as a command line to copy.
    pub kubectl: String,
}

/// Commands on a Rollout.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Verb {
    /// Opens a gate.
    Promote,
    /// Takes the release back everywhere.
    Abort,
    /// Stops forward movement.
    Pause,
    /// Ends a pause.
    Resume,
    /// Tries an aborted revision again.
    Retry,
}

impl Verb {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Promote, Self::Abort, Self::Pause, Self::Resume, Self::Retry];

    /// As RBAC and the command line spell it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
        }
    }
}

/// What can be pressed now: gates first, then the rest.
#[must_use]
pub fn actions(rollout: &Rollout) -> Vec<ActionView> {
    let Some(status) = &rollout.status else {
        return Vec::new();
    };
    let Some(attempt) = &status.attempt else {
        return Vec::new();
    };
    let mut actions = Vec::new();
    let mut add = |verb: Verb, rest: &str, effect: String, gate: Option<&WaitingStatus>| {
        actions.push(ActionView {
            verb,
            token: gate.and_then(|gate| gate.token.clone()),
            cluster: gate.and_then(|gate| gate.cluster.clone()),
            attempt: Some(attempt.number),
            effect,
            kubectl: command_line(rollout, verb, rest),
        });
    };
    let moving = attempt.phase == AttemptPhase::Progressing;
    if moving {
        let mut seen = BTreeSet::new();
        for gate in status.waiting.iter().filter(|gate| gate.token.is_some()) {
            let token = gate.token.as_deref().unwrap_or_default();
            if seen.insert(token) {
                let rest = format!(" --token {token}");
                add(Verb::Promote, &rest, promotion(status, gate), Some(gate));
            }
        }
    }
    let is_paused = annotation(rollout, names::PAUSE_ANNOTATION).is_some();
    if is_paused {
        let effect = "What waited only for the pause goes on at once; gates, bakes and approvals \
                      still hold.";
        add(Verb::Resume, "", effect.to_owned(), None);
    } else if moving {
        add(Verb::Pause, "", pause(status), None);
    }
    if moving {
        add(Verb::Abort, " --reason '<why>'", abort(status, attempt), None);
    }
    if attempt.phase == AttemptPhase::Aborted {
        add(Verb::Retry, "", retry(status, attempt), None);
    }
    actions
}

fn command_line(rollout: &Rollout, verb: Verb, rest: &str) -> String {
    let name = rollout.metadata.name.as_deref().unwrap_or_default();
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    format!("kubectl lockflight {} {name} -n {namespace}{rest}", verb.word())
}

fn promotion(status: &RolloutStatus, gate: &WaitingStatus) -> String {
    let Some(plan) = &status.plan else {
        return "The gate opens.".to_owned();
    };
    match &gate.cluster {
        Some(cluster) => step_opens(plan, status.members.iter().find(|m| m.name == *cluster)),
        None => wave_opens(plan),
    }
    .unwrap_or_else(|| "The gate opens.".to_owned())
}

/// A step waits before its weight is asked for, or after it has shown its evidence.
fn step_opens(plan: &PlanStatus, member: Option<&MemberStatus>) -> Option<String> {
    let member = member?;
    let at = usize::try_from(member.step).ok()?.checked_sub(1)?;
    let here = plan.steps.get(at)?;
    let (name, from) = (&member.name, member.weight);
    if from != here.weight {
        return Some(format!("Traffic in {name} goes from {from} % to {} %.", here.weight));
    }
    Some(match plan.steps.get(at + 1) {
        Some(next) => format!("Traffic in {name} goes from {from} % to {} %.", next.weight),
        None => format!("The new revision becomes the stable one in {name}."),
    })
}

fn wave_opens(plan: &PlanStatus) -> Option<String> {
    let index = plan.waves.iter().position(|wave| wave.phase != WavePhase::Done)?;
    let wave = plan.waves.get(index)?;
    let start = |wave: &lockflight_crds::PlannedWave| {
        let first = plan.steps.first().map_or(0, |step| step.weight);
        let names = listed(&wave.clusters).map(|names| format!(" ({names})")).unwrap_or_default();
        let clusters = format!("{}{names}", count(wave.clusters.len(), "cluster"));
        format!(
            "Wave {} starts: {clusters}, at most {} at a time, first to {first} %.",
            wave.name, wave.max_concurrent
        )
    };
    Some(match (wave.phase, plan.waves.get(index + 1)) {
        (WavePhase::Waiting, _) => start(wave),
        (_, Some(next)) => format!("Wave {} has passed. {}", wave.name, start(next)),
        (_, None) => format!("Wave {} has passed, and with it the rollout.", wave.name),
    })
}

fn pause(status: &RolloutStatus) -> String {
    let held: Vec<String> = status
        .members
        .iter()
        .filter(|member| member.phase == MemberPhase::Canary && member.weight > 0)
        .map(|member| format!("{} at {} %", member.name, member.weight))
        .collect();
    let held = listed(&held).map(|list| format!(" ({list})")).unwrap_or_default();
    format!("Nothing moves forward; traffic stays as it is{held}. Going back is never stopped.")
}

fn abort(status: &RolloutStatus, attempt: &AttemptStatus) -> String {
    let carrying: Vec<String> = status
        .members
        .iter()
        .filter(|member| member.weight > 0 || member.acknowledged_weight > 0)
        .filter(|member| member.phase != MemberPhase::Promoted)
        .map(|member| {
            format!("{} {} %", member.name, member.weight.max(member.acknowledged_weight))
        })
        .collect();
    let promoted = status.members.iter().filter(|m| m.phase == MemberPhase::Promoted).count();
    let unknown = status.members.iter().filter(|m| m.unknown_since.is_some()).count();
    let target = base(status).unwrap_or_else(|| "what served before".to_owned());
    let mut parts = vec![format!("All traffic leaves {} at once", attempt.revision)];
    if let Some(list) = listed(&carrying) {
        parts.push(format!("canaries go to 0 % ({list})"));
    }
    if promoted > 0 {
        parts.push(format!("{} to {target}", goes_back(promoted)));
    }
    let owed = match unknown {
        0 => "",
        1 => " 1 cluster is not reached: the rollback is owed, and is the first write on return.",
        _ => " Clusters that are not reached are owed the rollback: their first write on return.",
    };
    format!("{}.{owed}", parts.join("; "))
}

fn goes_back(count: usize) -> String {
    if count == 1 {
        "1 promoted cluster goes back".to_owned()
    } else {
        format!("{count} promoted clusters go back")
    }
}

fn retry(status: &RolloutStatus, attempt: &AttemptStatus) -> String {
    let wave = status.plan.as_ref().and_then(|plan| plan.waves.first());
    let start = wave.map(|wave| format!(" with wave {}", wave.name)).unwrap_or_default();
    format!(
        "Revision {} starts again from the first step{start}, as attempt {}.",
        attempt.revision,
        attempt.number + 1
    )
}

/// Names that fit a sentence; the others are counted.
fn listed(names: &[String]) -> Option<String> {
    /// More would not be read.
    const SHOWN: usize = 4;
    if names.is_empty() {
        return None;
    }
    let text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    Some(match names.len().checked_sub(SHOWN) {
        None | Some(0) => text,
        Some(more) => format!("{text} and {more} more"),
    })
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
