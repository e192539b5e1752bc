//! The conditions: the state in one word, why, and what to press.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use lockflight_crds::{Rollout, conditions::types};
use lockflight_planner::{AttemptPhase, Base, MemberPhase, Plan, Verdict, WaitReason};

use crate::conditions::{Draft, merge};

/// State of a rollout in one word, with the conditions that go with it.
struct State {
    ready: Option<bool>,
    reason: &'static str,
    message: String,
    reconciling: bool,
    stalled: bool,
}

/// Every condition of a Rollout.
pub(super) fn conditions(
    old: &[Condition],
    plan: &Plan,
    problems: &[String],
    rollout: &Rollout,
) -> Vec<Condition> {
    let State { ready, reason, message, reconciling, stalled } = state(plan, problems);
    let mut drafts =
        vec![Draft { type_: types::READY, status: ready, reason, message: message.clone() }];
    let mut only_while_true = |holds: bool, type_: &'static str| {
        if holds {
            drafts.push(Draft { type_, status: Some(true), reason, message: message.clone() });
        }
    };
    only_while_true(reconciling, types::RECONCILING);
    only_while_true(stalled, types::STALLED);
    only_while_true(matches!(reason, "Paused" | "AwaitingApproval"), types::PAUSED);
    if let Some(abort) = &plan.next.abort {
        drafts.push(Draft {
            type_: types::ABORTED,
            status: Some(true),
            reason: "Aborted",
            message: abort.message.clone(),
        });
    }
    drafts.push(validated(problems));
    drafts.push(reachable(plan));
    drafts.extend(analysis(plan));
    if let Some(conflict) = find(plan, WaitReason::TrafficConflict) {
        drafts.push(Draft {
            type_: types::TRAFFIC_CONFLICT,
            status: Some(true),
            reason: "ForeignWriter",
            message: conflict,
        });
    }
    drafts.extend(mixed(plan));
    for draft in &mut drafts {
        draft.message = draft.message.chars().take(2000).collect();
    }
    merge(old, drafts, rollout.meta().generation)
}

fn find(plan: &Plan, reason: WaitReason) -> Option<String> {
    plan.waiting.iter().find(|waiting| waiting.reason == reason).map(|w| w.message.clone())
}

fn state(plan: &Plan, problems: &[String]) -> State {
    let invalid = (!problems.is_empty()).then(|| problems.join("; "));
    let phase = plan.next.attempt.as_ref().map(|attempt| attempt.phase);
    let revision = plan.next.attempt.as_ref().map_or("", |attempt| attempt.revision.0.as_str());
    let abort = plan.next.abort.as_ref().map_or("", |abort| abort.message.as_str());
    let at_rest = |ready, reason, message| State {
        ready: Some(ready),
        reason,
        message,
        reconciling: false,
        stalled: !ready,
    };
    match (phase, invalid) {
        (Some(AttemptPhase::Aborting), _) => State {
            ready: Some(false),
            reason: "Aborting",
            message: format!("going back: {abort}"),
            reconciling: true,
            stalled: false,
        },
        (_, Some(problems)) => at_rest(false, "InvalidSpec", problems),
        (None, None) => State {
            ready: None,
            reason: "Pending",
            message: "the first attempt is about to start".to_owned(),
            reconciling: true,
            stalled: false,
        },
        (Some(AttemptPhase::Completed), None) => {
            if let Some(conflict) = find(plan, WaitReason::TrafficConflict) {
                at_rest(false, "TrafficConflict", conflict)
            } else {
                let message = format!("revision {revision} serves in every cluster");
                at_rest(true, "Completed", message)
            }
        }
        (Some(AttemptPhase::Aborted), None) => at_rest(false, "Aborted", abort.to_owned()),
        (Some(AttemptPhase::Progressing), None) => progressing(plan),
    }
}

/// The words for a moving rollout, the most urgent first.
fn progressing(plan: &Plan) -> State {
    const WORDS: [(WaitReason, &str); 13] = [
        (WaitReason::Paused, "Paused"),
        (WaitReason::TrafficConflict, "TrafficConflict"),
        (WaitReason::RouteMissing, "RouteMissing"),
        (WaitReason::RouteUnsupported, "RouteUnsupported"),
        (WaitReason::WriteRefused, "WriteRefused"),
        (WaitReason::AnalysisError, "AnalysisError"),
        (WaitReason::NoData, "NoData"),
        (WaitReason::AwaitingApproval, "AwaitingApproval"),
        (WaitReason::Unreachable, "ClusterUnreachable"),
        (WaitReason::PodsCrashing, "Progressing"),
        (WaitReason::Analyzing, "Analyzing"),
        (WaitReason::CollectingSamples, "Analyzing"),
        (WaitReason::Baking, "Analyzing"),
    ];
    let found =
        WORDS.iter().find_map(|(reason, word)| find(plan, *reason).map(|message| (*word, message)));
    let (reason, message) = found.unwrap_or_else(|| {
        let message = plan.waiting.first().map(|waiting| waiting.message.clone());
        ("Progressing", message.unwrap_or_else(|| "moving".to_owned()))
    });
    State { ready: Some(false), reason, message, reconciling: true, stalled: false }
}

