//! Between the status on the wire and the planner's journal.

use chrono::TimeDelta;
use lockflight_crds::{self as wire, RolloutStatus};
use lockflight_planner::{
    Abort, Approval, Attempt, AttemptPhase, Base, EvidenceRecord, Handled, HandledAbort, Journal,
    MemberId, MemberJournal, MemberPhase, Pacing, PlanJournal, PlannedStep, PlannedWave, Revision,
    Verdict, VerdictRecord, WaveJournal, WavePhase,
};

/// Reads the journal out of a status.
#[must_use]
pub fn read(status: &RolloutStatus) -> Journal {
    Journal {
        attempt: status.attempt.as_ref().map(|attempt| Attempt {
            number: attempt.number,
            revision: Revision(attempt.revision.clone()),
            phase: match attempt.phase {
                wire::AttemptPhase::Progressing => AttemptPhase::Progressing,
                wire::AttemptPhase::Aborting => AttemptPhase::Aborting,
                wire::AttemptPhase::Aborted => AttemptPhase::Aborted,
                wire::AttemptPhase::Completed => AttemptPhase::Completed,
            },
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
        }),
        plan: status.plan.as_ref().map(read_plan),
        members: status
            .members
            .iter()
            .map(|member| (MemberId(member.name.clone()), read_member(member)))
            .collect(),
        abort: status.abort.as_ref().map(read_abort),
        handled: Handled {
            promote: status.handled.promote.clone(),
            abort: status
                .handled
                .abort
                .as_ref()
                .map(|abort| HandledAbort { value: abort.value.clone(), attempt: abort.attempt }),
            retry: status.handled.retry.clone(),
        },
    }
}

fn read_plan(plan: &wire::PlanStatus) -> PlanJournal {
    PlanJournal {
        gated: !plan.analysis.is_empty(),
        pacing: read_pacing(&plan.evidence),
        steps: plan
            .steps
            .iter()
            .map(|step| PlannedStep {
                weight: step.weight,
                bake_first: seconds(step.bake_seconds_first),
                bake: seconds(step.bake_seconds),
                samples: u64::from(step.samples),
                approval: read_approval(step.approval),
            })
            .collect(),
        waves: plan
            .waves
            .iter()
            .map(|wave| WaveJournal {
                planned: PlannedWave {
                    name: wave.name.clone(),
                    members: wave.clusters.iter().cloned().map(MemberId).collect(),
                    concurrent_max: usize::try_from(wave.max_concurrent).unwrap_or(1).max(1),
                    bake: seconds(wave.bake_seconds),
                    samples: u64::from(wave.samples),
                    approval: read_approval(wave.approval),
                },
                approved: wave.approved,
                phase: match wave.phase {
                    wire::WavePhase::Waiting => WavePhase::Waiting,
                    wire::WavePhase::Moving => WavePhase::Moving,
                    wire::WavePhase::Baking => WavePhase::Baking,
                    wire::WavePhase::Done => WavePhase::Done,
                },
                since: wave.since,
            })
            .collect(),
    }
}

/// How long steps may take. It was validated when the attempt began; a span that cannot be read
/// any more is none.
fn read_pacing(evidence: &wire::EvidencePolicy) -> Pacing {
    let span = |duration: &wire::Duration| {
        duration.to_std().ok().and_then(|span| TimeDelta::from_std(span).ok()).unwrap_or_default()
    };
    Pacing {
        dwell_min: span(&evidence.min_dwell),
        dwell_max: span(&evidence.max_dwell),
        decision_deadline: span(&evidence.decision_deadline),
        missed: evidence.missed.parse().unwrap_or(MISSED_DEFAULT),
    }
}

/// Chance that a bad release passes, where what the status says cannot be read.
const MISSED_DEFAULT: f64 = 0.05;

fn seconds(seconds: u32) -> TimeDelta {
    TimeDelta::seconds(i64::from(seconds))
}

/// An approval of the wire in the planner's words.
pub(crate) fn read_approval(approval: wire::Approval) -> Approval {
    match approval {
        wire::Approval::None => Approval::None,
        wire::Approval::Before => Approval::Before,
        wire::Approval::After => Approval::After,
    }
}

fn read_member(member: &wire::MemberStatus) -> MemberJournal {
    MemberJournal {
        phase: match member.phase {
            wire::MemberPhase::Pending => MemberPhase::Pending,
            wire::MemberPhase::Deploying => MemberPhase::Deploying,
            wire::MemberPhase::Canary => MemberPhase::Canary,
            wire::MemberPhase::Promoting => MemberPhase::Promoting,
            wire::MemberPhase::Promoted => MemberPhase::Promoted,
            wire::MemberPhase::RollingBack => MemberPhase::RollingBack,
            wire::MemberPhase::RolledBack => MemberPhase::RolledBack,
        },
        step: usize::try_from(member.step).unwrap_or(0),
        since: member.since,
        base: match &member.base {
            None => Base::Unseen,
            Some(wire::BaseStatus { revision: None }) => Base::Nothing,
            Some(wire::BaseStatus { revision: Some(revision) }) => {
                Base::Serving(Revision(revision.clone()))
            }
        },
        weight: member.weight,
        acknowledged_weight: member.acknowledged_weight,
        acknowledged_at: member.acknowledged_at,
        endpoints_since: member.endpoints_since,
        ready_pods: member.ready_pods,
        verdict: member.verdict.as_ref().map(|verdict| VerdictRecord {
            verdict: match verdict.state {
                wire::VerdictState::Pass => Verdict::Pass,
                wire::VerdictState::Fail => Verdict::Fail,
                wire::VerdictState::Watch => Verdict::Watch,
                wire::VerdictState::NoData => Verdict::NoData,
                wire::VerdictState::Error => Verdict::Error,
            },
            message: verdict.message.clone(),
            evidence: verdict.against_centinats.zip(verdict.in_favour_centinats).map(
                |(against_centinats, in_favour_centinats)| EvidenceRecord {
                    against_centinats,
                    in_favour_centinats,
                },
            ),
        }),
        unknown_since: member.unknown_since,
        problem: member.problem.clone(),
        approved_step: member.approved_step.and_then(|step| usize::try_from(step).ok()),
    }
}

fn read_abort(abort: &wire::AbortStatus) -> Abort {
    Abort {
        reason: abort.reason.clone(),
        message: abort.message.clone(),
        at: abort.at,
        revision: Revision(abort.revision.clone()),
        member: abort.cluster.clone().map(MemberId),
        step: abort.step.and_then(|step| usize::try_from(step).ok()),
        metric: match (&abort.metric, &abort.observed, &abort.limit) {
            (Some(metric), Some(observed), Some(limit)) => {
                Some((metric.clone(), observed.clone(), limit.clone()))
            }
            _ => None,
        },
        by: abort.by.clone(),
        fleet: abort.fleet,
    }
}

#[cfg(test)]
mod tests;
