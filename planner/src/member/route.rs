//! Reading the routes, and asking for a weight.

use crate::{
    draft::Draft,
    ids::MemberId,
    plan::{Action, NoticeReason, WaitReason},
    snapshot::{Facts, RouteState},
};

/// Why the routes cannot be used as they are, if so.
pub(super) fn trouble(facts: &Facts) -> Option<String> {
    facts.routes.iter().find_map(|route| match &route.state {
        RouteState::Missing => Some(format!(
            "HTTPRoute {} does not exist: create it, or correct spec.traffic.gatewayAPI.routes",
            route.name
        )),
        RouteState::Unsupported(why) => Some(format!("HTTPRoute {}: {why}", route.name)),
        RouteState::Present { complaint: Some(complaint), .. } => {
            Some(format!("HTTPRoute {}: {complaint}", route.name))
        }
        RouteState::Present { .. } => None,
    })
}

/// Whether the routes can be used; if not, says what is wrong.
pub(super) fn usable(draft: &mut Draft<'_>, member: &MemberId, facts: &Facts) -> bool {
    for route in &facts.routes {
        let reason = match &route.state {
            RouteState::Missing => WaitReason::RouteMissing,
            RouteState::Unsupported(_) => WaitReason::RouteUnsupported,
            RouteState::Present { .. } => continue,
        };
        let message = trouble(facts).unwrap_or_default();
        draft.wait(member, reason, format!("{member}: {message}"));
        return false;
    }
    true
}

/// Whether a route has a weight that is neither the one last accepted nor the one journalled:
/// then somebody else changes it, and we do not fight.
pub(super) fn contested(draft: &mut Draft<'_>, member: &MemberId, facts: &Facts) -> bool {
    let Some(journal) = draft.member(member) else { return false };
    let ours = [journal.weight, journal.acknowledged_weight];
    let expected = journal.weight;
    for route in &facts.routes {
        let RouteState::Present { lowest, highest, manager, .. } = &route.state else { continue };
        if ours.contains(lowest) && ours.contains(highest) {
            continue;
        }
        let manager = manager.as_deref().unwrap_or("an unknown field manager");
        let message = format!(
            "{member}: {manager} changed the canary's weight in HTTPRoute {} to {highest}, where Lockflight wrote {expected}; let it leave the weights of backendRefs alone and put {expected} back, or abort",
            route.name
        );
        let told = journal.verdict.as_ref().is_some_and(|v| v.message == message);
        if !told {
            draft.edit(member, |journal| {
                journal.acknowledged_at = None;
                journal.verdict = Some(crate::VerdictRecord {
                    verdict: crate::Verdict::NoData,
                    message: message.clone(),
                    evidence: None,
                });
            });
            draft.tell(NoticeReason::TrafficConflict, message.clone());
        }
        draft.wait(member, WaitReason::TrafficConflict, message);
        return true;
    }
    false
}

/// Asks for a weight and waits until every router has accepted it; whether it has.
pub(super) fn weigh(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    percent: u8,
    urgent: bool,
) -> bool {
    let now = draft.now();
    if draft.member(member).is_some_and(|journal| journal.weight != percent) {
        // Committed before it is sent: after a crash, the weight found is known to be ours.
        draft.edit(member, |journal| {
            journal.weight = percent;
            journal.acknowledged_at = None;
        });
    }
    if !facts.weighs(percent) {
        draft.edit(member, |journal| journal.acknowledged_at = None);
        if facts.routes.iter().any(|route| matches!(route.state, RouteState::Present { .. })) {
            draft.act(member, Action::SetWeight { percent, urgent });
        }
    } else if facts.acknowledged(percent) {
        if draft.member(member).is_some_and(|journal| journal.acknowledged_at.is_none()) {
            draft.edit(member, |journal| {
                journal.acknowledged_weight = percent;
                journal.acknowledged_at = Some(now);
            });
            draft.tell(
                NoticeReason::WeightAcknowledged,
                format!("{member}: the router has accepted {percent} % for the canary Service"),
            );
        }
        return true;
    }
    let message = match super::refusal(draft, member).or_else(|| trouble(facts)) {
        Some(why) => format!("{member}: {percent} % is not in force yet: {why}"),
        None => format!("{member}: the router has not yet accepted {percent} %"),
    };
    draft.wait(member, WaitReason::RouteNotAcknowledged, message);
    false
}
