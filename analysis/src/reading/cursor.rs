//! What is kept from one round to the next.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    answer::{ms, time},
    gauge,
    grid::Grid,
    latency::Edges,
    traffic::FirstSeen,
};

/// A target or series that was not seen for so long is forgotten, in ms.
pub(super) const FORGET_AFTER_MS: i64 = 5 * 60_000;

/// What was consumed of one metric in one cluster, and what was learned on the way. It may be
/// lost: [`Cursor::after`] starts over without counting anything twice, and costs a window or
/// two. About 100 B per target, 40 B per series and, of a gauge, 640 B per stable pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cursor {
    /// End of the last window that was handed out or passed over, in ms.
    pub(super) counted_until: Option<i64>,
    /// Up to when targets that this cursor does not know may have been counted, in ms: by a cursor
    /// before this one, or before they were forgotten.
    pub(super) resumed_from: Option<i64>,
    pub(super) grid: Option<Grid>,
    /// How late samples have come, and when that was seen, in ms.
    pub(super) lag: Lag,
    pub(super) targets: BTreeMap<u64, TargetCursor>,
    /// Time of the first and of the last sample seen of each series, by hash.
    pub(super) series: BTreeMap<u64, (i64, i64)>,
    /// When each pod was first seen to serve, in ms.
    pub(super) first_seen: BTreeMap<Arc<str>, FirstSeen>,
    /// The bounds of slow requests, once chosen.
    pub(super) edges: Option<Edges>,
    /// What stable has shown of a gauge.
    pub(super) gauge: gauge::Past,
}

/// What is remembered of a target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TargetCursor {
    /// The pod, or the instance.
    pub(super) subject: Arc<str>,
    /// Who scrapes it, of several.
    pub(super) observer: String,
    /// Where in a window it is scraped, in ms.
    pub(super) phase: i64,
    /// Time of the last sample that ended a cell, in ms: no later cell may begin before it.
    pub(super) consumed_until: Option<i64>,
    /// Time of its newest sample, in ms.
    pub(super) newest: i64,
}

impl Cursor {
    /// A cursor for a metric of which windows up to this end have been counted, by a hub that
    /// has lost its cursor.
    #[must_use]
    pub fn after(counted_until: DateTime<Utc>) -> Self {
        let counted = Some(ms(counted_until));
        Self { counted_until: counted, resumed_from: counted, ..Self::default() }
    }

    /// End of the last window that was handed out or passed over.
    #[must_use]
    pub fn counted_until(&self) -> Option<DateTime<Utc>> {
        self.counted_until.map(time)
    }

    /// The bounds of slow requests, once chosen. Their number is that of the metric's streams.
    #[must_use]
    pub fn edges(&self) -> Option<&Edges> {
        self.edges.as_ref()
    }

    /// Keeps bounds that were chosen earlier in the same attempt, so that a hub that lost its
    /// cursor goes on with the same streams.
    #[must_use]
    pub fn with_edges(mut self, edges: Edges) -> Self {
        self.edges = Some(edges);
        self
    }

    /// Goes on with the level of a gauge that was reached earlier in the same attempt: a hub that
    /// lost its cursor must not find stable's pods with less to do and take that for usual.
    #[must_use]
    pub fn with_level(mut self, level: f64) -> Self {
        self.gauge.level = Some(level);
        self
    }

    /// Goes on without the level of a gauge, as another attempt does.
    #[must_use]
    pub fn without_level(mut self) -> Self {
        self.gauge.level = None;
        self
    }

    /// The level of a gauge that was taken from stable, once there is one, in its own unit.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        self.gauge.level
    }

    /// Time between scrapes, once seen.
    #[must_use]
    pub fn scrape_interval(&self) -> Option<TimeDelta> {
        self.grid.map(|grid| TimeDelta::milliseconds(grid.interval_ms))
    }

    /// Length of the windows, once known.
    #[must_use]
    pub fn window_length(&self) -> Option<TimeDelta> {
        self.grid.map(|grid| TimeDelta::milliseconds(grid.length_ms))
    }

    /// How late samples have come in the last minutes.
    #[must_use]
    pub fn lag(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.lag.at_ms(self.lag.seen_at))
    }

    /// Remembers up to when targets have been counted, in ms.
    pub(super) fn consume(&mut self, consumed: &[(u64, i64)]) {
        for (id, until) in consumed {
            if let Some(target) = self.targets.get_mut(id) {
                target.consumed_until = target.consumed_until.max(Some(*until));
            }
        }
    }

    /// Forgets what has not been seen for long.
    pub(super) fn forget(&mut self, now: i64) {
        let since = now.saturating_sub(FORGET_AFTER_MS);
        // Whoever comes back after that may be scraped at another time of the window.
        let gone = self.targets.values().filter(|target| target.newest < since);
        let consumed = gone.filter_map(|target| target.consumed_until).max();
        self.resumed_from = self.resumed_from.max(consumed);
        self.targets.retain(|_, target| target.newest >= since);
        self.series.retain(|_, (_, last)| *last >= since);
        let targets = &self.targets;
        if self.first_seen.len() > targets.len() * 4 + 64 {
            let subjects: std::collections::BTreeSet<_> =
                targets.values().map(|target| Arc::clone(&target.subject)).collect();
            self.first_seen.retain(|pod, _| subjects.contains(pod));
        }
    }
}

/// How late samples come: the largest delay seen, halved every five minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) largest: i64,
    pub(super) seen_at: i64,
    /// The provider's time of the last round: what is older than that and new now came late.
    pub(super) last_round: Option<i64>,
}

impl Lag {
    /// The lag to expect now.
    pub(super) fn at_ms(&self, now: i64) -> i64 {
        let halvings = (now - self.seen_at).max(0) / FORGET_AFTER_MS;
        self.largest >> halvings.min(62)
    }

    /// Learns from a sample that was not there in the last round.
    pub(super) fn learn(&mut self, sample_at: i64, now: i64) {
        let Some(last_round) = self.last_round else { return };
        let late = last_round - sample_at;
        if late > self.at_ms(now) {
            (self.largest, self.seen_at) = (late.min(FORGET_AFTER_MS), now);
        }
    }
}
