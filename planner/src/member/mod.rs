//! What happens inside one member. Each function looks at the facts and asks for the next
//! writes; none remembers how far it came, so a crash between two writes changes nothing.

mod canary;
mod crash;
mod deploy;
mod gate;
mod pace;
mod promote;
mod route;
pub(crate) mod serve;

pub(crate) use canary::advance as advance_canary;
pub(crate) use crash::{Crash, is_held as is_held_by_crashes};
pub(crate) use deploy::advance as advance_deployment;
pub(crate) use gate::{Requirement, judge, open_gate};
pub(crate) use promote::advance as advance_promotion;

use crate::{
    draft::Draft,
    ids::{MemberId, Revision},
    plan::{Action, WaitReason},
    snapshot::Facts,
};

/// Whether the wave lets a member go forward in this pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Movement {
    /// It may.
    Forward,
    /// Only what was already asked for is watched: paused, or over a budget.
    Hold,
}

/// Brings a revision to a size and waits until so many of its pods are ready. Only ever scales
/// up: pods are taken away after the rollout has ended.
fn ensure_capacity(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    revision: &Revision,
    needed: u32,
) -> bool {
    // One sentence from the creation to the last pod: each further one would be a write.
    let message = format!("{member}: {needed} ready pods of {revision} are needed");
    let Some(deployment) = facts.deployments.get(revision) else {
        draft
            .act(member, Action::CreateDeployment { revision: revision.clone(), replicas: needed });
        wait_for_pods(draft, member, message);
        return false;
    };
    if deployment.replicas < needed {
        draft.act(member, Action::Scale { revision: revision.clone(), replicas: needed });
    }
    if deployment.ready >= needed {
        return true;
    }
    let problem = deployment.problem.as_ref().map(|problem| format!(": {problem}"));
    wait_for_pods(draft, member, message + &problem.unwrap_or_default());
    false
}

fn wait_for_pods(draft: &mut Draft<'_>, member: &MemberId, message: String) {
    match refusal(draft, member) {
        Some(refusal) => draft.wait(member, WaitReason::WriteRefused, refusal),
        None => draft.wait(member, WaitReason::PodsNotReady, message),
    }
}

/// The first write that the member refused, as a sentence.
fn refusal(draft: &Draft<'_>, member: &MemberId) -> Option<String> {
    let refusal = draft.facts(member)?.refusals.first()?;
    Some(format!("{member} refuses a write: {refusal}"))
}

/// Fails a member whose present wait for pods, endpoints or the router has lasted too long.
fn watch_deadline(draft: &mut Draft<'_>, member: &MemberId) {
    let Some(policy) = &draft.snapshot.policy else { return };
    let Some(since) = draft.member(member).map(|journal| journal.since) else { return };
    let deadline = since + policy.progress_deadline;
    if draft.now() < deadline {
        draft.wake(deadline);
        return;
    }
    let why = match (refusal(draft, member), draft.facts(member)) {
        (Some(refusal), _) => refusal,
        (None, Some(facts)) => stuck_on(draft, member, facts),
        (None, None) => "no progress".to_owned(),
    };
    let message = format!(
        "no progress for {} s (failurePolicy.progressDeadline): {why}",
        policy.progress_deadline.num_seconds()
    );
    crate::abort::fail(draft, member, "ProgressDeadlineExceeded", &message, None);
}

fn stuck_on(draft: &Draft<'_>, member: &MemberId, facts: &Facts) -> String {
    let Some(target) = draft.target() else { return "no progress".to_owned() };
    if let Some(problem) = facts.deployments.get(&target).and_then(|d| d.problem.clone()) {
        return problem;
    }
    if let Some(problem) = route::trouble(facts) {
        return problem;
    }
    format!("{} pods of {target} are ready in {member}", facts.ready(&target))
}

/// Pods that a share of the traffic needs: never fewer than its part of the full size.
pub(crate) fn pods_for(weight: u8, full_size: u32) -> u32 {
    let pods = (u64::from(weight) * u64::from(full_size)).div_ceil(100);
    u32::try_from(pods).unwrap_or(u32::MAX)
}
