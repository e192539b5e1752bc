//! Everything back on one revision: abort, rollback, and the way out of a superseded attempt.
//!
//! Two levers are pulled at once, each with its own precondition: the weights, and the
//! selectors of both Services. Either takes the traffic off alone.

use crate::{
    SETTLE,
    draft::Draft,
    ids::{MemberId, Revision},
    plan::{Action, WaitReason},
    snapshot::{Facts, Role},
};

/// How long a rollback waits for a route that cannot be written, once both Services already
/// select the revision: the traffic is off by then. Longer than any write can be under way, so
/// that a raise which the rollback has overtaken is seen to land and is taken back too.
const ROUTE_PATIENCE: chrono::TimeDelta = chrono::TimeDelta::seconds(12);

/// Moves all traffic of a member to `revision`, which still has (or gets back) its pods; whether
/// that is reached. `aborted` leaves its tombstone on the Services.
pub(crate) fn serve(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    revision: &Revision,
    aborted: Option<&Revision>,
) -> bool {
    let full_size = draft.full_size(facts, revision);
    let Some(deployment) = facts.deployments.get(revision) else {
        draft.wait(
            member,
            WaitReason::StableMissing,
            format!("{member}: the Deployment of revision {revision} is gone; restore it, or release another revision"),
        );
        return false;
    };
    if deployment.replicas < full_size {
        draft.act(member, Action::Scale { revision: revision.clone(), replicas: full_size });
    }
    let others = others_ready(facts, revision);
    let carries_all =
        deployment.ready > 0 && (deployment.ready >= full_size || deployment.ready >= others);
    if !carries_all && others > 0 {
        lower_to_capacity(draft, member, facts, revision, full_size);
        draft.wait(
            member,
            WaitReason::PodsNotReady,
            format!(
                "{member}: {} of {full_size} pods of {revision} are ready to take the traffic back",
                deployment.ready
            ),
        );
        return false;
    }
    let mut selected = true;
    for role in [Role::Stable, Role::Canary] {
        if !facts.selects(role, revision) {
            selected = false;
            draft.act(
                member,
                Action::PointService {
                    role,
                    revision: revision.clone(),
                    aborted: aborted.cloned(),
                },
            );
        }
    }
    let weighed = super::route::weigh(draft, member, facts, 0, true);
    let exact = facts.serves_exactly(Role::Stable, revision)
        && facts.serves_exactly(Role::Canary, revision);
    if !selected || !exact {
        draft.edit(member, |journal| journal.endpoints_since = None);
        draft.wait(
            member,
            WaitReason::RollingBack,
            format!("{member}: the traffic goes back to {revision}"),
        );
        return false;
    }
    let now = draft.now();
    let since = draft.member(member).and_then(|journal| journal.endpoints_since).unwrap_or(now);
    draft.edit(member, |journal| journal.endpoints_since = Some(since));
    if weighed || now >= since + ROUTE_PATIENCE {
        return true;
    }
    draft.wake(since + ROUTE_PATIENCE);
    false
}

/// Ready endpoints of other revisions that a Service of ours still sends traffic to.
fn others_ready(facts: &Facts, revision: &Revision) -> u32 {
    [Role::Stable, Role::Canary]
        .into_iter()
        .filter_map(|role| facts.service(role))
        .flat_map(|service| &service.endpoints)
        .filter(|(other, _)| *other != revision)
        .map(|(_, ready)| *ready)
        .max()
        .unwrap_or(0)
}

/// Stable cannot carry everything: it gets at once what it can carry, never less than it has.
fn lower_to_capacity(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    revision: &Revision,
    full_size: u32,
) {
    let Some(weight) = draft.member(member).map(|journal| journal.weight) else { return };
    let carried = u64::from(facts.ready(revision)) * 100 / u64::from(full_size.max(1));
    let rest = 100 - u8::try_from(carried.min(100)).unwrap_or(100);
    if facts.selects(Role::Stable, revision) && rest < weight {
        super::route::weigh(draft, member, facts, rest, true);
    }
}

/// Whether nothing of the member's traffic can reach another revision, whatever the weights.
pub(crate) fn at_rest(facts: &Facts, revision: &Revision) -> bool {
    facts.selects(Role::Stable, revision) && facts.selects(Role::Canary, revision)
}

/// When the data plane has settled after a moment.
pub(super) fn settled(since: chrono::DateTime<chrono::Utc>) -> chrono::DateTime<chrono::Utc> {
    since + SETTLE
}
