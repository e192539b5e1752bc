//! When an attempt starts, with what, and what each member brings into it.

use std::collections::BTreeMap;

use crate::{
    draft::Draft,
    ids::{MemberId, Revision},
    journal::{
        Abort, Attempt, AttemptPhase, Base, MemberJournal, MemberPhase, PlanJournal, WaveJournal,
        WavePhase,
    },
    plan::NoticeReason,
    snapshot::{Facts, Observed, Policy},
};

/// Starts an attempt where the spec asks for a revision that the last one was not about, where
/// the user retries, or where a completed one lacks members of the placement.
pub(crate) fn follow_spec(draft: &mut Draft<'_>) {
    let Some(policy) = &draft.snapshot.policy else { return };
    if draft.snapshot.deleting {
        return;
    }
    match &draft.next.attempt {
        None => begin(draft, policy),
        // What goes back gets there first: the next attempt builds on what stands then.
        Some(attempt) if attempt.phase == AttemptPhase::Aborting => {}
        Some(attempt) if attempt.revision != policy.revision || draft.retry => begin(draft, policy),
        Some(attempt) => {
            let newcomer = policy
                .waves
                .iter()
                .flat_map(|wave| &wave.members)
                .any(|member| !draft.next.members.contains_key(member));
            if attempt.phase == AttemptPhase::Completed && newcomer {
                begin(draft, policy);
            }
        }
    }
}

fn begin(draft: &mut Draft<'_>, policy: &Policy) {
    let now = draft.now();
    let lost = draft.next.attempt.is_none();
    let number = match &draft.next.attempt {
        Some(attempt) => attempt.number + 1,
        None => last_number_in_members(draft) + 1,
    };
    let previous = draft.next.attempt.as_ref().map(|attempt| attempt.revision.clone());
    let members: BTreeMap<MemberId, MemberJournal> = policy
        .waves
        .iter()
        .flat_map(|wave| &wave.members)
        .map(|member| (member.clone(), carried_over(draft, member, previous.as_ref())))
        .collect();
    draft.next.members = members;
    draft.next.attempt = Some(Attempt {
        number,
        revision: policy.revision.clone(),
        phase: AttemptPhase::Progressing,
        started_at: now,
        ended_at: None,
    });
    draft.next.plan = Some(PlanJournal {
        steps: policy.steps.clone(),
        waves: policy
            .waves
            .iter()
            .map(|planned| WaveJournal {
                planned: planned.clone(),
                approved: false,
                phase: WavePhase::Waiting,
                since: now,
            })
            .collect(),
        gated: policy.gated,
        pacing: policy.pacing,
    });
    draft.next.abort = None;
    draft.tell(
        NoticeReason::RolloutStarted,
        format!(
            "attempt {number}: revision {} through {} waves",
            policy.revision,
            policy.waves.len()
        ),
    );
    if lost && number > 1 {
        recover(draft, policy);
    }
}

/// What a member brings into the next attempt: what served there, and the weight last known.
fn carried_over(
    draft: &Draft<'_>,
    member: &MemberId,
    previous: Option<&Revision>,
) -> MemberJournal {
    let now = draft.now();
    let mut journal = MemberJournal {
        phase: MemberPhase::Pending,
        step: 0,
        since: now,
        base: Base::Unseen,
        weight: 0,
        acknowledged_weight: 0,
        acknowledged_at: None,
        endpoints_since: None,
        ready_pods: 0,
        verdict: None,
        unknown_since: None,
        problem: None,
        approved_step: None,
    };
    let (Some(old), Some(previous)) = (draft.member(member), previous) else {
        return journal;
    };
    let facts = draft.facts(member);
    let stable_moved = facts.is_some_and(|facts| facts.selects(crate::Role::Stable, previous));
    // What somebody has let serve since counts, not what was left there.
    let now_serves = facts.and_then(|facts| facts.stable.as_ref()?.selects.clone());
    journal.base = match old.phase {
        MemberPhase::Promoted => Base::Serving(now_serves.unwrap_or_else(|| previous.clone())),
        MemberPhase::RolledBack if matches!(old.base, Base::Serving(_)) => {
            now_serves.map_or_else(|| old.base.clone(), Base::Serving)
        }
        // The stable Service has moved already: the old attempt's revision serves here.
        MemberPhase::Promoting if stable_moved => Base::Serving(previous.clone()),
        MemberPhase::Deploying => match draft.facts(member) {
            Some(facts) if facts.ready(previous) > 0 => Base::Serving(previous.clone()),
            Some(_) => Base::Nothing,
            None => Base::Unseen,
        },
        MemberPhase::Pending
        | MemberPhase::Canary
        | MemberPhase::Promoting
        | MemberPhase::RollingBack
        | MemberPhase::RolledBack => old.base.clone(),
    };
    journal.unknown_since = old.unknown_since;
    // A raise that was asked for counts as in force until the router was seen without it.
    journal.acknowledged_weight = old.acknowledged_weight.max(old.weight);
    if old.weight == 0 {
        journal.acknowledged_at = old.acknowledged_at;
    }
    journal
}

