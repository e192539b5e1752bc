//! Gates: what evidence is wanted where, and whether it opens the way.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    EVIDENCE_AGE_MAX, SETTLE,
    draft::Draft,
    ids::MemberId,
    journal::{MemberPhase, VerdictRecord, WavePhase},
    plan::{Gate, WaitReason},
    snapshot::{Evidence, Verdict},
};

/// The gate that is open in a member now, if its attempt is gated.
pub(crate) fn open_gate(draft: &Draft<'_>, member: &MemberId) -> Option<Gate> {
    let attempt = draft.next.attempt.as_ref()?;
    let plan = draft.next.plan.as_ref().filter(|plan| plan.gated)?;
    let journal = draft.member(member)?;
    let gate = |step: usize, stable, opened: DateTime<Utc>| Gate {
        member: member.clone(),
        attempt: attempt.number,
        step,
        canary: attempt.revision.clone(),
        stable,
        // What was under way when the router changed over does not count.
        opened_at: opened + SETTLE,
    };
    match journal.phase {
        MemberPhase::Canary if journal.weight > 0 => {
            let stable = draft.base(member).filter(|_| journal.weight < 100);
            Some(gate(journal.step, stable, journal.acknowledged_at?))
        }
        MemberPhase::Deploying => Some(gate(0, None, journal.acknowledged_at?)),
        MemberPhase::Promoted if journal.step > 0 => {
            let wave = plan.waves.iter().find(|wave| wave.planned.members.contains(member))?;
            let baking = wave.phase == WavePhase::Baking;
            baking.then(|| gate(plan.steps.len() + 1, None, wave.since))
        }
        MemberPhase::Pending
        | MemberPhase::Canary
        | MemberPhase::Promoting
        | MemberPhase::Promoted
        | MemberPhase::RollingBack
        | MemberPhase::RolledBack => None,
    }
}

/// Whether a member has shown what it must since `since`: time, samples and a fresh Pass. Asks
/// for the evidence and says what is missing.
pub(crate) fn judge(
    draft: &mut Draft<'_>,
    member: &MemberId,
    since: DateTime<Utc>,
    bake: TimeDelta,
    samples: u64,
) -> bool {
    let baked_at = since + bake;
    let gate = open_gate(draft, member);
    let missing = gate.as_ref().and_then(|gate| missing_evidence(draft, gate, samples));
    if let Some(gate) = gate {
        draft.open(gate);
    }
    // Missing data outranks the clock: it is the reason that somebody may have to act on.
    if let Some((reason, message)) = missing {
        if reason == WaitReason::NoData
            || reason == WaitReason::AnalysisError
            || draft.now() >= baked_at
        {
            draft.wait(member, reason, format!("{member}: {message}"));
            draft.wake(baked_at);
            return false;
        }
    } else if draft.now() >= baked_at {
        return true;
    }
    let message = format!("{member}: bakes until {} UTC", baked_at.format("%H:%M:%S"));
    draft.wait_until(member, WaitReason::Baking, message, baked_at);
    false
}

fn missing_evidence(
    draft: &mut Draft<'_>,
    gate: &Gate,
    samples: u64,
) -> Option<(WaitReason, String)> {
    let now = draft.now();
    let evidence: Option<&Evidence> =
        draft.snapshot.evidence.get(&gate.member).filter(|evidence| {
            evidence.attempt == gate.attempt
                && evidence.step == gate.step
                && evidence.opened_at == gate.opened_at
                && now - evidence.judged_at <= EVIDENCE_AGE_MAX
        });
    let Some(evidence) = evidence else {
        let message = "no measurement since the step began".to_owned();
        return Some((WaitReason::Analyzing, message));
    };
    record(draft, &gate.member, evidence);
    // The sentence of the moment at which the verdict changed: one that counts up would make
    // every round a write.
    let message = draft
        .member(&gate.member)
        .and_then(|journal| journal.verdict.as_ref())
        .map_or_else(String::new, |verdict| verdict.message.clone());
    match evidence.verdict {
        Verdict::Pass => match evidence.samples {
            Some(seen) if seen < samples => Some((
                WaitReason::CollectingSamples,
                format!("needs {samples} requests as evidence"),
            )),
            Some(_) | None => None,
        },
        Verdict::Watch | Verdict::Fail => Some((WaitReason::Analyzing, message)),
        Verdict::NoData => Some((WaitReason::NoData, message)),
        Verdict::Error => Some((WaitReason::AnalysisError, message)),
    }
}

/// Keeps the verdict as it was when it last changed: a status that ticked would be written for
/// nothing.
fn record(draft: &mut Draft<'_>, member: &MemberId, evidence: &Evidence) {
    draft.edit(member, |journal| {
        let same = journal.verdict.as_ref().is_some_and(|old| old.verdict == evidence.verdict);
        if !same {
            journal.verdict = Some(VerdictRecord {
                verdict: evidence.verdict,
                message: evidence.message.clone(),
            });
        }
    });
}
