//! The pods of a revision, as far as they tell whether it crashes. All of it stands in the status
//! of the pods, so that a hub that starts again, or takes over, sees the same.

use chrono::{DateTime, Utc};

/// A pod that is not being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFacts {
    /// When it was created, by the clock of the member's API server.
    pub created_at: DateTime<Utc>,
    /// How often its containers were restarted since.
    pub restarts: u32,
    /// The run of a container that ended last, if one has ended.
    pub last_run: Option<RunFacts>,
    /// A container of it waits in `CrashLoopBackOff` for its next start.
    pub backing_off: bool,
}

/// A run of a container from its start to its end, by the clock of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How it ended, as in `container app: OOMKilled, exit code 137`.
    pub end: String,
}
