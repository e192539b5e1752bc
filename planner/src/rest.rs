//! At rest: sizes follow the spec, old pods go after their delay, and nothing else is written.

use crate::{
    DRAIN, OLD_DEPLOYMENTS_KEPT,
    draft::Draft,
    drift,
    ids::{MemberId, Revision},
    journal::{AttemptPhase, MemberPhase},
    plan::{Action, HubAction, WaitReason, Waiting},
    snapshot::{Facts, Role},
};

/// Keeps every member that can be reached as the ended attempt left it, and says where somebody
/// else has not.
pub(crate) fn keep(draft: &mut Draft<'_>) {
    drift::look(draft);
    let members: Vec<MemberId> = draft.next.members.keys().cloned().collect();
    for member in members {
        let Some(facts) = draft.facts(&member) else { continue };
        let Some(serving) = serving(draft, &member) else { continue };
        resize(draft, &member, facts, &serving);
        remove_old(draft, &member, facts, &serving);
    }
}

/// What is meant to serve in a member after the attempt.
fn serving(draft: &Draft<'_>, member: &MemberId) -> Option<Revision> {
    drift::meant_to_serve(draft, member).or_else(|| match draft.member(member)?.phase {
        // Its turn never came.
        MemberPhase::Pending => draft.base(member),
        _ => None,
    })
}

/// Gives what serves its size, and its Deployment where somebody has deleted that.
fn resize(draft: &mut Draft<'_>, member: &MemberId, facts: &Facts, serving: &Revision) {
    let Some(policy) = &draft.snapshot.policy else { return };
    let (revision, replicas) = (serving.clone(), policy.replicas);
    match facts.deployments.get(serving) {
        Some(deployment) if deployment.replicas == replicas => {}
        Some(_) => draft.act(member, Action::Scale { revision, replicas }),
        None if draft.snapshot.deleting => {}
        // Only the revision of the spec has its template there.
        None if *serving == policy.revision => {
            draft.act(member, Action::CreateDeployment { revision, replicas });
        }
        None => draft.wait(
            member,
            WaitReason::StableMissing,
            format!("{member}: the Deployment of revision {serving} is gone; restore it, or release another revision"),
        ),
    }
}

fn remove_old(draft: &mut Draft<'_>, member: &MemberId, facts: &Facts, serving: &Revision) {
    let Some(ended_at) = draft.next.attempt.as_ref().and_then(|attempt| attempt.ended_at) else {
        return;
    };
    let Some(policy) = &draft.snapshot.policy else { return };
    let due = ended_at + policy.scale_down_delay.max(DRAIN);
    let old: Vec<&Revision> = facts
        .deployments
        .keys()
        .filter(|revision| *revision != serving)
        .filter(|revision| {
            ![Role::Stable, Role::Canary].iter().any(|role| facts.selects(*role, revision))
        })
        .collect();
    let standing = old.iter().any(|r| facts.deployments.get(*r).is_some_and(|d| d.replicas > 0));
    if standing && draft.now() < due {
        draft.wake(due);
        return;
    }
    for revision in &old {
        if facts.deployments.get(*revision).is_some_and(|d| d.replicas > 0) {
            draft.act(member, Action::Scale { revision: (*revision).clone(), replicas: 0 });
        }
    }
    let mut empty: Vec<_> = old
        .iter()
        .filter_map(|revision| facts.deployments.get_key_value(*revision))
        .filter(|(_, deployment)| deployment.replicas == 0)
        .collect();
    // Times of creation are whole seconds; of two of the same second either may go first.
    empty.sort_by_key(|(_, deployment)| std::cmp::Reverse(deployment.created_at));
    for (revision, _) in empty.into_iter().skip(OLD_DEPLOYMENTS_KEPT) {
        draft.act(member, Action::DeleteDeployment { revision: revision.clone() });
    }
}

/// Lets a deleted Rollout go once every member serves on its own.
pub(crate) fn let_go(draft: &mut Draft<'_>) {
    if !draft.snapshot.deleting || !draft.snapshot.finalizer {
        return;
    }
    let ended = match draft.phase() {
        Some(AttemptPhase::Progressing | AttemptPhase::Aborting) => false,
        Some(AttemptPhase::Aborted | AttemptPhase::Completed) | None => true,
    };
    let owed: Vec<String> = draft
        .next
        .members
        .iter()
        .filter(|(_, journal)| journal.phase == MemberPhase::RollingBack)
        .map(|(member, _)| member.0.clone())
        .collect();
    if (ended && owed.is_empty()) || draft.snapshot.force_delete {
        draft.act_on_hub(HubAction::RemoveFinalizer);
        return;
    }
    draft.wait_for(Waiting {
        member: None,
        reason: WaitReason::RollingBack,
        message: format!(
            "deletion waits for {}; annotate lockflight.dev/force-delete=true to give them up",
            if owed.is_empty() { "the rollback".to_owned() } else { owed.join(", ") }
        ),
        until: None,
        token: None,
    });
}
