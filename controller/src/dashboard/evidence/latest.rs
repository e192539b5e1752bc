//! What the newest points say: measurements of thresholds, and how much traffic there is.

use std::sync::PoisonError;

use chrono::TimeDelta;

use super::{Arm, EvidenceFeed, EvidencePoint, Seen, Series, SeriesKey};
use crate::dashboard::view::{SeriesKind, ThresholdView};

/// Points further apart than this have a gap between them: no gate was open, so nothing was
/// counted.
const GAP: TimeDelta = TimeDelta::seconds(60);
/// Counted for less than this, a rate is chance.
const COUNTED_MIN: TimeDelta = TimeDelta::seconds(60);

/// Traffic of one cluster, as its gates have counted it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::dashboard) struct CountedTraffic {
    /// The cluster.
    pub(in crate::dashboard) cluster: String,
    /// Requests per second of both revisions together.
    pub(in crate::dashboard) requests_per_second: f64,
    /// Part of stable's requests that is bad, from 0 to 1.
    pub(in crate::dashboard) bad_share: f64,
}

impl EvidenceFeed {
    /// The newest measurement of every threshold of an attempt.
    pub(in crate::dashboard) fn thresholds(
        &self,
        namespace: &str,
        rollout: &str,
        attempt: i64,
    ) -> Vec<ThresholdView> {
        self.of_attempt(namespace, rollout, attempt, |key, series| {
            let last = series.points.back().map(|(_, point)| *point)?;
            let Seen::Measured(value) = last.seen else { return None };
            Some(ThresholdView {
                cluster: key.cluster.clone(),
                metric: key.metric.clone(),
                informs: series.facts.informs,
                value,
                limit: series.facts.limit.clone(),
                verdict: series.facts.verdict,
                message: series.facts.message.clone(),
                at: last.at,
            })
        })
    }

    /// The traffic of the cluster with the fewest bad requests that were counted: what can be
    /// seen there can be seen everywhere. None before a minute was counted anywhere.
    pub(in crate::dashboard) fn traffic(
        &self,
        namespace: &str,
        rollout: &str,
        attempt: i64,
        metric: &str,
    ) -> Option<CountedTraffic> {
        let rows = self.of_attempt(namespace, rollout, attempt, |key, series| {
            let own = series.facts.kind == SeriesKind::Comparison && key.metric == metric;
            own.then(|| counted(key, series)).flatten()
        });
        let bad = |row: &CountedTraffic| row.requests_per_second * row.bad_share;
        rows.into_iter().min_by(|a, b| bad(a).total_cmp(&bad(b)))
    }

    fn of_attempt<T>(
        &self,
        namespace: &str,
        rollout: &str,
        attempt: i64,
        take: impl Fn(&SeriesKey, &Series) -> Option<T>,
    ) -> Vec<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let own = state.series.iter().filter(|(key, series)| {
            key.namespace == namespace && key.rollout == rollout && series.facts.attempt == attempt
        });
        own.filter_map(|(key, series)| take(key, series)).collect()
    }
}

/// The traffic between points of one step that follow each other closely.
fn counted(key: &SeriesKey, series: &Series) -> Option<CountedTraffic> {
    let points: Vec<EvidencePoint> = series.points.iter().map(|(_, point)| *point).collect();
    let (mut seconds, mut requests) = (0.0, 0.0);
    let mut stable_of_all = Arm::default();
    for pair in points.windows(2) {
        let [before, after] = pair else { continue };
        let (Seen::Compared { canary: c0, stable: s0, .. }, Seen::Compared { canary, stable, .. }) =
            (before.seen, after.seen)
        else {
            continue;
        };
        let apart = after.at - before.at;
        let more = (canary.total - c0.total) + (stable.total - s0.total);
        if before.step == after.step && apart <= GAP && more >= 0.0 {
            seconds += apart.as_seconds_f64();
            requests += more;
            stable_of_all = stable;
        }
    }
    let is_counted = seconds >= COUNTED_MIN.as_seconds_f64() && stable_of_all.total > 0.0;
    is_counted.then(|| CountedTraffic {
        cluster: key.cluster.clone(),
        requests_per_second: requests / seconds,
        bad_share: stable_of_all.bad / stable_of_all.total,
    })
}
