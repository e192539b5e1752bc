//! Taking a release back. Decided before anything else; waits for nothing on the forward path.

use crate::{
    draft::Draft,
    ids::{MemberId, Revision},
    journal::{Abort, AttemptPhase, HandledAbort, MemberPhase},
    member::{Crash, open_gate, serve},
    plan::{HubAction, NoticeReason, WaitReason},
    snapshot::{Decisive, RollbackScope, Verdict},
};

/// Waves in which any failure concerns the whole fleet (`rollback: Auto`): what fails so early
/// is the release, not the place.
const EARLY_WAVES: usize = 2;

/// Decides whether the attempt has to go back: by command, by deletion, by evidence.
pub(crate) fn decide(draft: &mut Draft<'_>) {
    by_command(draft);
    if draft.snapshot.deleting && draft.phase() == Some(AttemptPhase::Progressing) {
        let cause = Cause::of("Deleted", "the Rollout is being deleted".to_owned());
        begin(draft, cause, true);
    }
    if draft.phase() == Some(AttemptPhase::Progressing) {
        by_evidence(draft);
        by_crashes(draft);
    }
}

fn by_command(draft: &mut Draft<'_>) {
    let commands = &draft.snapshot.commands;
    let Some(value) = commands.abort.as_deref().map(crate::command::bounded) else {
        // Seen absent: the next value, even the same text, is a new command.
        draft.next.handled.abort = None;
        return;
    };
    draft.act_on_hub(HubAction::RemoveAbortAnnotation(commands.abort.clone().unwrap_or_default()));
    let shown = value.get(..value.floor_char_boundary(1000)).unwrap_or_default().to_owned();
    if draft.next.handled.abort.as_ref().is_some_and(|handled| handled.value == shown) {
        return;
    }
    let in_progress = match draft.phase() {
        Some(AttemptPhase::Progressing | AttemptPhase::Aborting) => {
            draft.next.attempt.as_ref().map(|attempt| attempt.number)
        }
        Some(AttemptPhase::Aborted | AttemptPhase::Completed) | None => None,
    };
    draft.next.handled.abort = Some(HandledAbort { value: shown.clone(), attempt: in_progress });
    if in_progress.is_some() {
        let mut cause = Cause::of("CommandedAbort", format!("aborted by command: {shown}"));
        cause.by.clone_from(&commands.abort_by);
        begin(draft, cause, true);
    } else {
        draft.tell(
            NoticeReason::NothingToAbort,
            format!("abort ({shown}) found nothing in progress; the next revision is not affected"),
        );
    }
}

fn by_evidence(draft: &mut Draft<'_>) {
    let members: Vec<MemberId> = draft.next.members.keys().cloned().collect();
    for member in members {
        let Some(gate) = open_gate(draft, &member) else { continue };
        let Some(evidence) = draft.snapshot.evidence.get(&member) else { continue };
        let same = evidence.attempt == gate.attempt
            && evidence.step == gate.step
            && evidence.opened_at == gate.opened_at;
        if same && evidence.verdict == Verdict::Fail {
            fail(draft, &member, "AnalysisFailed", &evidence.message, evidence.decisive.as_ref());
        }
    }
}

/// What crashes under traffic gives no samples: no gate could tell.
fn by_crashes(draft: &mut Draft<'_>) {
    let members: Vec<MemberId> = draft.next.members.keys().cloned().collect();
    for member in members {
        if let Crash::OfRelease(message) = Crash::look(draft, &member) {
            fail(draft, &member, "CanaryCrashing", &message, None);
        }
    }
}

/// A member has failed: it goes back, and the rollout with it once the budget is spent.
pub(crate) fn fail(
    draft: &mut Draft<'_>,
    member: &MemberId,
    reason: &str,
    message: &str,
    decisive: Option<&Decisive>,
) {
    let Some(journal) = draft.member(member).cloned() else { return };
    let at = match journal.phase {
        MemberPhase::Promoted => "after its promotion".to_owned(),
        MemberPhase::Deploying => "in its first deployment".to_owned(),
        MemberPhase::Promoting => "while it was promoted".to_owned(),
        MemberPhase::Pending
        | MemberPhase::Canary
        | MemberPhase::RollingBack
        | MemberPhase::RolledBack => format!("at step {} ({} %)", journal.step, journal.weight),
    };
    let sentence = format!("{member} failed {at}: {message}");
    draft.edit(member, |journal| journal.problem = Some(message.to_owned()));
    let notice =
        if decisive.is_some() { NoticeReason::AnalysisFailed } else { NoticeReason::ClusterFailed };
    draft.tell(notice, sentence.clone());
    let failed = draft.next.members.values().filter(|member| member.problem.is_some()).count();
    let (allowed, scope) = draft
        .snapshot
        .policy
        .as_ref()
        .map_or((0, RollbackScope::Fleet), |policy| (policy.failed_max, policy.rollback));
    // What the clusters show only together is wrong with the release, not with a place.
    let together = decisive.is_some_and(|decisive| decisive.fleet);
    if failed <= allowed && !together {
        go_back(draft, member);
        return;
    }
    let fleet = match scope {
        RollbackScope::Fleet => true,
        RollbackScope::Cluster => false,
        RollbackScope::Auto => together || failed > 1 || wave_of(draft, member) < EARLY_WAVES,
    };
    let cause = Cause {
        reason: reason.to_owned(),
        message: sentence,
        member: Some(member.clone()),
        step: Some(journal.step),
        metric: decisive.map(|d| (d.metric.clone(), d.observed.clone(), d.limit.clone())),
        by: None,
    };
    begin(draft, cause, fleet);
    go_back(draft, member);
}

