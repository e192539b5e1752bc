//! The first deployment in a member: nothing served before, so there is nothing to compare with
//! and no weight to move. Threshold gates still hold it.

use chrono::TimeDelta;

use crate::{
    draft::Draft,
    ids::MemberId,
    journal::MemberPhase,
    plan::{Action, NoticeReason, WaitReason},
    snapshot::{Facts, Role},
};

use super::{Movement, Requirement, ensure_capacity, route};

/// Advances a first deployment as far as this snapshot allows.
pub(crate) fn advance(draft: &mut Draft<'_>, member: &MemberId, facts: &Facts, movement: Movement) {
    let Some(target) = draft.target() else { return };
    if movement == Movement::Hold || !route::usable(draft, member, facts) {
        return;
    }
    let ready = facts.ready(&target);
    draft.edit(member, |journal| journal.ready_pods = ready);
    let full_size = draft.full_size(facts, &target);
    for role in [Role::Stable, Role::Canary] {
        if !facts.selects(role, &target) {
            draft.act(
                member,
                Action::PointService { role, revision: target.clone(), aborted: None },
            );
        }
    }
    if !ensure_capacity(draft, member, facts, &target, full_size) {
        super::watch_deadline(draft, member);
        return;
    }
    let exact =
        facts.serves_exactly(Role::Stable, &target) && facts.serves_exactly(Role::Canary, &target);
    if !exact {
        draft.wait(
            member,
            WaitReason::EndpointsNotReady,
            format!("{member}: the Services do not yet have exactly the ready pods of {target}"),
        );
        super::watch_deadline(draft, member);
        return;
    }
    if !route::weigh(draft, member, facts, 0, false) {
        super::watch_deadline(draft, member);
        return;
    }
    let Some(since) = draft.member(member).and_then(|journal| journal.acknowledged_at) else {
        return;
    };
    let required = Requirement { since, bake: TimeDelta::zero(), samples: 0, step: None };
    if !super::judge(draft, member, &required) {
        return;
    }
    let steps = draft.next.plan.as_ref().map_or(1, |plan| plan.steps.len());
    draft.enter(member, MemberPhase::Promoted, steps);
    draft.tell(
        NoticeReason::ClusterPromoted,
        format!("{member}: {target} serves for the first time"),
    );
}