/// The attempt number also stands on our Services, so that it survives the loss of the status.
fn last_number_in_members(draft: &Draft<'_>) -> i64 {
    draft
        .snapshot
        .members
        .values()
        .filter_map(|observed| match observed {
            Observed::Known(facts) => Some(facts),
            Observed::Unknown { .. } => None,
        })
        .flat_map(|facts| [&facts.stable, &facts.canary])
        .flatten()
        .map(|service| service.attempt)
        .max()
        .unwrap_or(0)
}

/// After a lost status: a revision whose tombstone stands in a member stays aborted.
fn recover(draft: &mut Draft<'_>, policy: &Policy) {
    draft.tell(
        NoticeReason::StatusLost,
        "the status was empty beside objects of ours: what the stable Services select is taken as stable".to_owned(),
    );
    let tombstone = draft.snapshot.members.values().any(|observed| match observed {
        Observed::Known(facts) => [&facts.stable, &facts.canary]
            .into_iter()
            .flatten()
            .any(|service| service.aborted.as_ref() == Some(&policy.revision)),
        Observed::Unknown { .. } => false,
    });
    if !tombstone {
        return;
    }
    let now = draft.now();
    note_members(draft);
    let members: Vec<MemberId> = draft.next.members.keys().cloned().collect();
    for member in members {
        if draft.base(&member).is_some_and(|base| base != policy.revision) {
            draft.enter(&member, MemberPhase::RollingBack, 0);
        }
    }
    if let Some(attempt) = &mut draft.next.attempt {
        attempt.phase = AttemptPhase::Aborting;
    }
    draft.next.abort = Some(Abort {
        reason: "StatusLost".to_owned(),
        message: format!(
            "revision {} was taken back before the status was lost; annotate lockflight.dev/retry to try it again",
            policy.revision
        ),
        at: now,
        revision: policy.revision.clone(),
        member: None,
        step: None,
        metric: None,
        by: None,
        fleet: true,
    });
}

/// Notes who is out of reach, who is back, and what served in members seen for the first time.
pub(crate) fn note_members(draft: &mut Draft<'_>) {
    let now = draft.now();
    let members: Vec<MemberId> = draft.next.members.keys().cloned().collect();
    for member in members {
        match draft.snapshot.members.get(&member) {
            Some(Observed::Known(facts)) => {
                note_return(draft, &member);
                if draft.member(&member).is_some_and(|journal| journal.base == Base::Unseen) {
                    draft.edit(&member, |journal| {
                        journal.base = base_of(facts);
                        // What a lost status left on the route goes back before anything else.
                        journal.acknowledged_weight = facts.highest_share();
                    });
                }
            }
            Some(Observed::Unknown { since, why }) => {
                note_loss(draft, &member, *since, why);
            }
            None => note_loss(draft, &member, now, "there is no Cluster of this name"),
        }
    }
}

fn note_loss(
    draft: &mut Draft<'_>,
    member: &MemberId,
    since: chrono::DateTime<chrono::Utc>,
    why: &str,
) {
    if draft.member(member).is_some_and(|journal| journal.unknown_since.is_none()) {
        draft.edit(member, |journal| journal.unknown_since = Some(since));
        draft.tell(
            NoticeReason::ClusterUnreachable,
            format!("{member} has not been reached since {}: {why}", since.format("%H:%M:%S")),
        );
    }
}

/// A member that comes back shows fresh evidence before it goes on.
fn note_return(draft: &mut Draft<'_>, member: &MemberId) {
    if draft.member(member).is_none_or(|journal| journal.unknown_since.is_none()) {
        return;
    }
    let now = draft.now();
    draft.edit(member, |journal| {
        journal.unknown_since = None;
        journal.since = now;
        if journal.phase.in_flight() {
            journal.acknowledged_at = None;
            journal.endpoints_since = None;
            journal.verdict = None;
        }
    });
    draft.tell(NoticeReason::ClusterRecovered, format!("{member} is reachable again"));
}

/// What serves in a member: what the stable Service selects; without one, the revision of ours
/// with most ready pods; a member is empty only if nothing of ours is there at all.
fn base_of(facts: &Facts) -> Base {
    if let Some(revision) = facts.stable.as_ref().and_then(|service| service.selects.clone()) {
        return Base::Serving(revision);
    }
    facts
        .deployments
        .iter()
        .filter(|(_, deployment)| deployment.replicas > 0)
        .max_by_key(|(_, deployment)| deployment.ready)
        .map_or(Base::Nothing, |(revision, _)| Base::Serving(revision.clone()))
}
