//! Argo Rollouts: an `AnalysisRun` per cluster in the background of its steps. A measurement a
//! minute; more than `failureLimit` failed ones, in total, abort.

use super::first_beyond;
use crate::trace::{Trace, share};

/// `successCondition: result[0] <= threshold`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Absolute {
    /// Largest error rate that is fine.
    pub threshold: f64,
    /// Failed measurements that are borne.
    pub failure_limit: usize,
    /// Range of the query's `rate`, seconds.
    pub range_s: f64,
}

impl Absolute {
    pub(super) fn decide(&self, trace: &Trace) -> Option<usize> {
        let range = trace.windows_in(self.range_s);
        first_beyond(trace, self.failure_limit, |live, at| {
            // No requests make it NaN, and no comparison with NaN holds: failed.
            share(live.last(at, range).canary).is_none_or(|rate| rate > self.threshold)
        })
    }
}

/// `failureCondition: canary > max(ratio * stable, floor)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Multiple of stable's error rate.
    pub multiple: f64,
    /// Error rate below which nothing fails.
    pub floor: f64,
    /// Failed measurements that are borne.
    pub failure_limit: usize,
    /// Range of the query's `rate`, seconds.
    pub range_s: f64,
}

impl Ratio {
    pub(super) fn decide(&self, trace: &Trace) -> Option<usize> {
        let range = trace.windows_in(self.range_s);
        first_beyond(trace, self.failure_limit, |live, at| {
            let arms = live.last(at, range);
            let stable = share(arms.stable).unwrap_or(0.0);
            // NaN is not greater than anything: not failed.
            share(arms.canary).is_some_and(|rate| rate > (self.multiple * stable).max(self.floor))
        })
    }
}
