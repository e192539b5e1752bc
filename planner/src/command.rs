//! Commands that open gates or start another attempt. (Abort is decided in its own module.)

use crate::{
    draft::Draft,
    ids::MemberId,
    journal::AttemptPhase,
    plan::NoticeReason,
    token::{ApprovalGate, token},
};

/// Longest annotation value that is looked at; longer ones are cut, so that they match nothing.
const VALUE_LENGTH_MAX: usize = 4096;
/// Tokens that one annotation may carry.
const TOKENS_MAX: usize = 64;

/// Takes up promote and retry, each value once.
pub(crate) fn take_up(draft: &mut Draft<'_>) {
    let commands = &draft.snapshot.commands;
    // Once an annotation was seen absent, the same value set again is a new command.
    if commands.promote.is_none() {
        draft.next.handled.promote = None;
    }
    if commands.retry.is_none() {
        draft.next.handled.retry = None;
    }
    if let Some(value) = commands.promote.as_deref().map(bounded)
        && draft.next.handled.promote.as_deref() != Some(value)
    {
        for token in value.split(',').map(str::trim).filter(|t| !t.is_empty()).take(TOKENS_MAX) {
            promote(draft, token);
        }
        draft.next.handled.promote = Some(value.to_owned());
    }
    if let Some(value) = commands.retry.as_deref().map(bounded)
        && draft.next.handled.retry.as_deref() != Some(value)
    {
        retry(draft, value);
        draft.next.handled.retry = Some(value.to_owned());
    }
}

/// Cuts a value at its limit, at a character boundary.
pub(crate) fn bounded(value: &str) -> &str {
    value.get(..value.floor_char_boundary(VALUE_LENGTH_MAX)).unwrap_or(value)
}

/// Opens the gate that a token names, if that gate waits: what was not shown as waiting is
/// stale, and a stale token is never kept for later.
fn promote(draft: &mut Draft<'_>, text: &str) {
    let progressing = draft.phase() == Some(AttemptPhase::Progressing);
    let gate = if progressing && draft.snapshot.shown_tokens.contains(text) {
        find(draft, text)
    } else {
        None
    };
    match gate {
        Some(Found::Step(member, step)) => {
            draft.edit(&member, |journal| journal.approved_step = Some(step));
            draft.tell(NoticeReason::Approved, format!("step {step} in {member} was approved"));
        }
        Some(Found::Wave(index)) => {
            let Some(wave) = draft.next.plan.as_mut().and_then(|plan| plan.waves.get_mut(index))
            else {
                return;
            };
            wave.approved = true;
            let message = format!("wave {} was approved", wave.planned.name);
            draft.tell(NoticeReason::Approved, message);
        }
        None => draft.tell(
            NoticeReason::StalePromotion,
            format!(
                "the token {:?} opens no gate that waits now; the current tokens are in status.waiting",
                text.get(..text.floor_char_boundary(64)).unwrap_or_default()
            ),
        ),
    }
}

enum Found {
    Step(MemberId, usize),
    Wave(usize),
}

fn find(draft: &Draft<'_>, text: &str) -> Option<Found> {
    let uid = &draft.snapshot.uid;
    let attempt = draft.next.attempt.as_ref()?.number;
    let plan = draft.next.plan.as_ref()?;
    let wave = (0..plan.waves.len())
        .find(|wave| token(uid, attempt, ApprovalGate::Wave(*wave)) == text)
        .map(Found::Wave);
    wave.or_else(|| {
        draft.next.members.keys().find_map(|member| {
            (1..=plan.steps.len())
                .find(|step| token(uid, attempt, ApprovalGate::Step(member, *step)) == text)
                .map(|step| Found::Step(member.clone(), step))
        })
    })
}

fn retry(draft: &mut Draft<'_>, value: &str) {
    let Some(attempt) = &draft.next.attempt else { return };
    if attempt.phase == AttemptPhase::Aborted && value.trim() == attempt.number.to_string() {
        draft.retry = true;
        return;
    }
    let message = format!(
        "retry names attempt {:?}, but attempt {} is {:?}: only an aborted attempt can be retried, by its number",
        value.get(..value.floor_char_boundary(64)).unwrap_or_default(),
        attempt.number,
        attempt.phase,
    );
    draft.tell(NoticeReason::StaleRetry, message);
}
