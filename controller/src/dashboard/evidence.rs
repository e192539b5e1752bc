//! What the gates have seen, kept for the Analysis screen in bounded rings.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{PoisonError, RwLock},
};

use chrono::{DateTime, Utc};

use super::view::{AnalysisPage, SeriesView};

/// Points kept per metric and cluster: at one in five seconds the last hour.
pub const POINTS_MAX: usize = 720;
/// Series kept in all; at their limit the one that was fed least recently is forgotten. With
/// [`POINTS_MAX`] points of 96 bytes each, a full feed holds about 135 MB, and a fleet whose
/// gates are open in 50 clusters with 4 metrics holds 14 MB.
pub const SERIES_MAX: usize = 2_000;

/// Where a series belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Namespace of the Rollout.
    pub namespace: String,
    /// Name of the Rollout.
    pub rollout: String,
    /// The cluster.
    pub cluster: String,
    /// Name of the metric.
    pub metric: String,
}

/// What a series is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesFacts {
    /// Attempt of the Rollout; points of an older one are dropped when a newer one begins.
    pub attempt: i64,
    /// What is asked of the source.
    pub query: Option<String>,
    /// The verdict in one word.
    pub verdict: String,
    /// The verdict in a sentence.
    pub message: String,
}

/// Events of one arm since the window opened.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Arm {
    /// Bad ones.
    pub bad: f64,
    /// All.
    pub total: f64,
}

/// Evidence for one conclusion, and the bar that it has to reach.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AgainstBar {
    /// Natural logarithm of the e-value.
    pub ln_e: f64,
    /// The bar, on the same scale.
    pub bar: f64,
}

/// What a gate had seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidencePoint {
    /// When.
    pub at: DateTime<Utc>,
    /// Step in the cluster, from 1.
    pub step: u32,
    /// The new revision.
    pub canary: Arm,
    /// The stable revision beside it.
    pub stable: Arm,
    /// Evidence that the new revision is worse.
    pub abort: AgainstBar,
    /// Evidence that the new revision is good enough.
    pub promote: AgainstBar,
}

/// Every series that is kept.
#[derive(Debug, Default)]
pub struct EvidenceFeed {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    series: BTreeMap<SeriesKey, Series>,
    /// Number of the newest point over all series.
    newest: u64,
}

#[derive(Debug)]
struct Series {
    facts: SeriesFacts,
    points: VecDeque<(u64, EvidencePoint)>,
    dropped: u64,
    fed: u64,
}

impl EvidenceFeed {
    /// Takes a point. Never waits and never fails: what does not fit pushes out what is oldest.
    pub fn push(&self, key: SeriesKey, facts: SeriesFacts, point: EvidencePoint) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.newest += 1;
        let number = state.newest;
        if !state.series.contains_key(&key) && state.series.len() >= SERIES_MAX {
            let idle = state.series.iter().min_by_key(|(_, series)| series.fed);
            let idle = idle.map(|(key, _)| key.clone());
            idle.and_then(|key| state.series.remove(&key));
        }
        let series = state.series.entry(key).or_insert_with(|| Series {
            facts: facts.clone(),
            points: VecDeque::new(),
            dropped: 0,
            fed: number,
        });
        if facts.attempt > series.facts.attempt {
            series.points.clear();
            series.dropped = 0;
        }
        if series.points.len() == POINTS_MAX {
            series.points.pop_front();
            series.dropped += 1;
        }
        series.points.push_back((number, point));
        series.facts = facts;
        series.fed = number;
    }

    /// Number of the newest point over all series.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).newest
    }

    /// What a cluster of a Rollout has shown after point `since` (0: everything), and the number
    /// of the newest point in it.
    #[must_use]
    pub fn page(
        &self,
        namespace: &str,
        rollout: &str,
        cluster: &str,
        since: u64,
    ) -> (AnalysisPage, u64) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let of_rollout = state
            .series
            .iter()
            .filter(|(key, _)| key.namespace == namespace && key.rollout == rollout);
        let mut clusters: Vec<String> =
            of_rollout.clone().map(|(key, _)| key.cluster.clone()).collect();
        clusters.dedup();
        let series: Vec<SeriesView> = of_rollout
            .filter(|(key, _)| key.cluster == cluster)
            .map(|(key, series)| columns(&key.metric, series, since))
            .filter(|view| since == 0 || !view.at_ms.is_empty())
            .collect();
        let page = AnalysisPage {
            namespace: namespace.to_owned(),
            rollout: rollout.to_owned(),
            cluster: cluster.to_owned(),
            clusters,
            whole: since == 0,
            series,
        };
        (page, state.newest)
    }
}

