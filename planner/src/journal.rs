//! What the hub has committed to: the part of the status that decisions depend on.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{
    ids::{MemberId, Revision},
    snapshot::{Pacing, PlannedStep, PlannedWave, Verdict},
};

/// The journal of one Rollout.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    /// The attempt in progress, or the last one.
    pub attempt: Option<Attempt>,
    /// Its plan, fixed at its start.
    pub plan: Option<PlanJournal>,
    /// Its members.
    pub members: BTreeMap<MemberId, MemberJournal>,
    /// Why it was taken back.
    pub abort: Option<Abort>,
    /// Commands that have been carried out.
    pub handled: Handled,
}

/// One run of a revision through the fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Number, from 1; never resets.
    pub number: i64,
    /// The revision on trial.
    pub revision: Revision,
    /// Where it stands.
    pub phase: AttemptPhase,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it completed, or when its traffic was back.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptPhase {
    /// Moving or waiting.
    Progressing,
    /// Going back.
    Aborting,
    /// Back, but for members that are owed their rollback.
    Aborted,
    /// Everywhere.
    Completed,
}

/// The frozen plan and where its waves stand.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanJournal {
    /// Steps within a member.
    pub steps: Vec<PlannedStep>,
    /// Waves in their order.
    pub waves: Vec<WaveJournal>,
    /// Whether metrics gate the steps.
    pub gated: bool,
    /// How long the steps may take to gather evidence.
    pub pacing: Pacing,
}

/// One wave.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveJournal {
    /// What was planned.
    pub planned: PlannedWave,
    /// Whether its approval was given.
    pub approved: bool,
    /// Where it stands.
    pub phase: WavePhase,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Where a wave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WavePhase {
    /// Not yet started.
    Waiting,
    /// Members move.
    Moving,
    /// All promoted; showing its evidence.
    Baking,
    /// Passed.
    Done,
}

/// What served in a member when the attempt began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The member has not been seen since.
    Unseen,
    /// Nothing of ours.
    Nothing,
    /// A revision: what a rollback restores.
    Serving(Revision),
}

/// One member in the attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberJournal {
    /// Where it stands.
    pub phase: MemberPhase,
    /// Step it is at, from 1; 0 before the first.
    pub step: usize,
    /// Since when it has been at this phase and step.
    pub since: DateTime<Utc>,
    /// What served when the attempt began.
    pub base: Base,
    /// Weight that the route is meant to give the canary Service, in per cent.
    pub weight: u8,
    /// Last weight that the router was seen to have accepted.
    pub acknowledged_weight: u8,
    /// When `weight` was seen accepted; none while that is still waited for.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Since when the endpoints are what the phase asks for.
    pub endpoints_since: Option<DateTime<Utc>>,
    /// Ready pods of the revision on trial, as last seen.
    pub ready_pods: u32,
    /// Last verdict of the gates.
    pub verdict: Option<VerdictRecord>,
    /// Since when it has been out of reach.
    pub unknown_since: Option<DateTime<Utc>>,
    /// Why it failed.
    pub problem: Option<String>,
    /// Step whose approval was given.
    pub approved_step: Option<usize>,
}

/// A verdict as shown: renewed when it changes and when its evidence has moved by a whole step,
/// for a status that ticked would be written for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictRecord {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub message: String,
    /// What the comparison metrics had shown.
    pub evidence: Option<EvidenceRecord>,
}

/// Evidence as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceRecord {
    /// That the release is worse than stable: the logarithm of an e-value, in hundredths.
    pub against_centinats: i32,
    /// That it is not bad, likewise.
    pub in_favour_centinats: i32,
}

/// Where a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberPhase {
    /// Serves what it served; its turn has not come.
    Pending,
    /// The first deployment comes up.
    Deploying,
    /// Takes its steps.
    Canary,
    /// All traffic on the new revision, which becomes the stable one.
    Promoting,
    /// The new revision is stable.
    Promoted,
    /// Going back to the base.
    RollingBack,
    /// Back.
    RolledBack,
}

impl MemberPhase {
    /// Whether the member is under way: it holds one of the wave's places.
    #[must_use]
    pub fn in_flight(self) -> bool {
        match self {
            Self::Deploying | Self::Canary | Self::Promoting => true,
            Self::Pending | Self::Promoted | Self::RollingBack | Self::RolledBack => false,
        }
    }
}

/// Why an attempt was taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct Abort {
    /// Reason in one word.
    pub reason: String,
    /// The same in a sentence.
    pub message: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The revision taken back.
    pub revision: Revision,
    /// The member that failed.
    pub member: Option<MemberId>,
    /// The step at which it failed.
    pub step: Option<usize>,
    /// The metric that failed, its value and its limit.
    pub metric: Option<(String, String, String)>,
    /// Field manager that commanded it.
    pub by: Option<String>,
    /// Whether promoted members go back too.
    pub fleet: bool,
}

/// Commands that have been carried out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Handled {
    /// Last value of the promote annotation.
    pub promote: Option<String>,
    /// The abort annotation that is being consumed.
    pub abort: Option<HandledAbort>,
    /// Last value of the retry annotation.
    pub retry: Option<String>,
}

/// An abort annotation that was taken up and has not yet been seen removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandledAbort {
    /// Its value.
    pub value: String,
    /// The attempt it applied to, if any was in progress.
    pub attempt: Option<i64>,
}
