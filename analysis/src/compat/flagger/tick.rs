//! One tick of an analysis.

use serde::{Deserialize, Serialize};

use super::{Check, CheckKind, Outcome, Reading};

/// What a check without a value does. Flagger's own behaviour is [`NoData::Fail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoData {
    /// The tick neither advances nor counts a failure.
    #[default]
    Hold,
    /// It is a failed check.
    Fail,
    /// The check is passed over. A query that could not be run still holds: that is a fault of
    /// the source, and not an absence of traffic.
    Ignore,
}

/// The analysis of a Canary.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisRule {
    /// Its metrics, in the order of the Canary.
    pub checks: Vec<Check>,
    /// Failed checks that take the release back; 0 counts as 1.
    pub threshold: u32,
    /// Failed checks that a good tick forgives; Flagger forgives none.
    pub failed_check_decay: u32,
    /// What a check without a value does.
    pub no_data: NoData,
}

/// Where the Canary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It has yet to prove itself: `Progressing`.
    Progressing,
    /// It waits for the confirmation of its promotion: `WaitingPromotion`.
    WaitingPromotion,
    /// It waits for the confirmation of more traffic: `Waiting`. Failures are counted here, but
    /// no number of them takes the release back.
    WaitingTrafficIncrease,
}

/// What is kept between ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickState {
    /// Failed checks since the analysis began.
    pub failed_checks: u32,
}

/// What is known at a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TickInput<'a> {
    /// Where the Canary is.
    pub stage: Stage,
    /// Whether the canary gets traffic yet, real or mirrored, or an iteration has been made.
    pub has_traffic: bool,
    /// The answers of this tick's webhooks, in their order; false is a failed hook.
    pub webhooks: &'a [bool],
    /// The reading of each check, in the order of the checks; a missing one is no value.
    pub readings: &'a [Reading],
}

/// What a tick decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// The failed checks have reached the threshold: take the release back.
    Rollback,
    /// All is well: more traffic, or the promotion.
    Advance,
    /// The hook with this position failed; it was counted.
    HookFailed(usize),
    /// The check with this position failed; it was counted.
    CheckFailed(usize),
    /// The check with this position has no value; nothing was counted.
    Hold(usize),
}

/// Makes one tick: the threshold first, then hooks, then checks up to the first that does not
/// pass. So a release is taken back one tick after the failure that reached the threshold.
#[must_use]
pub fn tick(rule: &AnalysisRule, state: TickState, input: &TickInput<'_>) -> (TickState, Decision) {
    let is_judged = input.stage != Stage::WaitingTrafficIncrease;
    if is_judged && state.failed_checks >= rule.threshold.max(1) {
        return (state, Decision::Rollback);
    }
    let failed = TickState { failed_checks: state.failed_checks.saturating_add(1) };
    if let Some(hook) = input.webhooks.iter().position(|passed| !passed) {
        return (failed, Decision::HookFailed(hook));
    }
    if !input.has_traffic {
        return (state, Decision::Advance);
    }
    let mut saw_something = !input.webhooks.is_empty();
    for (position, check) in in_order(&rule.checks) {
        let reading = input.readings.get(position).copied().unwrap_or(Reading::NoValues);
        match (check.judge(reading), rule.no_data) {
            (Outcome::Passed, _) => saw_something = true,
            (Outcome::Failed, _) | (Outcome::NoValue | Outcome::QueryFailed, NoData::Fail) => {
                return (failed, Decision::CheckFailed(position));
            }
            (Outcome::NoValue, NoData::Ignore) => {}
            (Outcome::NoValue | Outcome::QueryFailed, _) => {
                return (state, Decision::Hold(position));
            }
        }
    }
    // A tick in which every check was passed over proves nothing that could be forgiven for.
    let forgiven = if saw_something { rule.failed_check_decay } else { 0 };
    (TickState { failed_checks: state.failed_checks.saturating_sub(forgiven) }, Decision::Advance)
}

/// The checks with their positions, as Flagger goes through them: templates last.
fn in_order(checks: &[Check]) -> impl Iterator<Item = (usize, &Check)> {
    let of = |templates: bool| {
        checks
            .iter()
            .enumerate()
            .filter(move |(_, check)| (check.kind == CheckKind::Template) == templates)
    };
    of(false).chain(of(true))
}
