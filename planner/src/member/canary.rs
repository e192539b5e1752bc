//! The new revision's steps beside the stable one.
//!
//! Per step: pods ready → endpoints → weight → accepted by the router → evidence → next.

use chrono::TimeDelta;

use crate::{
    draft::Draft,
    ids::{MemberId, Revision},
    journal::MemberPhase,
    plan::{Action, NoticeReason, WaitReason, Waiting},
    snapshot::{Approval, Facts, PlannedStep, Role},
    token::{ApprovalGate, token},
};

use super::{Crash, Movement, Requirement, ensure_capacity, pods_for, route, serve::settled};

/// How long fewer than half of a canary's pods may be ready while it carries traffic: longer than
/// a restart or an eviction takes, far shorter than the progress deadline.
const CANARY_LOST_MAX: TimeDelta = TimeDelta::seconds(20);

/// Advances a canary as far as this snapshot allows. `first` says whether the member opens its
/// wave, which has the longer bakes.
pub(crate) fn advance(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    first: bool,
    movement: Movement,
) {
    let Some(target) = draft.target() else { return };
    let steps = draft.next.plan.as_ref().map(|plan| plan.steps.clone()).unwrap_or_default();
    note_ready(draft, member, facts, &target);
    if !route::usable(draft, member, facts) || route::contested(draft, member, facts) {
        return;
    }
    // Each turn either returns or enters the next step, so the loop ends with the steps.
    for _ in 0..=steps.len() {
        let Some(number) = draft.member(member).map(|journal| journal.step) else { return };
        let Some(step) = number.checked_sub(1).and_then(|index| steps.get(index)) else { return };
        if !take(draft, member, facts, &target, number, step, movement)
            || !pass(draft, member, number, step, first)
            || movement == Movement::Hold
        {
            return;
        }
        if number == steps.len() {
            draft.enter(member, MemberPhase::Promoting, number);
            super::advance_promotion(draft, member, facts, movement);
            return;
        }
        draft.enter(member, MemberPhase::Canary, number + 1);
        draft.tell(
            NoticeReason::StepStarted,
            format!("{member}: step {} of {}", number + 1, steps.len()),
        );
    }
}

/// Brings a step into force; whether it is, acknowledged by the router.
fn take(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    target: &Revision,
    number: usize,
    step: &PlannedStep,
    movement: Movement,
) -> bool {
    let Some(journal) = draft.member(member).cloned() else { return false };
    let asked_for = journal.weight == step.weight;
    if !asked_for && movement == Movement::Hold {
        return false;
    }
    let approved = journal.approved_step == Some(number);
    if !asked_for && step.approval == Approval::Before && !approved {
        await_approval(draft, member, number, "may start");
        return false;
    }
    if !prepare(draft, member, facts, target, step.weight) {
        note_lost_capacity(draft, member);
        if asked_for {
            watch_lost_canary(draft, member, facts.ready(target), step.weight);
        }
        super::watch_deadline(draft, member);
        return false;
    }
    if draft.member(member).is_some_and(|journal| journal.endpoints_since.is_none()) {
        let now = draft.now();
        draft.edit(member, |journal| journal.endpoints_since = Some(now));
    }
    if !route::weigh(draft, member, facts, step.weight, false) {
        super::watch_deadline(draft, member);
        return false;
    }
    true
}

/// Capacity before traffic: pods, selector, endpoints.
fn prepare(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    target: &Revision,
    weight: u8,
) -> bool {
    let Some(base) = draft.base(member) else { return false };
    let full_size = draft.full_size(facts, &base);
    // The stable revision stays at full size, so that an abort never waits for pods.
    if facts.deployments.get(&base).is_some_and(|deployment| deployment.replicas < full_size) {
        draft.act(member, Action::Scale { revision: base.clone(), replicas: full_size });
    }
    let needed = pods_for(weight, full_size);
    let has_pods = ensure_capacity(draft, member, facts, target, needed);
    let selected = select(draft, member, facts, &base, target, has_pods);
    if !has_pods || !selected {
        return false;
    }
    if facts.serves_exactly(Role::Canary, target) {
        return true;
    }
    wait_for_endpoints(draft, member, target);
    false
}

fn wait_for_endpoints(draft: &mut Draft<'_>, member: &MemberId, target: &Revision) {
    let message = format!(
        "{member}: the canary Service does not yet have exactly the ready pods of {target}"
    );
    draft.wait(member, WaitReason::EndpointsNotReady, message);
}

