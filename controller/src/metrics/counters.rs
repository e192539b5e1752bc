//! What thresholds have counted, for a hub that starts again.
//!
//! Failures towards a limit are evidence against a release. Were they lost with the process, a
//! release that fails now and then could outlive its limit by a hub's restarts. What a status
//! keeps does not grow with the number of measurements: counters, and when the last one ended.

use chrono::{DateTime, Utc};
use lockflight_analysis::compat::{
    argo::{MetricState, Phase},
    flagger::Decision,
};
use serde::{Deserialize, Serialize};

use super::state::GateState;
use crate::judgement::Counted;

/// Version of the form.
const VERSION: u8 = 1;

/// All that is kept of a member.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    version: u8,
    /// The step's opening, in seconds since 1970 and nanoseconds: counters of another step start
    /// over.
    opened_at: (i64, u32),
    /// Thresholds of the plain kind, by metric: failures in a row.
    failures: Vec<(String, u32)>,
    /// Measurements of Jobs, by metric.
    jobs: Vec<(String, u32)>,
    step: Option<KeptRun>,
    attempt: Option<KeptRun>,
    /// By template.
    analyses: Vec<(String, KeptAnalysis)>,
}

/// A run of Argo Rollouts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptRun {
    pub(super) started_at_ms: i64,
    /// By metric.
    pub(super) metrics: Vec<(String, KeptMetric)>,
}

/// A metric of Argo Rollouts; its newest measurement with the time of its end in ms since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptMetric {
    phase: Phase,
    count: u32,
    successful: u32,
    failed: u32,
    inconclusive: u32,
    error: u32,
    consecutive_error: u32,
    consecutive_success: u32,
    last: Option<(Phase, Option<i64>)>,
}

impl From<&MetricState> for KeptMetric {
    fn from(state: &MetricState) -> Self {
        let MetricState { phase, count, successful, failed, inconclusive, error, .. } = *state;
        let MetricState { consecutive_error, consecutive_success, last, .. } = *state;
        let last = last.map(|(phase, at)| (phase, at.map(|at| at.timestamp_millis())));
        Self {
            phase,
            count,
            successful,
            failed,
            inconclusive,
            error,
            consecutive_error,
            consecutive_success,
            last,
        }
    }
}

impl From<KeptMetric> for MetricState {
    fn from(kept: KeptMetric) -> Self {
        let KeptMetric { phase, count, successful, failed, inconclusive, error, .. } = kept;
        let KeptMetric { consecutive_error, consecutive_success, last, .. } = kept;
        let last = last.map(|(phase, at)| (phase, at.and_then(time)));
        Self {
            phase,
            count,
            successful,
            failed,
            inconclusive,
            error,
            consecutive_error,
            consecutive_success,
            last,
        }
    }
}

/// An analysis of Flagger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptAnalysis {
    pub(super) failed_checks: u32,
    pub(super) counts_from_ms: i64,
    pub(super) decision: Option<Decision>,
    pub(super) failed_last: Option<usize>,
}

/// A time as it is kept.
pub(super) fn time(ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms)
}

impl GateState {
    /// What the thresholds have counted; none where there are none, or no gate yet.
    pub(super) fn counted(&self) -> Option<Counted> {
        let (_, opened_at) = self.gate.as_ref()?;
        let (step, attempt) = self.compat.kept_runs();
        let before = self.failures_before.keys().filter(|key| !self.thresholds.contains_key(*key));
        let failures = self.thresholds.keys().chain(before).map(|key| (key, self.failures(key)));
        let kept = Kept {
            version: VERSION,
            opened_at: (opened_at.timestamp(), opened_at.timestamp_subsec_nanos()),
            failures: failures
                .filter(|(_, failures)| *failures > 0)
                .map(|(key, failures)| (key.to_string(), failures))
                .collect(),
            jobs: self.jobs.finished(),
            step,
            attempt,
            analyses: self.compat.kept_analyses(),
        };
        let is_empty = kept.failures.is_empty()
            && kept.step.is_none()
            && kept.attempt.is_none()
            && kept.analyses.is_empty();
        // What had been counted and is forgiven now has to be said, too.
        let against = Some(kept.against());
        let state = postcard::to_allocvec(&kept).ok()?;
        (!is_empty || !self.thresholds.is_empty() || !self.failures_before.is_empty())
            .then_some(Counted { state, against })
    }

    /// Counts on where another process stopped. What cannot be read is counted anew.
    pub(super) fn count_on(&mut self, bytes: &[u8], revision: &str) {
        let read = bytes.first().filter(|version| **version == VERSION);
        let Some(kept) = read.and_then(|_| postcard::from_bytes::<Kept>(bytes).ok()) else {
            tracing::warn!("the counters in status.evidence cannot be read; counting anew");
            return;
        };
        let (seconds, nanos) = kept.opened_at;
        let Some(opened_at) = DateTime::from_timestamp(seconds, nanos) else { return };
        self.gate = Some((revision.to_owned(), opened_at));
        let failures = kept.failures.into_iter();
        self.failures_before =
            failures.map(|(key, failures)| (key.as_str().into(), failures)).collect();
        self.jobs.count_on(kept.jobs);
        self.compat.count_on((kept.step, kept.attempt), kept.analyses);
    }
}

impl Kept {
    /// Counters that speak against the release, and those in a row, in a fixed order.
    fn against(&self) -> Vec<u32> {
        let failures = self.failures.iter().map(|(_, failures)| *failures);
        let runs = [&self.step, &self.attempt].into_iter().flatten();
        let states = runs.flat_map(|run| run.metrics.iter().map(|(_, state)| state));
        let of_argo = states.flat_map(|state| {
            [state.failed, state.inconclusive, state.error, state.consecutive_error]
        });
        let of_flagger = self.analyses.iter().map(|(_, analysis)| analysis.failed_checks);
        failures.chain(of_argo).chain(of_flagger).collect()
    }
}
