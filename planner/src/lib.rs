//! Lockflight's decisions: one owned [`Snapshot`] in, one [`Plan`] out.
//!
//! Pure and total: no clock (`now` is a field), no I/O, no randomness, ordered maps only. Every
//! pass looks at everything again; nothing depends on what woke it.
//!
//! ```text
//! attempt:  Progressing ──► Completed
//!               │  abort (decided before anything else)
//!               └────► Aborting ──► Aborted          (unreachable members: owed)
//!
//! member:   Pending ─► Canary(step 1..n) ─► Promoting ─► Promoted
//!              │  └──► Deploying (nothing served here before) ─┘
//!              └───── any phase ─► RollingBack ─► RolledBack
//!
//! wave:     Waiting ─► Moving ─► Baking ─► Done
//! ```

mod abort;
mod attempt;
mod check;
mod command;
mod draft;
mod drift;
mod ids;
mod journal;
mod member;
mod plan;
mod pods;
mod rest;
mod snapshot;
mod token;
mod wave;

pub use check::{Violation, check};
pub use ids::{MemberId, Revision};
pub use journal::{
    Abort, Attempt, AttemptPhase, Base, EvidenceRecord, Handled, HandledAbort, Journal,
    MemberJournal, MemberPhase, PlanJournal, VerdictRecord, WaveJournal, WavePhase,
};
pub use plan::{
    Action, Gate, HubAction, Notice, NoticeReason, Plan, Severity, WaitReason, Waiting,
};
pub use pods::{PodFacts, RunFacts};
pub use snapshot::{
    Approval, Commands, Decisive, DeploymentFacts, Evidence, Facts, Observed, Pacing, PlannedStep,
    PlannedWave, Policy, Role, RollbackScope, RouteFacts, RouteState, ServiceFacts, Snapshot,
    Standing, UnreachableBudget, Verdict,
};

use chrono::TimeDelta;

/// How long the data plane gets to follow a change that nothing acknowledges (endpoints reach
/// Envoy by EDS, which has no acknowledgement that we can read). One second is eight times what
/// Contour was measured to need.
pub const SETTLE: TimeDelta = TimeDelta::seconds(1);

/// How long pods stay after the last Service has let go of them, at least: requests in flight
/// and connections that a gateway still holds end in this time.
pub const DRAIN: TimeDelta = TimeDelta::seconds(5);

/// Evidence older than this decides nothing (invariant S6).
pub const EVIDENCE_AGE_MAX: TimeDelta = TimeDelta::seconds(60);

/// Deployments without pods that are kept per member, newest first, for a look at what ran.
pub const OLD_DEPLOYMENTS_KEPT: usize = 3;

/// Decides what to do next. Total and deterministic.
pub fn plan(snapshot: &Snapshot) -> Plan {
    let mut draft = draft::Draft::new(snapshot);
    // Everything that can stop or turn a release comes before anything that moves it.
    command::take_up(&mut draft);
    attempt::follow_spec(&mut draft);
    attempt::note_members(&mut draft);
    abort::decide(&mut draft);
    if draft.may_write() {
        if draft.phase() == Some(AttemptPhase::Progressing) {
            wave::advance(&mut draft);
        }
        match draft.phase() {
            Some(AttemptPhase::Aborting) => abort::take_back(&mut draft),
            Some(AttemptPhase::Aborted) => {
                abort::pay_debts(&mut draft);
                rest::keep(&mut draft);
            }
            Some(AttemptPhase::Completed) => rest::keep(&mut draft),
            Some(AttemptPhase::Progressing) | None => {}
        }
    }
    rest::let_go(&mut draft);
    draft.finish()
}
