//! The new revision becomes the stable one: the same pods, nothing is rolled twice.
//!
//! Weights 0/100 → stable Service names the new revision → its endpoints are exactly the new
//! pods, settled → weights 100/0. Both Services then name the new revision: at rest.

use crate::{
    draft::Draft,
    ids::MemberId,
    journal::MemberPhase,
    plan::{Action, NoticeReason, WaitReason},
    snapshot::{Facts, Role},
};

use super::{Movement, ensure_capacity, route, serve::settled};

/// Advances a promotion as far as this snapshot allows.
pub(crate) fn advance(draft: &mut Draft<'_>, member: &MemberId, facts: &Facts, movement: Movement) {
    let Some(target) = draft.target() else { return };
    if !route::usable(draft, member, facts) || route::contested(draft, member, facts) {
        return;
    }
    let full_size = draft.full_size(facts, &target);
    if movement == Movement::Hold {
        return;
    }
    if !ensure_capacity(draft, member, facts, &target, full_size) {
        super::watch_deadline(draft, member);
        return;
    }
    if !facts.selects(Role::Stable, &target) {
        draft.act(
            member,
            Action::PointService { role: Role::Stable, revision: target.clone(), aborted: None },
        );
    }
    if !facts.serves_exactly(Role::Stable, &target) {
        draft.edit(member, |journal| journal.endpoints_since = None);
        draft.wait(
            member,
            WaitReason::EndpointsNotReady,
            format!(
                "{member}: the stable Service does not yet have exactly the ready pods of {target}"
            ),
        );
        super::watch_deadline(draft, member);
        return;
    }
    let now = draft.now();
    let since = draft.member(member).and_then(|journal| journal.endpoints_since).unwrap_or(now);
    draft.edit(member, |journal| journal.endpoints_since = Some(since));
    if now < settled(since) {
        draft.wait_until(
            member,
            WaitReason::Settling,
            format!("{member}: the stable Service names {target}; the gateway settles"),
            settled(since),
        );
        return;
    }
    if !route::weigh(draft, member, facts, 0, false) {
        super::watch_deadline(draft, member);
        return;
    }
    let step = draft.member(member).map_or(0, |journal| journal.step);
    draft.enter(member, MemberPhase::Promoted, step);
    draft.tell(NoticeReason::ClusterPromoted, format!("{member}: {target} is the stable revision"));
}
