//! What the gates have seen, kept for the Analysis screen in bounded rings.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{PoisonError, RwLock},
};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::judge::Standing;
use lockflight_crds::VerdictState;

use super::view::{AnalysisPage, SeriesKind, SeriesView};
use crate::{shelf::Key, standing::EvidenceView};

mod columns;
mod latest;
mod standings;

use standings::Standings;

pub use standings::STANDINGS_MAX;

/// Points kept per metric and cluster: with windows of 15 s the last two hours.
pub const POINTS_MAX: usize = 512;
/// Series kept in all; at their limit the one that was fed least recently is forgotten. With
/// [`POINTS_MAX`] points of [`POINT_BYTES_MAX`] bytes each, a full feed holds 57 MB, and a fleet
/// whose gates are open in 50 clusters with 4 metrics holds 11 MB.
pub const SERIES_MAX: usize = 1_000;
/// Size of a kept point.
pub const POINT_BYTES_MAX: usize = 112;
/// A point that says what the last one said is taken only so long after it.
const UNCHANGED_AFTER: TimeDelta = TimeDelta::seconds(15);
/// Length of a query, a sentence or a limit that is kept.
const TEXT_BYTES_MAX: usize = 4 * 1024;

const _: () = assert!(size_of::<(u64, EvidencePoint)>() <= POINT_BYTES_MAX);

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
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesFacts {
    /// Attempt of the Rollout; points of an older one are dropped when a newer one begins.
    pub attempt: i64,
    /// How it is judged; points of another kind are dropped, too.
    pub kind: SeriesKind,
    /// Whether nothing follows from it.
    pub informs: bool,
    /// What is asked of the source; without it the last one is kept.
    pub query: Option<String>,
    /// What is allowed, in words.
    pub limit: String,
    /// Numbers that a threshold compares with.
    pub bounds: Vec<f64>,
    /// The verdict in one word.
    pub verdict: VerdictState,
    /// The verdict in a sentence.
    pub message: String,
}

impl Default for SeriesFacts {
    fn default() -> Self {
        Self {
            attempt: 0,
            kind: SeriesKind::default(),
            informs: false,
            query: None,
            limit: String::new(),
            bounds: Vec::new(),
            verdict: VerdictState::Watch,
            message: String::new(),
        }
    }
}

/// Events of one arm since the attempt began.
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

/// Evidence for both conclusions; none where it can never come to one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Balance {
    /// Evidence that the new revision is worse.
    pub abort: Option<AgainstBar>,
    /// Evidence that the new revision is good enough.
    pub promote: Option<AgainstBar>,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    /// All comparisons together.
    Together(Balance),
    /// Both revisions in this cluster, and the evidence of all clusters.
    Compared {
        /// The new revision.
        canary: Arm,
        /// The stable revision beside it.
        stable: Arm,
        /// The evidence.
        balance: Balance,
    },
    /// A measurement; none where there was no usable number.
    Measured(Option<f64>),
}

/// What a gate had seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidencePoint {
    /// When.
    pub at: DateTime<Utc>,
    /// Step in the cluster, from 1.
    pub step: u32,
    /// The verdict then.
    pub verdict: VerdictState,
    /// What was seen.
    pub seen: Seen,
}

impl EvidencePoint {
    /// Whether it says nothing that an earlier one has not said a moment ago.
    fn repeats(&self, last: &Self) -> bool {
        Self { at: last.at, ..*self } == *last && self.at - last.at < UNCHANGED_AFTER
    }
}

/// Every series that is kept.
#[derive(Debug, Default)]
pub struct EvidenceFeed {
    state: RwLock<State>,
    standings: Standings,
}

#[derive(Debug, Default)]
struct State {
    series: BTreeMap<SeriesKey, Series>,
    /// Number of the newest change over all series.
    newest: u64,
}

#[derive(Debug)]
struct Series {
    facts: SeriesFacts,
    points: VecDeque<(u64, EvidencePoint)>,
    dropped: u64,
    /// Number of its last change.
    fed: u64,
}

impl EvidenceFeed {
    /// Takes what is known of a series, and a point if there is a new one. Never waits for
    /// anything and never fails: what does not fit pushes out what is oldest.
    pub fn push(&self, key: SeriesKey, facts: SeriesFacts, point: Option<EvidencePoint>) {
        let facts = bounded(facts);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let number = state.newest + 1;
        if !state.series.contains_key(&key) && state.series.len() >= SERIES_MAX {
            let idle = state.series.iter().min_by_key(|(_, series)| series.fed);
            let idle = idle.map(|(key, _)| key.clone());
            idle.and_then(|key| state.series.remove(&key));
        }
        let series = state.series.entry(key).or_insert_with(|| Series {
            facts: SeriesFacts { kind: facts.kind, ..SeriesFacts::default() },
            points: VecDeque::new(),
            dropped: 0,
            fed: 0,
        });
        if series.take(facts, point, number) {
            state.newest = number;
        }
    }

    /// Forgets a Rollout.
    pub fn forget(&self, namespace: &str, rollout: &str) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.series.retain(|key, _| key.namespace != namespace || key.rollout != rollout);
        self.standings.forget(&Key::new(namespace, rollout));
    }

    /// Takes what all clusters of a Rollout together have shown in an attempt.
    pub fn stand(&self, rollout: &Key, attempt: i64, at: DateTime<Utc>, standing: &Standing) {
        self.standings.take(rollout, attempt, at, standing);
    }

    /// What all clusters of a Rollout together have shown in an attempt, if a gate was open.
    #[must_use]
    pub fn standing(&self, rollout: &Key, attempt: i64) -> Option<EvidenceView> {
        self.standings.of(rollout, attempt)
    }

    /// Number of the newest change over all series.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).newest
    }

    /// What a cluster of a Rollout has shown after change `since` (0: everything), and the number
    /// of the newest change in it.
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
        let mut series: Vec<SeriesView> = of_rollout
            .filter(|(key, series)| key.cluster == cluster && series.fed > since)
            .map(|(key, series)| columns::of(&key.metric, series, since))
            .collect();
        series.sort_by_key(|view| view.kind);
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

impl Series {
    /// Whether anything in it has changed.
    fn take(&mut self, facts: SeriesFacts, point: Option<EvidencePoint>, number: u64) -> bool {
        if facts.attempt > self.facts.attempt || facts.kind != self.facts.kind {
            self.points.clear();
            self.dropped = 0;
        }
        let query = facts.query.or_else(|| self.facts.query.take());
        let facts = SeriesFacts { query, ..facts };
        let last = self.points.back().map(|(_, last)| *last);
        let point = point.filter(|point| last.is_none_or(|last| !point.repeats(&last)));
        let changed = point.is_some() || facts.verdict != self.facts.verdict || self.fed == 0;
        self.facts = facts;
        if let Some(point) = point {
            if self.points.len() == POINTS_MAX {
                self.points.pop_front();
                self.dropped += 1;
            }
            self.points.push_back((number, point));
        }
        if changed {
            self.fed = number;
        }
        changed
    }
}

/// Texts come from templates and sources; what is kept of them is bounded.
fn bounded(mut facts: SeriesFacts) -> SeriesFacts {
    let texts = [Some(&mut facts.limit), Some(&mut facts.message), facts.query.as_mut()];
    for text in texts.into_iter().flatten() {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        text.truncate(end);
    }
    facts
}

#[cfg(test)]
mod tests;