fn columns(metric: &str, series: &Series, since: u64) -> SeriesView {
    let points: Vec<&EvidencePoint> =
        series.points.iter().filter(|(number, _)| *number > since).map(|(_, p)| p).collect();
    let column = |value: fn(&EvidencePoint) -> f64| -> Vec<f64> {
        points.iter().map(|point| drawable(value(point))).collect()
    };
    SeriesView {
        metric: metric.to_owned(),
        attempt: series.facts.attempt,
        query: series.facts.query.clone(),
        verdict: series.facts.verdict.clone(),
        message: series.facts.message.clone(),
        dropped: series.dropped,
        at_ms: points.iter().map(|point| point.at.timestamp_millis()).collect(),
        step: points.iter().map(|point| point.step).collect(),
        canary_bad: points.iter().map(|point| point.canary.bad).collect(),
        canary_total: points.iter().map(|point| point.canary.total).collect(),
        stable_bad: points.iter().map(|point| point.stable.bad).collect(),
        stable_total: points.iter().map(|point| point.stable.total).collect(),
        abort_evidence: column(|point| point.abort.ln_e),
        abort_bar: column(|point| point.abort.bar),
        promote_evidence: column(|point| point.promote.ln_e),
        promote_bar: column(|point| point.promote.bar),
    }
}

/// JSON has no infinity and charts have no end: evidence beyond all bounds is drawn at 10^6.
fn drawable(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-1e6, 1e6) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cluster: &str) -> SeriesKey {
        SeriesKey {
            namespace: "shop".to_owned(),
            rollout: "checkout".to_owned(),
            cluster: cluster.to_owned(),
            metric: "errors".to_owned(),
        }
    }

    fn point(total: u32) -> EvidencePoint {
        EvidencePoint {
            at: DateTime::UNIX_EPOCH,
            step: 1,
            canary: Arm { bad: 0.0, total: f64::from(total) },
            stable: Arm::default(),
            abort: AgainstBar { ln_e: f64::NEG_INFINITY, bar: 3.0 },
            promote: AgainstBar::default(),
        }
    }

    fn facts(attempt: i64) -> SeriesFacts {
        SeriesFacts { attempt, ..SeriesFacts::default() }
    }

    fn totals(feed: &EvidenceFeed, since: u64) -> Vec<f64> {
        let (page, _) = feed.page("shop", "checkout", "a", since);
        page.series.first().map(|series| series.canary_total.clone()).unwrap_or_default()
    }

    #[test]
    fn a_ring_keeps_the_newest_and_counts_what_it_drops() {
        let feed = EvidenceFeed::default();
        for total in 0..u32::try_from(POINTS_MAX).unwrap() + 3 {
            feed.push(key("a"), facts(1), point(total));
        }
        let (page, newest) = feed.page("shop", "checkout", "a", 0);
        assert_eq!((page.series[0].at_ms.len(), page.series[0].dropped), (POINTS_MAX, 3));
        assert_eq!(totals(&feed, 0).first(), Some(&3.0));
        assert_eq!(totals(&feed, newest - 1).len(), 1);
        assert!(totals(&feed, newest).is_empty());
        assert!(page.series[0].abort_evidence.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn a_new_attempt_starts_with_an_empty_ring() {
        let feed = EvidenceFeed::default();
        feed.push(key("a"), facts(1), point(7));
        feed.push(key("a"), facts(2), point(9));
        assert_eq!(totals(&feed, 0), [9.0]);
    }

    #[test]
    fn at_the_limit_the_idlest_series_goes() {
        let feed = EvidenceFeed::default();
        for number in 0..=SERIES_MAX {
            feed.push(key(&format!("c{number:05}")), facts(1), point(1));
        }
        let (page, _) = feed.page("shop", "checkout", "c00001", 0);
        assert_eq!(page.clusters.len(), SERIES_MAX);
        assert!(!page.clusters.contains(&"c00000".to_owned()));
    }
}
