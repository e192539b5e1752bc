//! From a plan to the status: journal and report in one, committed before anything is sent.

mod estimate;
mod report;

use chrono::TimeDelta;
use kube::Resource;
use lockflight_crds::{self as wire, Rollout, RolloutStatus};
use lockflight_planner::{
    Approval, AttemptPhase, Base, Journal, MemberId, MemberJournal, MemberPhase, Plan, PlanJournal,
    Verdict, WavePhase,
};

/// Entries of `status.waiting` that are kept.
const WAITING_MAX: usize = 600;

/// The status that a plan calls for; equal to the old one when nothing has changed.
#[must_use]
pub fn build(rollout: &Rollout, plan: &Plan, problems: &[String]) -> RolloutStatus {
    let old = rollout.status.clone().unwrap_or_default();
    let next = &plan.next;
    let same_attempt = old.attempt.as_ref().map(|attempt| attempt.number)
        == next.attempt.as_ref().map(|attempt| attempt.number);
    // Which metrics gate an attempt, and how sure they must be, is fixed when it starts.
    let (analysis, evidence) = match (&old.plan, same_attempt) {
        (Some(plan), true) => (plan.analysis.clone(), plan.evidence.clone()),
        _ => (rollout.spec.analysis.clone(), rollout.spec.evidence.clone()),
    };
    let mut status = RolloutStatus {
        observed_generation: rollout.meta().generation,
        conditions: Vec::new(),
        wave: wave(next),
        clusters: next.plan.as_ref().map(|_| clusters(next)),
        weight: weight(next),
        revision: Some(wire::revision_of(&rollout.spec)),
        waiting: waiting(plan),
        abort: next.abort.as_ref().map(|abort| write_abort(abort, next)),
        attempt: next.attempt.as_ref().map(write_attempt),
        plan: next.plan.as_ref().map(|plan| write_plan(plan, analysis, evidence)),
        members: next.members.iter().map(write_member).collect(),
        handled: wire::HandledCommands {
            promote: next.handled.promote.clone(),
            abort: next.handled.abort.as_ref().map(|abort| wire::HandledAbort {
                value: abort.value.clone(),
                attempt: abort.attempt,
            }),
            retry: next.handled.retry.clone(),
        },
        evidence: old.evidence,
    };
    status.conditions = report::conditions(&old.conditions, plan, problems, rollout);
    status
}

fn waiting(plan: &Plan) -> Vec<wire::WaitingStatus> {
    plan.waiting
        .iter()
        .take(WAITING_MAX)
        .map(|waiting| wire::WaitingStatus {
            cluster: waiting.member.as_ref().map(|member| member.0.clone()),
            reason: format!("{:?}", waiting.reason),
            message: clip(&waiting.message),
            until: waiting.until,
            token: waiting.token.clone(),
        })
        .collect()
}

/// The schema's limit on sentences.
fn clip(text: &str) -> String {
    text.chars().take(1000).collect()
}

fn wave(journal: &Journal) -> Option<String> {
    let plan = journal.plan.as_ref()?;
    let index = plan
        .waves
        .iter()
        .position(|wave| wave.phase != WavePhase::Done)
        .unwrap_or(plan.waves.len().saturating_sub(1));
    let wave = plan.waves.get(index)?;
    Some(format!("{}/{} {}", index + 1, plan.waves.len(), wave.planned.name))
}

fn clusters(journal: &Journal) -> String {
    let done = journal.members.values().filter(|m| m.phase == MemberPhase::Promoted).count();
    format!("{done}/{}", journal.members.len())
}

/// Highest share that the revision on trial is meant to have in a moving cluster; 100 once all
/// is done, 0 once all is back.
fn weight(journal: &Journal) -> Option<u8> {
    let attempt = journal.attempt.as_ref()?;
    match attempt.phase {
        AttemptPhase::Completed => Some(100),
        AttemptPhase::Aborted => Some(0),
        AttemptPhase::Progressing | AttemptPhase::Aborting => journal
            .members
            .values()
            .map(|member| match member.phase {
                MemberPhase::Promoting => 100,
                MemberPhase::Canary | MemberPhase::RollingBack => member.weight,
                MemberPhase::Pending
                | MemberPhase::Deploying
                | MemberPhase::Promoted
                | MemberPhase::RolledBack => 0,
            })
            .max(),
    }
}

fn write_attempt(attempt: &lockflight_planner::Attempt) -> wire::AttemptStatus {
    wire::AttemptStatus {
        number: attempt.number,
        revision: attempt.revision.0.clone(),
        phase: match attempt.phase {
            AttemptPhase::Progressing => wire::AttemptPhase::Progressing,
            AttemptPhase::Aborting => wire::AttemptPhase::Aborting,
            AttemptPhase::Aborted => wire::AttemptPhase::Aborted,
            AttemptPhase::Completed => wire::AttemptPhase::Completed,
        },
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
    }
}