/// Why an attempt goes back.
struct Cause {
    reason: String,
    message: String,
    member: Option<MemberId>,
    step: Option<usize>,
    metric: Option<(String, String, String)>,
    by: Option<String>,
}

impl Cause {
    fn of(reason: &str, message: String) -> Self {
        Self {
            reason: reason.to_owned(),
            message,
            member: None,
            step: None,
            metric: None,
            by: None,
        }
    }
}

fn begin(draft: &mut Draft<'_>, cause: Cause, fleet: bool) {
    let now = draft.now();
    let Some(attempt) = &mut draft.next.attempt else { return };
    let first = attempt.phase == AttemptPhase::Progressing;
    attempt.phase = AttemptPhase::Aborting;
    let revision = attempt.revision.clone();
    draft.turn_round();
    if first {
        draft.tell(NoticeReason::RolloutAborted, cause.message.clone());
        draft.next.abort = Some(Abort {
            reason: cause.reason,
            message: cause.message,
            at: now,
            revision,
            member: cause.member,
            step: cause.step,
            metric: cause.metric,
            by: cause.by,
            fleet,
        });
    } else if let Some(abort) = &mut draft.next.abort {
        // A command widens an abort of single members to the fleet; its first cause stays.
        abort.fleet |= fleet;
    }
    let members: Vec<MemberId> = draft.next.members.keys().cloned().collect();
    for member in members {
        let Some(journal) = draft.member(&member) else { continue };
        match journal.phase {
            MemberPhase::Canary | MemberPhase::Promoting | MemberPhase::Deploying => {
                go_back(draft, &member);
            }
            // Step 0: it served the revision before the attempt began.
            MemberPhase::Promoted if fleet && journal.step > 0 => go_back(draft, &member),
            MemberPhase::Promoted
            | MemberPhase::Pending
            | MemberPhase::RollingBack
            | MemberPhase::RolledBack => {}
        }
    }
}

/// Sends one member back to its base. Where nothing served before, nothing is removed.
fn go_back(draft: &mut Draft<'_>, member: &MemberId) {
    let Some(journal) = draft.member(member) else { return };
    if matches!(journal.phase, MemberPhase::RollingBack | MemberPhase::RolledBack) {
        return;
    }
    let step = journal.step;
    let phase = match draft.base(member) {
        Some(base) if Some(&base) != draft.target().as_ref() => MemberPhase::RollingBack,
        Some(_) | None => MemberPhase::RolledBack,
    };
    draft.enter(member, phase, step);
    draft.edit(member, |journal| journal.acknowledged_at = None);
}

/// Takes every member back that has to go, all at once; ends the attempt when all that can be
/// reached are back.
pub(crate) fn take_back(draft: &mut Draft<'_>) {
    let reachable_left = roll_back_members(draft);
    if reachable_left {
        return;
    }
    let now = draft.now();
    if let Some(attempt) = &mut draft.next.attempt {
        attempt.phase = AttemptPhase::Aborted;
        attempt.ended_at = Some(now);
    }
    let owed: Vec<String> = owed(draft).map(|member| member.0.clone()).collect();
    let message = if owed.is_empty() {
        "every cluster serves what it served before".to_owned()
    } else {
        format!("every reachable cluster is back; still owed: {}", owed.join(", "))
    };
    draft.tell(NoticeReason::RolledBack, message);
    draft.wake(now + crate::DRAIN);
}

/// Rolls back members that come into reach after the attempt has ended.
pub(crate) fn pay_debts(draft: &mut Draft<'_>) {
    roll_back_members(draft);
}

fn owed<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d MemberId> {
    draft
        .next
        .members
        .iter()
        .filter(|(_, journal)| journal.phase == MemberPhase::RollingBack)
        .map(|(member, _)| member)
}

/// One pass over all members that are going back; whether any that can be reached is left.
fn roll_back_members(draft: &mut Draft<'_>) -> bool {
    let members: Vec<MemberId> = owed(draft).cloned().collect();
    let mut reachable_left = false;
    for member in members {
        reachable_left |= !roll_back(draft, &member) && draft.facts(&member).is_some();
    }
    reachable_left
}

/// Rolls one member back as far as it can be now; whether it is back.
pub(crate) fn roll_back(draft: &mut Draft<'_>, member: &MemberId) -> bool {
    let Some(base) = draft.base(member) else { return true };
    let Some(facts) = draft.facts(member) else {
        draft.wait(
            member,
            WaitReason::Unreachable,
            format!("{member} is owed a rollback to {base}: its first write when it returns"),
        );
        return false;
    };
    let target: Option<Revision> = draft.target();
    if !serve::serve(draft, member, facts, &base, target.as_ref()) {
        return false;
    }
    let step = draft.member(member).map_or(0, |journal| journal.step);
    draft.enter(member, MemberPhase::RolledBack, step);
    draft.tell(NoticeReason::RolledBack, format!("{member} serves {base} again"));
    true
}

fn wave_of(draft: &Draft<'_>, member: &MemberId) -> usize {
    draft.next.plan.as_ref().map_or(0, |plan| {
        plan.waves.iter().position(|wave| wave.planned.members.contains(member)).unwrap_or(0)
    })
}