fn validated(problems: &[String]) -> Draft {
    if problems.is_empty() {
        Draft {
            type_: types::VALIDATED,
            status: Some(true),
            reason: "Valid",
            message: "the spec is complete and possible".to_owned(),
        }
    } else {
        Draft {
            type_: types::VALIDATED,
            status: Some(false),
            reason: "InvalidSpec",
            message: problems.join("; "),
        }
    }
}

fn reachable(plan: &Plan) -> Draft {
    let unknown: Vec<String> = plan
        .next
        .members
        .iter()
        .filter_map(|(name, member)| {
            let since = member.unknown_since?;
            Some(format!("{name} is unknown since {} UTC", since.format("%Y-%m-%d %H:%M:%S")))
        })
        .collect();
    let all = unknown.is_empty();
    Draft {
        type_: types::CLUSTERS_REACHABLE,
        status: Some(all),
        reason: if all { "AllReachable" } else { "ClusterUnreachable" },
        message: if all {
            "every cluster of the plan is reachable".to_owned()
        } else {
            unknown.join("; ")
        },
    }
}

/// A fleet that stays on more than one revision after its attempt: each member went back to
/// what it had, or only some of them did.
fn mixed(plan: &Plan) -> Option<Draft> {
    let attempt = plan.next.attempt.as_ref()?;
    if !matches!(attempt.phase, AttemptPhase::Aborted | AttemptPhase::Completed) {
        return None;
    }
    let mut serving: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, member) in &plan.next.members {
        let revision = match (member.phase, &member.base) {
            (MemberPhase::Promoted, _) => &attempt.revision,
            (_, Base::Serving(base)) => base,
            (_, Base::Unseen | Base::Nothing) => continue,
        };
        serving.entry(&revision.0).or_default().push(&name.0);
    }
    (serving.len() > 1).then(|| {
        let parts: Vec<String> = serving
            .iter()
            .map(|(revision, members)| format!("{revision} in {}", members.join(", ")))
            .collect();
        Draft {
            type_: types::MIXED,
            status: Some(true),
            reason: "SeveralRevisions",
            message: format!("clusters serve different revisions: {}", parts.join("; ")),
        }
    })
}

fn analysis(plan: &Plan) -> Option<Draft> {
    plan.next.plan.as_ref().filter(|plan| plan.gated)?;
    let draft = |status, reason, message| {
        Some(Draft { type_: types::ANALYSIS_SUCCEEDED, status, reason, message })
    };
    if let Some(abort) = plan.next.abort.as_ref().filter(|abort| abort.metric.is_some()) {
        return draft(Some(false), "AnalysisFailed", abort.message.clone());
    }
    let verdicts = plan.next.members.values().filter_map(|member| member.verdict.as_ref());
    let open = verdicts.clone().find(|record| record.verdict != Verdict::Pass);
    match (open, verdicts.clone().next()) {
        (Some(record), _) => draft(None, "Analyzing", record.message.clone()),
        (None, Some(record)) => draft(Some(true), "AnalysisPassed", record.message.clone()),
        (None, None) => draft(None, "NoVerdictYet", "no gate is open".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use lockflight_planner::{Attempt, Journal, MemberId, Revision, Waiting};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_completed_rollout_is_not_ready_while_a_cluster_serves_something_else() {
        let spec = json!({"template": {}, "ports": [], "traffic": {"gatewayAPI": {"routes": []}}});
        let rollout = Rollout::new("shop", serde_json::from_value(spec).expect("a spec"));
        let attempt = Attempt {
            number: 1,
            revision: Revision("v2".to_owned()),
            phase: AttemptPhase::Completed,
            started_at: chrono::DateTime::UNIX_EPOCH,
            ended_at: Some(chrono::DateTime::UNIX_EPOCH),
        };
        let waiting = Waiting {
            member: Some(MemberId("a".to_owned())),
            reason: WaitReason::TrafficConflict,
            message: "a serves v1".to_owned(),
            until: None,
            token: None,
        };
        for (waiting, ready, reason) in
            [(vec![], "True", "Completed"), (vec![waiting], "False", "TrafficConflict")]
        {
            let plan = Plan {
                next: Journal { attempt: Some(attempt.clone()), ..Journal::default() },
                actions: Vec::new(),
                hub_actions: Vec::new(),
                gates: Vec::new(),
                waiting,
                notices: Vec::new(),
                wake_at: None,
            };
            let found = conditions(&[], &plan, &[], &rollout);
            let of = |type_: &str| found.iter().find(|condition| condition.type_ == type_);
            let stated = of(types::READY).expect("it is always there");
            assert_eq!((stated.status.as_str(), stated.reason.as_str()), (ready, reason));
            assert_eq!(of(types::TRAFFIC_CONFLICT).is_some(), reason == "TrafficConflict");
        }
    }
}
