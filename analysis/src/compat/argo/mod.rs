//! `AnalysisRun`s of Argo Rollouts: expressions, metrics and runs.

mod expression;
mod measurement;
mod metric;
mod run;
mod source;

pub use expression::{Expression, ExpressionError, Measured};
pub use measurement::{Conditions, Trap};
pub use metric::{ERROR_RETRY, MetricRule, MetricState};
pub use run::{Assessment, Consequence, Run, RunMetric};

/// What is known about a measurement, a metric or a run. The order is that of combination: a
/// run has the greatest phase of its metrics.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Phase {
    /// It passed.
    Successful,
    /// It is under way.
    Running,
    /// It has not begun.
    #[default]
    Pending,
    /// It neither passed nor failed: somebody has to look.
    Inconclusive,
    /// It could not be measured.
    Error,
    /// It did not pass.
    Failed,
}

impl Phase {
    /// Whether nothing more can come: everything but Pending and Running.
    #[must_use]
    pub fn is_completed(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Whether it ends the run of which it is a part.
    #[must_use]
    pub fn ends_run(self) -> bool {
        matches!(self, Self::Failed | Self::Error | Self::Inconclusive)
    }
}
