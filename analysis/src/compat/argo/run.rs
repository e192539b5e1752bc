//! A run: several metrics, and what follows from them for the rollout.

use chrono::{DateTime, Utc};

use super::{MetricRule, MetricState, Phase};

/// A metric in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMetric {
    /// When it is measured and decided.
    pub rule: MetricRule,
    /// What it came to.
    pub state: MetricState,
    /// It is measured and shown, but decides nothing.
    pub dry_run: bool,
}

/// A run of all metrics of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Its metrics.
    pub metrics: Vec<RunMetric>,
    /// The rollout needs no more of it, for example because its step is over.
    pub terminate: bool,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The phase of the run.
    pub phase: Phase,
    /// Whether it takes no new measurements. Those in flight are to be ended by the caller,
    /// who records what came of them.
    pub terminating: bool,
    /// The earliest time at which a metric is to be measured.
    pub next_at: Option<DateTime<Utc>>,
}

/// What a run's phase means for its rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The run is not over.
    Wait,
    /// The step may go on.
    GoOn,
    /// The rollout pauses until a person decides.
    Pause,
    /// The release is taken back.
    Abort,
}

impl From<Phase> for Consequence {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending | Phase::Running => Self::Wait,
            Phase::Successful => Self::GoOn,
            Phase::Inconclusive => Self::Pause,
            Phase::Error | Phase::Failed => Self::Abort,
        }
    }
}

impl Run {
    /// Whether no new measurements are taken: on request, or because a metric that counts has
    /// ended the run.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.terminate
            || self.metrics.iter().any(|metric| !metric.dry_run && metric.state.phase.ends_run())
    }

    /// Assesses every metric, then the run. A metric that ends the run is seen by the others in
    /// a second pass, so that the answer is the one that Argo's next reconciliation gives.
    pub fn assess(&mut self) -> Assessment {
        for _ in 0..2 {
            let terminating = self.is_terminating();
            for metric in &mut self.metrics {
                metric.state.phase = metric.state.assess(&metric.rule, terminating);
            }
        }
        let terminating = self.is_terminating();
        let next_at = self
            .metrics
            .iter()
            .filter_map(|metric| metric.state.next_at(&metric.rule, self.started_at, terminating))
            .min();
        Assessment { phase: self.phase(), terminating, next_at }
    }

    /// Running while any metric is; then the worst of those that count. A run in which none
    /// counts is successful: a dry run must not hold a rollout.
    fn phase(&self) -> Phase {
        if self.metrics.iter().any(|metric| !metric.state.phase.is_completed()) {
            return Phase::Running;
        }
        let counting = self.metrics.iter().filter(|metric| !metric.dry_run);
        counting.map(|metric| metric.state.phase).max().unwrap_or(Phase::Successful)
    }
}
