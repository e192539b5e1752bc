//! What the judge looks at: counts of one window of time in one cluster.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

/// Name of a metric: its template's and its own.
pub type MetricName = Arc<str>;

/// Name of a cluster.
pub type ClusterName = Arc<str>;

/// Which revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// The one on trial.
    Canary,
    /// The one that serves beside it.
    Stable,
}

/// One pod in one window. Only pods with both samples, warm and not terminating have one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The pod's revision.
    pub arm: Arm,
    /// Name of the pod.
    pub pod: Arc<str>,
    /// Bad events.
    pub bad: u64,
    /// All events, bad ones included.
    pub events: u64,
}

/// Sums of one arm from a source that does not tell pods apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArmCounts {
    /// Bad events.
    pub bad: u64,
    /// All events, bad ones included.
    pub events: u64,
}

/// The counts of a window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counts {
    /// Per pod.
    Cells(Vec<Cell>),
    /// Per arm only.
    Arms {
        /// Of the revision on trial.
        canary: ArmCounts,
        /// Of the one beside it.
        stable: ArmCounts,
    },
}

/// A window of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When it ended, on the provider's clock.
    pub ends_at: DateTime<Utc>,
    /// How long it was.
    pub length: TimeDelta,
    /// What was counted in it.
    pub counts: Counts,
}

/// A window of one stream of a metric in a cluster. A metric of counters has one stream, 0; a
/// histogram has one per edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The metric.
    pub metric: MetricName,
    /// The stream.
    pub stream: usize,
    /// The cluster.
    pub cluster: ClusterName,
    /// The window.
    pub window: Window,
}

impl Window {
    /// Events of both arms: canary, then stable. No more are bad than there are.
    #[must_use]
    pub fn arms(&self) -> (ArmCounts, ArmCounts) {
        match &self.counts {
            Counts::Arms { canary, stable } => {
                let sound = |arm: ArmCounts| ArmCounts { bad: arm.bad.min(arm.events), ..arm };
                (sound(*canary), sound(*stable))
            }
            Counts::Cells(cells) => {
                let sum = |arm: Arm| {
                    let cells = cells.iter().filter(|cell| cell.arm == arm);
                    cells.fold(ArmCounts::default(), |sum, cell| ArmCounts {
                        bad: sum.bad.saturating_add(cell.bad.min(cell.events)),
                        events: sum.events.saturating_add(cell.events),
                    })
                };
                (sum(Arm::Canary), sum(Arm::Stable))
            }
        }
    }
}
