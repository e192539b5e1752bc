//! How the fleet changes: by itself, and by commands.

use chrono::Utc;
use lockflight::shelf::Key;
use lockflight_crds::{
    AttemptPhase, MemberPhase, Rollout, RolloutStatus, conditions::types, names,
};

use crate::world::World;

/// Moves some Rollouts that are under way, as a real fleet would: a weight is accepted, a step
/// is taken, a cluster is promoted.
pub(crate) fn some(world: &World, count: u32) {
    let moving = world.rollouts.select(|rollout| {
        rollout.metadata.namespace.as_deref() != Some("shop")
            && rollout.status.as_ref().is_some_and(is_moving)
    });
    for _ in 0..count {
        if let Some(rollout) = fastrand::choice(&moving) {
            world.change(&Key::of(rollout.as_ref()), |rollout| {
                if let Some(status) = rollout.status.as_mut() {
                    step(status);
                }
            });
        }
    }
}

fn is_moving(status: &RolloutStatus) -> bool {
    status.attempt.as_ref().is_some_and(|attempt| attempt.phase == AttemptPhase::Progressing)
}

fn step(status: &mut RolloutStatus) {
    let weights: Vec<u8> = status.plan.iter().flat_map(|p| &p.steps).map(|s| s.weight).collect();
    let count = status.members.len();
    let at = status.members.iter().position(|m| m.phase == MemberPhase::Canary);
    let Some(member) = at.and_then(|at| status.members.get_mut(at)) else {
        // All are promoted: the next release begins.
        for member in &mut status.members {
            (member.phase, member.step, member.weight) = (MemberPhase::Pending, 0, 0);
        }
        if let Some(first) = status.members.first_mut() {
            (first.phase, first.step, first.weight) = (MemberPhase::Canary, 1, 5);
        }
        return;
    };
    member.since = Utc::now();
    if member.acknowledged_weight != member.weight {
        member.acknowledged_weight = member.weight;
        member.acknowledged_at = Some(Utc::now());
        return;
    }
    let next = usize::try_from(member.step).ok().and_then(|step| weights.get(step));
    if let Some(weight) = next {
        member.step += 1;
        member.weight = *weight;
        member.ready_pods = u32::from(*weight).div_ceil(17);
        status.weight = Some(*weight);
        return;
    }
    (member.phase, member.weight, member.acknowledged_weight) = (MemberPhase::Promoted, 0, 0);
    if let Some(next) = at.map(|at| at + 1).filter(|next| *next < count)
        && let Some(member) = status.members.get_mut(next)
    {
        (member.phase, member.step, member.weight) = (MemberPhase::Canary, 1, 5);
    }
}

/// Carries out what annotations ask for, as the hub would.
pub(crate) fn commands(world: &World) {
    let asked = world.rollouts.select(|rollout| {
        let going_back = rollout.status.as_ref().and_then(|status| status.attempt.as_ref());
        let going_back = going_back.is_some_and(|attempt| attempt.phase == AttemptPhase::Aborting);
        let is_mail = rollout.metadata.name.as_deref() == Some("mail");
        (going_back && !is_mail)
            || [names::ABORT_ANNOTATION, names::PROMOTE_ANNOTATION, names::RETRY_ANNOTATION]
                .iter()
                .any(|name| annotation(rollout, name).is_some())
            || (rollout.status.as_ref().is_some_and(is_moving)
                && is_paused(rollout) != says_paused(rollout))
    });
    for rollout in asked {
        let key = Key::of(rollout.as_ref());
        let mut told = None;
        world.change(&key, |rollout| told = take_up(rollout));
        if let Some((warning, reason, note)) = told {
            world.tell(&key.name, warning, reason, &note, Utc::now());
        }
    }
}

fn annotation(rollout: &Rollout, name: &str) -> Option<String> {
    rollout.metadata.annotations.as_ref()?.get(name).cloned()
}

fn is_paused(rollout: &Rollout) -> bool {
    annotation(rollout, names::PAUSE_ANNOTATION).is_some()
}

fn says_paused(rollout: &Rollout) -> bool {
    let ready = rollout.status.as_ref().and_then(|status| status.conditions.first());
    ready.is_some_and(|ready| ready.reason == "Paused")
}

/// Takes up one command; what to tell of it.
fn take_up(rollout: &mut Rollout) -> Option<(bool, &'static str, String)> {
    let abort = remove(rollout, names::ABORT_ANNOTATION);
    let promote = remove(rollout, names::PROMOTE_ANNOTATION);
    let retry = remove(rollout, names::RETRY_ANNOTATION);
    let (paused, said) = (is_paused(rollout), says_paused(rollout));
    let status = rollout.status.as_mut()?;
    let phase = status.attempt.as_ref().map(|attempt| attempt.phase)?;
    if let Some(reason) = abort {
        status.waiting.clear();
        let message = format!("aborted by command: {reason}");
        set(status, AttemptPhase::Aborting, "Aborting", &format!("going back: {message}"));
        for member in status.members.iter_mut().filter(|m| m.phase != MemberPhase::Pending) {
            (member.phase, member.weight) = (MemberPhase::RollingBack, 0);
        }
        return Some((true, "RolloutAborted", message));
    }
    if let Some(tokens) = promote {
        status.waiting.retain(|wait| wait.token.as_ref().is_none_or(|t| !tokens.contains(t)));
        status.handled.promote = Some(tokens.clone());
        step(status);
        set(status, AttemptPhase::Progressing, "Analyzing", "a step bakes for 1m");
        return Some((false, "Approved", format!("opened by token {tokens}")));
    }
    if retry.is_some() {
        if let Some(attempt) = status.attempt.as_mut() {
            attempt.number += 1;
            (attempt.started_at, attempt.ended_at) = (Utc::now(), None);
        }
        status.abort = None;
        set(status, AttemptPhase::Progressing, "Progressing", "the first step starts");
        return Some((false, "RolloutStarted", "tried again".to_owned()));
    }
    if phase == AttemptPhase::Aborting {
        for member in status.members.iter_mut().filter(|m| m.phase == MemberPhase::RollingBack) {
            (member.phase, member.acknowledged_weight) = (MemberPhase::RolledBack, 0);
        }
        status.weight = Some(0);
        if let Some(attempt) = status.attempt.as_mut() {
            attempt.ended_at = Some(Utc::now());
        }
        set(status, AttemptPhase::Aborted, "Aborted", "aborted by command");
        return Some((false, "RolledBack", "all traffic is on the stable revision".to_owned()));
    }
    if phase != AttemptPhase::Progressing {
        return None;
    }
    if paused && !said {
        set(status, phase, "Paused", "paused: nothing moves forward");
    } else if said && !paused {
        set(status, phase, "Progressing", "goes on");
        status.waiting.retain(|wait| wait.reason != "Paused");
    }
    None
}

fn remove(rollout: &mut Rollout, name: &str) -> Option<String> {
    rollout.metadata.annotations.as_mut()?.remove(name)
}

fn set(status: &mut RolloutStatus, phase: AttemptPhase, reason: &str, message: &str) {
    if let Some(attempt) = status.attempt.as_mut() {
        attempt.phase = phase;
    }
    for ready in status.conditions.iter_mut().filter(|c| c.type_ == types::READY) {
        reason.clone_into(&mut ready.reason);
        message.clone_into(&mut ready.message);
    }
}
