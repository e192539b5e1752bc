//! Pacing by evidence: whether a step has shown enough that the release is not bad.
//!
//! Evidence in the release's favour adds up over steps and clusters. The last step before 100 %
//! asks for all of it. At an early step the harm is small and the next weight tells sooner, so it
//! only waits while what was seen leans against the release, and in the first wave not for ever.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    draft::Draft,
    journal::PlanJournal,
    plan::{Gate, WaitReason},
    snapshot::{Evidence, Standing},
};

use super::gate::{Missing, Requirement, is_approved};

/// Windows that a step must have counted in a member, whatever its evidence: a later wave has
/// carried evidence from the start and would otherwise move on without a look.
const WINDOWS_MIN: u32 = 8;

/// Canary requests that a step must have counted in a member, likewise.
const REQUESTS_MIN: u64 = 100;

/// The e-value in favour below which an early step waits: what was seen is then twice as likely
/// of a release as bad as must be ruled out as of an equal one. Asking for more takes healthy
/// releases two to three minutes and hardly lessens what bad ones cost (ADR 4).
const BAR_EARLY: f64 = 0.5;

/// With this much evidence against the release no early step ends, by time neither.
const AGAINST_MAX: f64 = 3.0;

/// What a step still lacks; nothing when the way is open. `sentence` is what the verdict says, as
/// last recorded.
pub(super) fn missing(
    draft: &mut Draft<'_>,
    gate: &Gate,
    standing: &Standing,
    evidence: &Evidence,
    required: &Requirement,
    sentence: &str,
) -> Option<Missing> {
    let now = draft.now();
    let plan = draft.next.plan.as_ref()?;
    let pacing = plan.pacing;
    let step = Step::of(plan, gate);
    let quiet = standing.against_ln < AGAINST_MAX.ln();
    let is_shown = if step.last {
        standing.in_favour_ln >= last_bar_ln(plan)
    } else {
        quiet && standing.in_favour_ln >= BAR_EARLY.ln()
    };
    let Some(first_window) = standing.first_window_at else {
        return Some(Missing::of(WaitReason::Analyzing, "waits for its first measured window"));
    };
    let counted = standing.windows >= WINDOWS_MIN
        && evidence.samples.is_none_or(|requests| requests >= REQUESTS_MIN);
    if !counted {
        let requests = evidence.samples.map(|seen| {
            let so_far = so_far(seen, REQUESTS_MIN);
            format!(" and {REQUESTS_MIN} requests in this step{so_far}")
        });
        let requests = requests.unwrap_or_else(|| " in this step".to_owned());
        let message = format!("needs {WINDOWS_MIN} measured windows{requests}");
        return Some(Missing::of(WaitReason::CollectingSamples, message));
    }
    let dwelt = now - first_window;
    if dwelt < pacing.dwell_min {
        draft.wake(first_window + pacing.dwell_min);
        return Some(Missing::of(WaitReason::Analyzing, "stays its least time"));
    }
    if is_shown {
        return None;
    }
    if step.may_end_by_time() && quiet {
        if dwelt >= pacing.dwell_max {
            return None;
        }
        draft.wake(first_window + pacing.dwell_max);
    }
    let undecided_at = undecided_at(first_window, required, pacing.decision_deadline);
    if now < undecided_at {
        draft.wake(undecided_at);
        return Some(Missing::of(WaitReason::Analyzing, sentence));
    }
    if is_approved(draft, &gate.member, required) {
        return None;
    }
    let message = format!("undecided: {sentence}");
    Some(Missing { step: required.step, ..Missing::of(WaitReason::Undecided, message) })
}

/// How many requests there are already, in quarters of what is needed: a sentence that counted
/// each of them would make every round a write.
pub(super) fn so_far(seen: u64, needed: u64) -> String {
    let quarters = (u128::from(seen) * 4 / u128::from(needed.max(1))).min(4);
    match u64::try_from((u128::from(needed) * quarters).div_ceil(4)) {
        Ok(floor @ 1..) => format!(" (at least {floor} of {needed} so far)"),
        Ok(0) | Err(_) => format!(" (fewer than {} so far)", needed.div_ceil(4)),
    }
}

/// Whether the evidence in the release's favour is what the last step asks for.
pub(super) fn is_shown(draft: &Draft<'_>, standing: &Standing) -> bool {
    let plan = draft.next.plan.as_ref();
    plan.is_some_and(|plan| standing.in_favour_ln >= last_bar_ln(plan))
}

/// What has to be shown before a cluster goes to 100 %: the inverse of the chance that the user
/// accepts. Later waves have it from the start and must not have lost it.
fn last_bar_ln(plan: &PlanJournal) -> f64 {
    (1.0 / plan.pacing.missed).ln()
}

/// The deadline counts from the end of the bake: before it nothing was asked.
fn undecided_at(
    first_window: DateTime<Utc>,
    required: &Requirement,
    deadline: TimeDelta,
) -> DateTime<Utc> {
    first_window.max(required.since + required.bake) + deadline
}

/// A step as its pace sees it.
struct Step {
    first_wave: bool,
    /// Whether the cluster goes to 100 % after it.
    last: bool,
}

impl Step {
    fn of(plan: &PlanJournal, gate: &Gate) -> Self {
        let compared = plan.steps.iter().filter(|step| step.weight < 100).count();
        let first = plan.waves.first();
        Self {
            first_wave: first.is_some_and(|wave| wave.planned.members.contains(&gate.member)),
            last: gate.step >= compared,
        }
    }

    /// Later waves have shown enough before: what leans against the release there is new.
    fn may_end_by_time(&self) -> bool {
        self.first_wave && !self.last
    }
}

#[cfg(test)]
mod tests {
    use super::so_far;

    #[test]
    fn requests_are_told_in_quarters() {
        let cases = [
            ((0, 100), " (fewer than 25 so far)"),
            ((24, 100), " (fewer than 25 so far)"),
            ((25, 100), " (at least 25 of 100 so far)"),
            ((62, 100), " (at least 50 of 100 so far)"),
            ((99, 100), " (at least 75 of 100 so far)"),
            ((500, 100), " (at least 100 of 100 so far)"),
            ((2, 10), " (fewer than 3 so far)"),
            ((0, 1), " (fewer than 1 so far)"),
            ((1, 3), " (at least 1 of 3 so far)"),
            (
                (u64::MAX, u64::MAX),
                " (at least 18446744073709551615 of 18446744073709551615 so far)",
            ),
        ];
        for ((seen, needed), expect) in cases {
            assert_eq!(so_far(seen, needed), expect, "{seen} of {needed}");
        }
    }
}