/// Lets the canary Service select the new revision, only while nothing flows through it: with
/// weight on it, requests would meet a Service without pods.
fn select(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &Facts,
    base: &Revision,
    target: &Revision,
    has_pods: bool,
) -> bool {
    if !facts.selects(Role::Stable, base) {
        draft.wait(
            member,
            WaitReason::TrafficConflict,
            format!("{member}: somebody else changed the selector of the stable Service, which should name {base}; restore it, or abort"),
        );
        return false;
    }
    if facts.selects(Role::Canary, target) {
        return true;
    }
    if draft.member(member).is_some_and(|journal| journal.acknowledged_weight > 0) {
        draft.wait(
            member,
            WaitReason::TrafficConflict,
            format!("{member}: somebody else changed the selector of the canary Service, which should name {target}; restore it, or abort"),
        );
        return false;
    }
    if !route::weigh(draft, member, facts, 0, false) {
        return false;
    }
    let Some(since) = draft.member(member).and_then(|journal| journal.acknowledged_at) else {
        return false;
    };
    if draft.now() < settled(since) {
        draft.wait_until(
            member,
            WaitReason::Settling,
            format!("{member}: the canary Service is without traffic; the gateway settles"),
            settled(since),
        );
        return false;
    }
    draft.act(
        member,
        Action::PointService { role: Role::Canary, revision: target.clone(), aborted: None },
    );
    // Without pods it is the pods that are waited for, before and after this write.
    if has_pods {
        wait_for_endpoints(draft, member, target);
    }
    false
}

/// Evidence and approval of a step in force; whether the way is open.
fn pass(
    draft: &mut Draft<'_>,
    member: &MemberId,
    number: usize,
    step: &PlannedStep,
    first: bool,
) -> bool {
    let Some(journal) = draft.member(member).cloned() else { return false };
    let Some(since) = journal.acknowledged_at else { return false };
    let required = Requirement {
        since,
        bake: if first { step.bake_first } else { step.bake },
        samples: step.samples,
        step: Some(number),
    };
    if !super::judge(draft, member, &required) {
        return false;
    }
    if step.approval == Approval::After && journal.approved_step != Some(number) {
        await_approval(draft, member, number, "has passed");
        return false;
    }
    true
}

fn await_approval(draft: &mut Draft<'_>, member: &MemberId, number: usize, what: &str) {
    let attempt = draft.next.attempt.as_ref().map_or(0, |attempt| attempt.number);
    let token = token(&draft.snapshot.uid, attempt, ApprovalGate::Step(member, number));
    let message = format!("{member}: step {number} {what} and awaits approval");
    if !draft.snapshot.shown_tokens.contains(&token) {
        draft.tell(NoticeReason::AwaitingApproval, format!("{message} with token {token}"));
    }
    draft.wait_for(Waiting {
        member: Some(member.clone()),
        reason: WaitReason::AwaitingApproval,
        message,
        until: None,
        token: Some(token),
    });
}

fn note_ready(draft: &mut Draft<'_>, member: &MemberId, facts: &Facts, target: &Revision) {
    let ready = facts.ready(target);
    draft.edit(member, |journal| journal.ready_pods = ready);
}

/// Fails a member whose canary has lost most of its pods while traffic flows to it. Pods that
/// crash give no samples, so no metric could tell.
fn watch_lost_canary(draft: &mut Draft<'_>, member: &MemberId, ready: u32, weight: u8) {
    let Some(policy) = &draft.snapshot.policy else { return };
    let needed = super::pods_for(weight, policy.replicas);
    let Some(since) = draft.member(member).map(|journal| journal.since) else { return };
    // Where stable crashes too, going back repairs nothing: the progress deadline decides.
    if ready.saturating_mul(2) >= needed || Crash::look(draft, member) == Crash::OfBoth {
        return;
    }
    if draft.now() < since + CANARY_LOST_MAX {
        draft.wake(since + CANARY_LOST_MAX);
        return;
    }
    let seconds = CANARY_LOST_MAX.num_seconds();
    let message = format!(
        "{ready} of {needed} canary pods are ready, for {seconds} s, under {weight} % of the traffic"
    );
    crate::abort::fail(draft, member, "CanaryNotReady", &message, None);
}

/// The deadline of a wait for pods that had been there counts from their loss.
fn note_lost_capacity(draft: &mut Draft<'_>, member: &MemberId) {
    let now = draft.now();
    draft.edit(member, |journal| {
        if journal.endpoints_since.take().is_some() {
            journal.since = now;
        }
    });
}
