//! Waves: which members may move, and when a wave has passed.

use crate::{
    draft::Draft,
    drift,
    ids::{MemberId, Revision},
    journal::{AttemptPhase, Base, MemberPhase, WaveJournal, WavePhase},
    member::{
        Movement, Requirement, advance_canary, advance_deployment, advance_promotion,
        is_held_by_crashes, judge, serve,
    },
    plan::{Action, NoticeReason, WaitReason, Waiting},
    snapshot::{Approval, UnreachableBudget},
    token::{ApprovalGate, token},
};

/// Moves the attempt forward through its waves as far as this snapshot allows.
pub(crate) fn advance(draft: &mut Draft<'_>) {
    leave_superseded(draft);
    let changed = drift::look(draft);
    let waves = draft.next.plan.as_ref().map_or(0, |plan| plan.waves.len());
    for index in 0..waves {
        let movement = match movement(draft, index) {
            Movement::Forward if changed => Movement::Hold,
            movement => movement,
        };
        if !start(draft, index, movement) {
            return;
        }
        move_members(draft, index, movement);
        if draft.phase() != Some(AttemptPhase::Progressing) {
            return;
        }
        if !finish(draft, index, movement) {
            return;
        }
    }
    if !changed {
        complete(draft);
    }
}

/// Members whose turn has not come go back to what served when the attempt began, whatever an
/// earlier attempt had under way there; members that serve the revision already are done.
fn leave_superseded(draft: &mut Draft<'_>) {
    let target = draft.target();
    let pending: Vec<MemberId> = draft
        .next
        .members
        .iter()
        .filter(|(_, journal)| journal.phase == MemberPhase::Pending)
        .map(|(member, _)| member.clone())
        .collect();
    for member in pending {
        let (Some(facts), Some(base)) = (draft.facts(&member), draft.base(&member)) else {
            continue;
        };
        let unweighted = draft.member(&member).is_some_and(|m| m.acknowledged_weight == 0);
        let back = (unweighted && serve::at_rest(facts, &base))
            || serve::serve(draft, &member, facts, &base, None);
        if back && Some(&base) == target.as_ref() && has_pods(draft, &member, facts, &base) {
            let ready = facts.ready(&base);
            draft.enter(&member, MemberPhase::Promoted, 0);
            draft.edit(&member, |journal| journal.ready_pods = ready);
        }
    }
}

/// Whether a revision that the Services select already has pods; its Deployment is made again where
/// somebody has deleted it.
fn has_pods(
    draft: &mut Draft<'_>,
    member: &MemberId,
    facts: &crate::snapshot::Facts,
    revision: &Revision,
) -> bool {
    let replicas = draft.full_size(facts, revision);
    if facts.ready(revision) > 0 || replicas == 0 {
        return true;
    }
    if !facts.deployments.contains_key(revision) && draft.snapshot.policy.is_some() {
        draft.act(member, Action::CreateDeployment { revision: revision.clone(), replicas });
    }
    let message = format!("{member}: no pod of {revision}, which its Services select, is ready");
    draft.wait(member, WaitReason::PodsNotReady, message);
    false
}

/// Whether a wave may move now; says why not.
fn movement(draft: &mut Draft<'_>, index: usize) -> Movement {
    let reason = if draft.snapshot.policy.is_none() {
        Some((
            WaitReason::InvalidSpec,
            "the spec is not valid; nothing moves until it is corrected".to_owned(),
        ))
    } else if draft.snapshot.commands.paused {
        Some((
            WaitReason::Paused,
            "paused by the annotation lockflight.dev/pause; remove it to resume".to_owned(),
        ))
    } else {
        over_budget(draft, index)
    };
    let Some((reason, message)) = reason else { return Movement::Forward };
    let done = wave(draft, index).is_none_or(|wave| wave.phase == WavePhase::Done);
    if !done {
        draft.wait_for(Waiting { member: None, reason, message, until: None, token: None });
    }
    Movement::Hold
}

/// Members of the waves so far that are out of reach and not done.
fn missing(draft: &Draft<'_>, index: usize) -> Vec<MemberId> {
    let Some(plan) = &draft.next.plan else { return Vec::new() };
    plan.waves
        .iter()
        .take(index + 1)
        .flat_map(|wave| &wave.planned.members)
        .filter(|member| draft.facts(member).is_none())
        .filter(|member| {
            draft.member(member).is_some_and(|journal| journal.phase != MemberPhase::Promoted)
        })
        .cloned()
        .collect()
}

fn budget(draft: &Draft<'_>, index: usize) -> usize {
    match draft.snapshot.policy.as_ref().map(|policy| policy.unreachable) {
        Some(UnreachableBudget::Fixed(members)) => members,
        Some(UnreachableBudget::AfterSecondWave(members)) if index >= 2 => members,
        Some(UnreachableBudget::AfterSecondWave(_)) | None => 0,
    }
}