fn write_approval(approval: Approval) -> wire::Approval {
    match approval {
        Approval::None => wire::Approval::None,
        Approval::Before => wire::Approval::Before,
        Approval::After => wire::Approval::After,
    }
}

fn seconds(span: TimeDelta) -> u32 {
    // A part of a second counts as one: a bake is never shorter than asked for.
    let ms = span.num_milliseconds().max(0);
    u32::try_from((ms + 999) / 1000).unwrap_or(u32::MAX)
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn write_plan(
    plan: &PlanJournal,
    analysis: Vec<wire::AnalysisReference>,
    evidence: wire::EvidencePolicy,
) -> wire::PlanStatus {
    wire::PlanStatus {
        estimate: estimate::estimate(plan),
        steps: plan
            .steps
            .iter()
            .map(|step| wire::PlannedStep {
                weight: step.weight,
                bake_seconds_first: seconds(step.bake_first),
                bake_seconds: seconds(step.bake),
                samples: u32::try_from(step.samples).unwrap_or(u32::MAX),
                approval: write_approval(step.approval),
            })
            .collect(),
        waves: plan
            .waves
            .iter()
            .map(|wave| wire::PlannedWave {
                name: wave.planned.name.clone(),
                clusters: wave.planned.members.iter().map(|member| member.0.clone()).collect(),
                max_concurrent: number(wave.planned.concurrent_max),
                bake_seconds: seconds(wave.planned.bake),
                samples: u32::try_from(wave.planned.samples).unwrap_or(u32::MAX),
                approval: write_approval(wave.planned.approval),
                approved: wave.approved,
                phase: match wave.phase {
                    WavePhase::Waiting => wire::WavePhase::Waiting,
                    WavePhase::Moving => wire::WavePhase::Moving,
                    WavePhase::Baking => wire::WavePhase::Baking,
                    WavePhase::Done => wire::WavePhase::Done,
                },
                since: wave.since,
            })
            .collect(),
        analysis,
        evidence,
    }
}

fn write_member((name, member): (&MemberId, &MemberJournal)) -> wire::MemberStatus {
    wire::MemberStatus {
        name: name.0.clone(),
        phase: match member.phase {
            MemberPhase::Pending => wire::MemberPhase::Pending,
            MemberPhase::Deploying => wire::MemberPhase::Deploying,
            MemberPhase::Canary => wire::MemberPhase::Canary,
            MemberPhase::Promoting => wire::MemberPhase::Promoting,
            MemberPhase::Promoted => wire::MemberPhase::Promoted,
            MemberPhase::RollingBack => wire::MemberPhase::RollingBack,
            MemberPhase::RolledBack => wire::MemberPhase::RolledBack,
        },
        step: number(member.step),
        since: member.since,
        base: match &member.base {
            Base::Unseen => None,
            Base::Nothing => Some(wire::BaseStatus { revision: None }),
            Base::Serving(revision) => {
                Some(wire::BaseStatus { revision: Some(revision.0.clone()) })
            }
        },
        weight: member.weight,
        acknowledged_weight: member.acknowledged_weight,
        acknowledged_at: member.acknowledged_at,
        endpoints_since: member.endpoints_since,
        ready_pods: member.ready_pods,
        verdict: member.verdict.as_ref().map(|record| wire::VerdictStatus {
            state: match record.verdict {
                Verdict::Pass => wire::VerdictState::Pass,
                Verdict::Fail => wire::VerdictState::Fail,
                Verdict::Watch => wire::VerdictState::Watch,
                Verdict::NoData => wire::VerdictState::NoData,
                Verdict::Error => wire::VerdictState::Error,
            },
            message: clip(&record.message),
            against_centinats: record.evidence.map(|evidence| evidence.against_centinats),
            in_favour_centinats: record.evidence.map(|evidence| evidence.in_favour_centinats),
        }),
        unknown_since: member.unknown_since,
        problem: member.problem.as_deref().map(clip),
        approved_step: member.approved_step.map(number),
    }
}

fn write_abort(abort: &lockflight_planner::Abort, journal: &Journal) -> wire::AbortStatus {
    let metric = abort.metric.as_ref();
    wire::AbortStatus {
        reason: abort.reason.clone(),
        message: clip(&abort.message),
        at: abort.at,
        revision: abort.revision.0.clone(),
        cluster: abort.member.as_ref().map(|member| member.0.clone()),
        step: abort.step.map(number),
        metric: metric.map(|(name, _, _)| name.clone()),
        observed: metric.map(|(_, observed, _)| observed.clone()),
        limit: metric.map(|(_, _, limit)| clip(limit)),
        by: abort.by.clone(),
        fleet: abort.fleet,
        owed: journal
            .members
            .iter()
            .filter(|(_, member)| {
                member.phase == MemberPhase::RollingBack && member.unknown_since.is_some()
            })
            .map(|(name, _)| name.0.clone())
            .collect(),
    }
}
