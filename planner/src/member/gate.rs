//! Gates: what evidence is wanted where, and whether it opens the way.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    EVIDENCE_AGE_MAX, SETTLE,
    draft::Draft,
    ids::MemberId,
    journal::{EvidenceRecord, MemberPhase, VerdictRecord, WavePhase},
    plan::{Gate, NoticeReason, WaitReason, Waiting},
    snapshot::{Evidence, Verdict},
    token::{ApprovalGate, token},
};

use super::pace;

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

/// What a member has to show before it goes on.
pub(crate) struct Requirement {
    /// Since when.
    pub(crate) since: DateTime<Utc>,
    /// For so long.
    pub(crate) bake: TimeDelta,
    /// Canary events that every comparison must have seen.
    pub(crate) samples: u64,
    /// The step, from 1, in whose approval a person may overrule undecided evidence.
    pub(crate) step: Option<usize>,
}

/// Why a member may not go on.
pub(crate) struct Missing {
    pub(crate) reason: WaitReason,
    pub(crate) message: String,
    /// The step, from 1, that a person may let pass all the same.
    pub(crate) step: Option<usize>,
}

impl Missing {
    pub(crate) fn of(reason: WaitReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), step: None }
    }
}

/// Whether a member has shown what it must: time, samples, a fresh Pass and enough evidence. Asks
/// for the evidence and says what is missing.
pub(crate) fn judge(draft: &mut Draft<'_>, member: &MemberId, required: &Requirement) -> bool {
    let baked_at = required.since + required.bake;
    let gate = open_gate(draft, member);
    let missing = gate.as_ref().and_then(|gate| missing_evidence(draft, gate, required));
    if let Some(gate) = gate {
        draft.open(gate);
    }
    // Missing data outranks the clock: it is the reason that somebody may have to act on.
    if let Some(missing) = missing {
        if matches!(missing.reason, WaitReason::NoData | WaitReason::AnalysisError)
            || draft.now() >= baked_at
        {
            draft.wake(baked_at);
            wait_for(draft, member, &missing);
            return false;
        }
    } else if draft.now() >= baked_at {
        return true;
    }
    let message = format!("{member}: bakes until {} UTC", baked_at.format("%H:%M:%S"));
    draft.wait_until(member, WaitReason::Baking, message, baked_at);
    false
}

fn missing_evidence(draft: &mut Draft<'_>, gate: &Gate, required: &Requirement) -> Option<Missing> {
    let now = draft.now();
    let evidence: Option<&Evidence> =
        draft.snapshot.evidence.get(&gate.member).filter(|evidence| {
            evidence.attempt == gate.attempt
                && evidence.step == gate.step
                && evidence.opened_at == gate.opened_at
                && now - evidence.judged_at <= EVIDENCE_AGE_MAX
        });
    let Some(evidence) = evidence else {
        return Some(Missing::of(
            WaitReason::Analyzing,
            "nothing has been measured in this step yet",
        ));
    };
    record(draft, gate, evidence);
    // The sentence of the moment at which the verdict changed: one that counts up would make
    // every round a write.
    let message = draft
        .member(&gate.member)
        .and_then(|journal| journal.verdict.as_ref())
        .map_or_else(String::new, |verdict| verdict.message.clone());
    let verdict = if evidence.undecided && is_approved(draft, &gate.member, required) {
        Verdict::Pass
    } else {
        evidence.verdict
    };
    match verdict {
        Verdict::Pass => match (evidence.samples, &evidence.standing) {
            (Some(seen), _) if seen < required.samples => Some(Missing::of(
                WaitReason::CollectingSamples,
                format!(
                    "needs {} requests of its own{}",
                    required.samples,
                    pace::so_far(seen, required.samples)
                ),
            )),
            (_, Some(standing)) => {
                pace::missing(draft, gate, standing, evidence, required, &message)
            }
            (_, None) => None,
        },
        _ if evidence.undecided => {
            Some(Missing { step: required.step, ..Missing::of(WaitReason::Undecided, message) })
        }
        Verdict::Watch | Verdict::Fail => Some(Missing::of(WaitReason::Analyzing, message)),
        Verdict::NoData => Some(Missing::of(WaitReason::NoData, message)),
        Verdict::Error => Some(Missing::of(WaitReason::AnalysisError, message)),
    }
}

/// Whether a person has let this step pass, whatever was shown.
pub(super) fn is_approved(draft: &Draft<'_>, member: &MemberId, required: &Requirement) -> bool {
    let journal = draft.member(member);
    required.step.is_some() && journal.is_some_and(|journal| journal.approved_step == required.step)
}

/// Waits, with the token that overrules undecided evidence where a person may.
fn wait_for(draft: &mut Draft<'_>, member: &MemberId, missing: &Missing) {
    let message = format!("{member}: {}", missing.message);
    let attempt = draft.next.attempt.as_ref().map_or(0, |attempt| attempt.number);
    let token = missing
        .step
        .map(|step| token(&draft.snapshot.uid, attempt, ApprovalGate::Step(member, step)));
    if let Some(token) = &token
        && !draft.snapshot.shown_tokens.contains(token)
    {
        draft.tell(NoticeReason::Undecided, format!("{message}; token {token} lets it pass"));
    }
    draft.wait_for(Waiting {
        member: Some(member.clone()),
        reason: missing.reason,
        message,
        until: None,
        token,
    });
}

/// Keeps the verdict as it was when it last changed, or when its evidence had last moved by a
/// whole nat. Nothing that speaks against a release is not yet a pass: while a comparison has
/// shown less than the last step asks for, the gate watches.
fn record(draft: &mut Draft<'_>, gate: &Gate, evidence: &Evidence) {
    let is_shown =
        evidence.standing.as_ref().is_none_or(|standing| pace::is_shown(draft, standing));
    let verdict = match evidence.verdict {
        Verdict::Pass if !is_shown => Verdict::Watch,
        verdict => verdict,
    };
    let shown = evidence.standing.as_ref().map(|standing| EvidenceRecord {
        against_centinats: centinats(standing.against_ln),
        in_favour_centinats: centinats(standing.in_favour_ln),
    });
    draft.edit(&gate.member, |journal| {
        let same = journal.verdict.as_ref().is_some_and(|old| {
            old.verdict == verdict && near(old.evidence.as_ref(), shown.as_ref())
        });
        if !same {
            journal.verdict =
                Some(VerdictRecord { verdict, message: evidence.message.clone(), evidence: shown });
        }
    });
}

/// Hundredths of a nat that evidence has to move before it is written again.
const RENEWED_AFTER_CENTINATS: u32 = 100;

fn near(old: Option<&EvidenceRecord>, new: Option<&EvidenceRecord>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return old.is_none() == new.is_none() };
    old.against_centinats.abs_diff(new.against_centinats) < RENEWED_AFTER_CENTINATS
        && old.in_favour_centinats.abs_diff(new.in_favour_centinats) < RENEWED_AFTER_CENTINATS
}

#[expect(clippy::cast_possible_truncation, reason = "as saturates, and evidence is far smaller")]
fn centinats(ln: f64) -> i32 {
    (ln * 100.0).round() as i32
}