fn over_budget(draft: &Draft<'_>, index: usize) -> Option<(WaitReason, String)> {
    let missing = missing(draft, index);
    let budget = budget(draft, index);
    (missing.len() > budget).then(|| {
        let names: Vec<&str> = missing.iter().map(|member| member.0.as_str()).collect();
        let message = format!(
            "{} out of reach: {}; failurePolicy.maxUnreachableClusters allows {budget} here",
            missing.len(),
            names.join(", ")
        );
        (WaitReason::Unreachable, message)
    })
}

fn wave<'d>(draft: &'d Draft<'_>, index: usize) -> Option<&'d WaveJournal> {
    draft.next.plan.as_ref().and_then(|plan| plan.waves.get(index))
}

fn set_phase(draft: &mut Draft<'_>, index: usize, phase: WavePhase) {
    let now = draft.now();
    if let Some(wave) = draft.next.plan.as_mut().and_then(|plan| plan.waves.get_mut(index)) {
        wave.phase = phase;
        wave.since = now;
    }
}

/// Starts a wave whose turn has come; whether it is under way.
fn start(draft: &mut Draft<'_>, index: usize, movement: Movement) -> bool {
    let Some(wave) = wave(draft, index) else { return false };
    if wave.phase != WavePhase::Waiting {
        return true;
    }
    let name = wave.planned.name.clone();
    // A wave that serves the revision already, as after a spec that was put back, moves nothing.
    let moves = wave.planned.members.iter().any(|member| {
        draft.member(member).is_none_or(|journal| journal.phase != MemberPhase::Promoted)
    });
    if wave.planned.approval == Approval::Before && !wave.approved && moves {
        await_approval(draft, index, format!("wave {name} may start and awaits approval"));
        return false;
    }
    if movement == Movement::Hold {
        return false;
    }
    set_phase(draft, index, WavePhase::Moving);
    draft.tell(NoticeReason::WaveStarted, format!("wave {name} starts"));
    true
}

fn move_members(draft: &mut Draft<'_>, index: usize, movement: Movement) {
    let Some(planned) = wave(draft, index).map(|wave| wave.planned.clone()) else { return };
    let mut moving = 0;
    for (position, member) in planned.members.iter().enumerate() {
        let Some(facts) = draft.facts(member) else {
            report_missing(draft, member);
            continue;
        };
        let Some(journal) = draft.member(member).cloned() else { continue };
        if journal.phase == MemberPhase::Pending {
            if movement == Movement::Hold {
                continue;
            }
            if in_flight(draft, index) >= planned.concurrent_max {
                draft.wait(
                    member,
                    WaitReason::WaveConcurrency,
                    format!(
                        "{member}: its turn comes when another cluster of wave {} is done",
                        planned.name
                    ),
                );
                continue;
            }
            if !begin_member(draft, member, &journal.base, facts) {
                continue;
            }
        }
        let first = position == 0;
        let mut movement = movement;
        if draft.member(member).is_some_and(|journal| journal.phase.in_flight()) {
            moving += 1;
            // One that came back while another had taken its place goes on when there is room.
            if moving > planned.concurrent_max {
                movement = Movement::Hold;
            }
            if is_held_by_crashes(draft, member) {
                movement = Movement::Hold;
            }
        }
        match draft.member(member).map(|journal| journal.phase) {
            Some(MemberPhase::Canary) => advance_canary(draft, member, facts, first, movement),
            Some(MemberPhase::Deploying) => advance_deployment(draft, member, facts, movement),
            Some(MemberPhase::Promoting) => advance_promotion(draft, member, facts, movement),
            Some(MemberPhase::RollingBack) => {
                crate::abort::roll_back(draft, member);
            }
            Some(MemberPhase::Pending | MemberPhase::Promoted | MemberPhase::RolledBack) | None => {
            }
        }
        if draft.phase() != Some(AttemptPhase::Progressing) {
            return;
        }
    }
}

/// Starts a member; whether it is under way.
fn begin_member(
    draft: &mut Draft<'_>,
    member: &MemberId,
    base: &Base,
    facts: &crate::snapshot::Facts,
) -> bool {
    match base {
        Base::Unseen => return false,
        Base::Nothing => draft.enter(member, MemberPhase::Deploying, 0),
        Base::Serving(revision) => {
            let weight = draft.member(member).map_or(0, |journal| journal.acknowledged_weight);
            if weight > 0 || !serve::at_rest(facts, revision) {
                return false;
            }
            draft.enter(member, MemberPhase::Canary, 1);
        }
    }
    draft.tell(NoticeReason::ClusterStarted, format!("{member} starts"));
    true
}

