//! What a pass decides.

use chrono::{DateTime, Utc};

use crate::{
    ids::{MemberId, Revision},
    journal::Journal,
    snapshot::Role,
};

/// The outcome of a pass. `next` is committed first; only then `actions` are sent.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Plan {
    /// The journal to commit before anything is sent.
    pub next: Journal,
    /// Writes in members, each conditional on the object that the snapshot saw.
    pub actions: Vec<(MemberId, Action)>,
    /// Writes on the Rollout itself.
    pub hub_actions: Vec<HubAction>,
    /// Gates whose evidence is wanted from now on; all others are to be dropped.
    pub gates: Vec<Gate>,
    /// Why nothing (more) happens.
    pub waiting: Vec<Waiting>,
    /// What to tell the user once.
    pub notices: Vec<Notice>,
    /// When to look again although nothing changed.
    pub wake_at: Option<DateTime<Utc>>,
}

/// A write in a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Create the Deployment of the revision asked for.
    CreateDeployment {
        /// Its revision.
        revision: Revision,
        /// Its size.
        replicas: u32,
    },
    /// Change a Deployment's size.
    Scale {
        /// Its revision.
        revision: Revision,
        /// Its new size.
        replicas: u32,
    },
    /// Delete a Deployment that has no pods.
    DeleteDeployment {
        /// Its revision.
        revision: Revision,
    },
    /// Create the Service, or change its selector and ports in one patch.
    PointService {
        /// Which one.
        role: Role,
        /// The revision to select.
        revision: Revision,
        /// Tombstone to leave: a revision that is taken back.
        aborted: Option<Revision>,
    },
    /// Give the canary Service this share, and the stable one the rest, in every rule of ours.
    SetWeight {
        /// Share in per cent.
        percent: u8,
        /// Part of an abort: may overtake writes under way.
        urgent: bool,
    },
}

/// A write on the Rollout itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubAction {
    /// Put our finalizer on.
    AddFinalizer,
    /// Take it off: every member serves on its own.
    RemoveFinalizer,
    /// Remove the consumed abort annotation, if it still has this value.
    RemoveAbortAnnotation(String),
}

/// A gate whose evidence is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The member.
    pub member: MemberId,
    /// The attempt.
    pub attempt: i64,
    /// The step.
    pub step: usize,
    /// The revision on trial.
    pub canary: Revision,
    /// The revision to compare with; none when all traffic is on the canary.
    pub stable: Option<Revision>,
    /// Evidence counts from here.
    pub opened_at: DateTime<Utc>,
}

/// Something that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The member that waits; none when a wave or the whole rollout does.
    pub member: Option<MemberId>,
    /// Reason.
    pub reason: WaitReason,
    /// In a sentence.
    pub message: String,
    /// Earliest end, where known.
    pub until: Option<DateTime<Utc>>,
    /// What opens it, where a person has to.
    pub token: Option<String>,
}

/// Why something waits. The names are what users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the documentation that users get")]
pub enum WaitReason {
    PodsNotReady,
    PodsCrashing,
    EndpointsNotReady,
    RouteNotAcknowledged,
    Settling,
    Baking,
    CollectingSamples,
    Analyzing,
    Undecided,
    NoData,
    AnalysisError,
    AwaitingApproval,
    Paused,
    Unreachable,
    TrafficConflict,
    RouteMissing,
    RouteUnsupported,
    WriteRefused,
    WaveConcurrency,
    RollingBack,
    StableMissing,
    InvalidSpec,
    Finalizer,
}

/// How loud a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For the record.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Something to tell once, as an Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Reason.
    pub reason: NoticeReason,
    /// In a sentence.
    pub message: String,
}

/// Reasons of Events; a fixed list, part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the documentation that users get")]
pub enum NoticeReason {
    RolloutStarted,
    WaveStarted,
    ClusterStarted,
    StepStarted,
    WeightAcknowledged,
    ClusterPromoted,
    WavePassed,
    RolloutCompleted,
    AwaitingApproval,
    Approved,
    StalePromotion,
    Undecided,
    AnalysisFailed,
    ClusterFailed,
    RolloutAborted,
    RolledBack,
    NothingToAbort,
    StaleRetry,
    ClusterUnreachable,
    ClusterRecovered,
    TrafficConflict,
    StatusLost,
}

impl NoticeReason {
    /// How loud.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Undecided
            | Self::AnalysisFailed
            | Self::ClusterFailed
            | Self::RolloutAborted
            | Self::StalePromotion
            | Self::NothingToAbort
            | Self::StaleRetry
            | Self::ClusterUnreachable
            | Self::TrafficConflict
            | Self::StatusLost => Severity::Warning,
            Self::RolloutStarted
            | Self::WaveStarted
            | Self::ClusterStarted
            | Self::StepStarted
            | Self::WeightAcknowledged
            | Self::ClusterPromoted
            | Self::WavePassed
            | Self::RolloutCompleted
            | Self::AwaitingApproval
            | Self::Approved
            | Self::RolledBack
            | Self::ClusterRecovered => Severity::Normal,
        }
    }
}
