//! The rules of other tools, written from their documented semantics, on the same runs.

mod argo;
mod flagger;
mod grid;
mod kayenta;
mod mann_whitney;
mod poisson;

pub use grid::{Named, POOLED, configured, grids};

use crate::trace::Trace;

/// A rule with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Peer {
    /// Argo Rollouts: the canary's error rate against a constant.
    Absolute(argo::Absolute),
    /// Argo Rollouts: the canary's error rate against a multiple of stable's.
    Ratio(argo::Ratio),
    /// Flagger.
    Flagger(flagger::Flagger),
    /// Kayenta's `NetflixACAJudge`.
    Kayenta(kayenta::Kayenta),
    /// An e-process that believes errors to be Poisson.
    Poisson(poisson::Poisson),
}

impl Peer {
    /// The window at whose end the release is taken back.
    #[must_use]
    pub fn decide(&self, trace: &Trace) -> Option<usize> {
        match self {
            Self::Absolute(rule) => rule.decide(trace),
            Self::Ratio(rule) => rule.decide(trace),
            Self::Flagger(rule) => rule.decide(trace),
            Self::Kayenta(rule) => rule.decide(trace),
            Self::Poisson(rule) => rule.decide(trace),
        }
    }
}

/// Seconds between two measurements of the tools that poll.
const INTERVAL_S: f64 = 60.0;

/// Goes through the measurements of every cluster, one a minute, and gives the first window at
/// which one of them has failed more than `limit` times.
fn first_beyond(
    trace: &Trace,
    limit: usize,
    fails: impl Fn(&crate::trace::Live, usize) -> bool,
) -> Option<usize> {
    let every = trace.windows_in(INTERVAL_S);
    let firsts = trace.clusters.iter().filter_map(|live| {
        let measured = (every - 1..live.arms.len()).step_by(every);
        let mut failed = measured.filter(|at| fails(live, *at));
        failed.nth(limit).map(|at| live.from + at)
    });
    firsts.min()
}
