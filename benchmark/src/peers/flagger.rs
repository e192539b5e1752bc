//! Flagger: a check a minute; failed checks are counted and never forgiven; the rollback comes
//! at the tick after the one that reaches the threshold. No traffic is a failed check.

use super::{INTERVAL_S, first_beyond};
use crate::trace::{Trace, share};

/// `request-success-rate` with `thresholdRange.min`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flagger {
    /// Largest error rate that passes: 1 minus the least success rate.
    pub error_max: f64,
    /// Failed checks that roll back.
    pub threshold: usize,
}

impl Flagger {
    pub(super) fn decide(&self, trace: &Trace) -> Option<usize> {
        let range = trace.windows_in(INTERVAL_S);
        let failed = first_beyond(trace, self.threshold.saturating_sub(1), |live, at| {
            share(live.last(at, range).canary).is_none_or(|rate| rate > self.error_max)
        });
        let tick = failed? + range;
        (tick < trace.windows()).then_some(tick)
    }
}