fn report_missing(draft: &mut Draft<'_>, member: &MemberId) {
    let Some(journal) = draft.member(member).cloned() else { return };
    if journal.phase == MemberPhase::Promoted {
        return;
    }
    let since = journal.unknown_since.unwrap_or(journal.since);
    draft.wait(
        member,
        WaitReason::Unreachable,
        format!(
            "{member} is unknown since {} UTC; it keeps its last weights and goes on when it returns",
            since.format("%H:%M:%S")
        ),
    );
}

/// Members of the wave under way. One that is out of reach holds its place unless the budget
/// covers it.
fn in_flight(draft: &Draft<'_>, index: usize) -> usize {
    let covered = missing(draft, index).len() <= budget(draft, index);
    wave(draft, index).map_or(0, |wave| {
        wave.planned
            .members
            .iter()
            .filter(|member| draft.member(member).is_some_and(|journal| journal.phase.in_flight()))
            .filter(|member| draft.facts(member).is_some() || !covered)
            .count()
    })
}

/// Lets a wave whose members are all through bake and pass; whether it has passed.
fn finish(draft: &mut Draft<'_>, index: usize, movement: Movement) -> bool {
    let Some(wave) = wave(draft, index).cloned() else { return false };
    if wave.phase == WavePhase::Done {
        return true;
    }
    if movement == Movement::Hold && wave.phase == WavePhase::Moving {
        return false;
    }
    if wave.phase == WavePhase::Moving {
        if !wave.planned.members.iter().all(|member| is_through(draft, member)) {
            return false;
        }
        set_phase(draft, index, WavePhase::Baking);
    }
    let since = self::wave(draft, index).map_or(wave.since, |wave| wave.since);
    // A first deployment replaces nothing that a bake could protect.
    let moved: Vec<MemberId> = wave
        .planned
        .members
        .iter()
        .filter(|member| {
            draft.facts(member).is_some()
                && draft.member(member).is_some_and(|journal| {
                    let replaced = matches!(journal.base, Base::Serving(_));
                    journal.phase == MemberPhase::Promoted && journal.step > 0 && replaced
                })
        })
        .cloned()
        .collect();
    let required =
        Requirement { since, bake: wave.planned.bake, samples: wave.planned.samples, step: None };
    let baked = moved
        .iter()
        // Every member is judged, so that each asks for its evidence.
        .filter(|member| !judge(draft, member, &required) | is_held_by_crashes(draft, member))
        .count()
        == 0;
    if !baked || movement == Movement::Hold {
        return false;
    }
    let approved = self::wave(draft, index).is_some_and(|wave| wave.approved);
    if wave.planned.approval == Approval::After && !approved && !moved.is_empty() {
        await_approval(
            draft,
            index,
            format!("wave {} has passed and awaits approval", wave.planned.name),
        );
        return false;
    }
    set_phase(draft, index, WavePhase::Done);
    draft.tell(NoticeReason::WavePassed, format!("wave {} has passed", wave.planned.name));
    true
}

/// Whether the wave need not wait for a member any more.
fn is_through(draft: &Draft<'_>, member: &MemberId) -> bool {
    match draft.member(member) {
        Some(journal) => match journal.phase {
            MemberPhase::Promoted => true,
            MemberPhase::RolledBack => journal.problem.is_some(),
            // Over the budget the wave does not come here at all.
            MemberPhase::Pending
            | MemberPhase::Deploying
            | MemberPhase::Canary
            | MemberPhase::Promoting
            | MemberPhase::RollingBack => draft.facts(member).is_none(),
        },
        None => true,
    }
}

fn await_approval(draft: &mut Draft<'_>, index: usize, message: String) {
    let attempt = draft.next.attempt.as_ref().map_or(0, |attempt| attempt.number);
    let token = token(&draft.snapshot.uid, attempt, ApprovalGate::Wave(index));
    if !draft.snapshot.shown_tokens.contains(&token) {
        draft.tell(NoticeReason::AwaitingApproval, format!("{message} with token {token}"));
    }
    draft.wait_for(Waiting {
        member: None,
        reason: WaitReason::AwaitingApproval,
        message,
        until: None,
        token: Some(token),
    });
}

/// Every wave has passed: the attempt is complete once no member is left behind.
fn complete(draft: &mut Draft<'_>) {
    let left = draft.next.members.values().any(|journal| match journal.phase {
        MemberPhase::Promoted => false,
        MemberPhase::RolledBack => journal.problem.is_none(),
        MemberPhase::Pending
        | MemberPhase::Deploying
        | MemberPhase::Canary
        | MemberPhase::Promoting
        | MemberPhase::RollingBack => true,
    });
    if left {
        return;
    }
    let now = draft.now();
    let Some(attempt) = &mut draft.next.attempt else { return };
    attempt.phase = AttemptPhase::Completed;
    attempt.ended_at = Some(now);
    let message = format!("revision {} serves in every cluster of the plan", attempt.revision);
    draft.tell(NoticeReason::RolloutCompleted, message);
    draft.wake(now + crate::DRAIN);
}
