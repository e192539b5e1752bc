//! One metric of a run: its counters, its phase and when it is measured next.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Phase;

/// Wait after an error, and after anything where no interval is set.
pub const ERROR_RETRY: Duration = Duration::from_secs(10);

/// How a metric is measured and when it is decided. The defaults are Argo's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRule {
    /// Measurements to take; unset or 0 is one without an interval, and no end with one.
    pub count: Option<u32>,
    /// Time from the end of a measurement to the next.
    pub interval: Option<Duration>,
    /// Time from the start of the run to the first measurement.
    pub initial_delay: Duration,
    /// Failures that are tolerated, in all and not in a row; a negative limit is no limit.
    pub failure_limit: i64,
    /// Inconclusive measurements that are tolerated. A negative one tolerates not even none.
    pub inconclusive_limit: i64,
    /// Errors in a row that are tolerated.
    pub consecutive_error_limit: i64,
    /// Successes in a row that decide early; 0 or less: none do.
    pub consecutive_success_limit: i64,
}

impl Default for MetricRule {
    fn default() -> Self {
        Self {
            count: None,
            interval: None,
            initial_delay: Duration::ZERO,
            failure_limit: 0,
            inconclusive_limit: 0,
            consecutive_error_limit: 4,
            consecutive_success_limit: 0,
        }
    }
}

impl MetricRule {
    /// Measurements after which the metric is decided; None: it goes on until it is ended.
    #[must_use]
    pub fn effective_count(&self) -> Option<u32> {
        match self.count {
            Some(count) if count > 0 => Some(count),
            _ if self.interval.is_some() => None,
            _ => Some(1),
        }
    }
}

/// What is kept of a metric between measurements. It does not grow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricState {
    /// The phase as last assessed; once completed it stays.
    pub phase: Phase,
    /// Measurements that came to a result: all but errors.
    pub count: u32,
    /// Of these, the successful ones.
    pub successful: u32,
    /// Of these, the failed ones.
    pub failed: u32,
    /// Of these, the inconclusive ones.
    pub inconclusive: u32,
    /// Measurements that could not be taken or judged.
    pub error: u32,
    /// Errors since the last result.
    pub consecutive_error: u32,
    /// Successes since the last measurement that was none.
    pub consecutive_success: u32,
    /// The newest measurement: its phase, and its end unless it is in flight.
    pub last: Option<(Phase, Option<DateTime<Utc>>)>,
}

impl MetricState {
    /// A measurement that takes its time has begun.
    pub fn begin(&mut self) {
        if !self.phase.is_completed() {
            self.last = Some((Phase::Running, None));
        }
    }

    /// A measurement came to this phase at this time. One that has not come to an end counts as
    /// begun; a metric that is decided takes none.
    pub fn record(&mut self, phase: Phase, finished_at: DateTime<Utc>) {
        if self.phase.is_completed() {
            return;
        }
        let add = |counter: &mut u32| *counter = counter.saturating_add(1);
        match phase {
            Phase::Pending | Phase::Running => return self.begin(),
            Phase::Error => {
                add(&mut self.error);
                add(&mut self.consecutive_error);
            }
            Phase::Successful => add(&mut self.successful),
            Phase::Failed => add(&mut self.failed),
            Phase::Inconclusive => add(&mut self.inconclusive),
        }
        if phase != Phase::Error {
            add(&mut self.count);
            self.consecutive_error = 0;
        }
        if phase == Phase::Successful {
            add(&mut self.consecutive_success);
        } else {
            self.consecutive_success = 0;
        }
        self.last = Some((phase, Some(finished_at)));
    }

    /// Whether a measurement has begun and not ended.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.last.is_some_and(|(phase, _)| !phase.is_completed())
    }

    /// The phase that follows from what was recorded.
    #[must_use]
    pub fn assess(&self, rule: &MetricRule, terminating: bool) -> Phase {
        if self.phase.is_completed() {
            return self.phase;
        }
        if self.last.is_none() {
            return if terminating { Phase::Successful } else { Phase::Pending };
        }
        if self.is_in_flight() {
            return Phase::Running;
        }
        if let Some(phase) = self.limit_passed(rule) {
            return phase;
        }
        let early = rule.consecutive_success_limit;
        if early > 0 && i64::from(self.consecutive_success) >= early {
            return Phase::Successful;
        }
        if rule.effective_count().is_some_and(|count| self.count >= count) {
            return match (early > 0, rule.failure_limit >= 0) {
                (false, _) => Phase::Successful,
                (true, true) => Phase::Inconclusive,
                (true, false) => Phase::Failed,
            };
        }
        if terminating { Phase::Successful } else { Phase::Running }
    }

    /// The limit that is passed; where several are, the last of the three counts.
    fn limit_passed(&self, rule: &MetricRule) -> Option<Phase> {
        if i64::from(self.consecutive_error) > rule.consecutive_error_limit {
            Some(Phase::Error)
        } else if i64::from(self.inconclusive) > rule.inconclusive_limit {
            Some(Phase::Inconclusive)
        } else if rule.failure_limit >= 0 && i64::from(self.failed) > rule.failure_limit {
            Some(Phase::Failed)
        } else {
            None
        }
    }

    /// When to measure next; None when it is decided, ending, in flight, or has all it needs.
    #[must_use]
    pub fn next_at(
        &self,
        rule: &MetricRule,
        run_started_at: DateTime<Utc>,
        terminating: bool,
    ) -> Option<DateTime<Utc>> {
        if self.phase.is_completed() || terminating || self.is_in_flight() {
            return None;
        }
        let (from, wait) = match self.last {
            None => (run_started_at, rule.initial_delay),
            Some(_) if rule.effective_count().is_some_and(|count| self.count >= count) => {
                return None;
            }
            Some((Phase::Error, finished_at)) => (finished_at?, ERROR_RETRY),
            Some((_, finished_at)) => (finished_at?, rule.interval.unwrap_or(ERROR_RETRY)),
        };
        // A wait beyond what a date can hold never ends.
        from.checked_add_signed(chrono::TimeDelta::from_std(wait).ok()?)
    }
}
