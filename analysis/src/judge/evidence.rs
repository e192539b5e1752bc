//! What has been shown so far: small, additive, serialisable.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::change_point::{self, Process};
use super::increments::{DIFFERENCE, Increments, PROMOTE, RATIO};
use super::past::Past;
use super::window::{ArmCounts, Window};

/// Version of the form in which evidence is kept.
pub(super) const VERSION: u8 = 1;

/// The most that one component may gain within an episode in one cluster: half of ln 100, so
/// that no single disturbance decides alone.
const GAIN_MAX: f64 = 2.3;

/// Gains of the present episode are kept in steps of this many nats, rounded up.
const GAIN_STEP: f64 = 0.02;

/// Parts into which an episode is cut for that: shorter windows are added up.
const EPISODE_PARTS: i64 = 4;

/// The evidence of one attempt. It can be lost without harm to what it guarantees: windows that
/// are not counted cost time, never truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub(super) version: u8,
    /// Attempts of this revision, this one included.
    pub(super) attempts: u32,
    pub(super) metrics: BTreeMap<String, Vec<Stream>>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { version: VERSION, attempts: 1, metrics: BTreeMap::new() }
    }
}

/// Evidence that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvidence {
    /// It is not in the form that this program writes.
    #[error("the evidence in status.evidence is damaged: {0}")]
    Damaged(String),
    /// Another version of the hub wrote it.
    #[error("the evidence in status.evidence has version {0}, which this hub does not know")]
    Version(u8),
}

impl Evidence {
    /// As bytes; the same evidence gives the same bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Nothing in it can fail to be written: no maps with odd keys, no unbounded floats.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnreadableEvidence> {
        match bytes.first() {
            Some(&VERSION) => postcard::from_bytes(bytes)
                .map_err(|error| UnreadableEvidence::Damaged(error.to_string())),
            Some(&other) => Err(UnreadableEvidence::Version(other)),
            None => Err(UnreadableEvidence::Damaged("it is empty".to_owned())),
        }
    }

    /// What the next attempt of the same revision begins with. What speaks for the release is
    /// carried on, or a bad one would pass at last by trying often enough; what speaks against it
    /// begins anew, with a higher bar.
    #[must_use]
    pub fn next_attempt(&self) -> Self {
        let metrics = self.metrics.iter().map(|(name, streams)| {
            let carried = streams.iter().map(|stream| Stream {
                fleet: Fleet { promote: stream.fleet.promote, ..Fleet::default() },
                clusters: BTreeMap::new(),
            });
            (name.clone(), carried.collect())
        });
        Self {
            version: VERSION,
            attempts: self.attempts.saturating_add(1),
            metrics: metrics.collect(),
        }
    }

    /// End of the last window of a metric in a cluster that was taken in; a reader that lost its
    /// place goes on from there. Of several streams the one that is furthest.
    #[must_use]
    pub fn counted_until(&self, metric: &str, cluster: &str) -> Option<DateTime<Utc>> {
        let streams = self.metrics.get(metric)?;
        let ends = streams.iter().filter_map(|stream| match stream.clusters.get(cluster)? {
            Place::Live(live) => live.past.until(),
            Place::Finished { .. } => None,
        });
        ends.max()
    }

    /// A cluster is through with its steps: nothing more is counted there, and only what it has
    /// come to is kept.
    pub fn finish(&mut self, cluster: &str) {
        for stream in self.metrics.values_mut().flatten() {
            if let Some(place) = stream.clusters.get_mut(cluster)
                && let Place::Live(live) = place
            {
                let (ratio, difference) = live.log_evidence();
                *place =
                    Place::Finished { ratio, difference, canary: live.canary, stable: live.stable };
            }
        }
    }
}

/// The evidence of one stream of a metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) fleet: Fleet,
    pub(super) clusters: BTreeMap<String, Place>,
}

impl Stream {
    /// Whether it has been looked at, in this attempt or an earlier one.
    pub(super) fn is_begun(&self) -> bool {
        !self.clusters.is_empty() || self.fleet.promote.iter().any(|log| *log != 0.0)
    }
}

/// What the clusters show together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Fleet {
    time: Time,
    pub(super) processes: Processes,
    /// `ln E` per component; a product, for what is bad is bad from the start.
    pub(super) promote: [f64; PROMOTE],
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Place {
    Live(Box<Live>),
    /// `ln E`, fixed.
    Finished {
        ratio: f64,
        difference: f64,
        canary: Totals,
        stable: Totals,
    },
}

/// A cluster under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Live {
    time: Time,
    pub(super) past: Past,
    processes: Processes,
    recent: Vec<Recent>,
    pub(super) canary: Totals,
    pub(super) stable: Totals,
}

/// Events since the attempt began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) bad: u64,
    pub(super) events: u64,
}

impl Totals {
    fn add(&mut self, counts: ArmCounts) {
        self.bad = self.bad.saturating_add(counts.bad.min(counts.events));
        self.events = self.events.saturating_add(counts.events);
    }
}

/// What a part of the present episode has gained, in steps of [`GAIN_STEP`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recent {
    begun_ms: i64,
    ended_ms: i64,
    gained: [i8; RATIO + DIFFERENCE],
}

/// Time in window lengths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Time {
    begun_ms: i64,
    windows: u32,
}

impl Time {
    /// Moves on to the end of a window; the weight of the moments that have passed.
    fn pass(&mut self, window: &Window) -> f64 {
        let ends_ms = window.ends_at.timestamp_millis();
        let length_ms = window.length.num_milliseconds().max(1);
        if self.windows == 0 {
            self.begun_ms = ends_ms.saturating_sub(length_ms);
        }
        let before = self.windows;
        let passed = ends_ms.saturating_sub(self.begun_ms) / length_ms;
        self.windows = u32::try_from(passed.max(1)).unwrap_or(u32::MAX).max(before);
        change_point::weight(before, self.windows)
    }
}

/// The processes of the abort side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Processes {
    ratio: [Process; RATIO],
    difference: [Process; DIFFERENCE],
}

impl Processes {
    fn step(&mut self, weight: f64, increments: &Increments) {
        let Increments { ratio, difference, promote: _ } = increments;
        for (process, increment) in self.ratio.iter_mut().zip(ratio) {
            process.step(weight, *increment);
        }
        for (process, increment) in self.difference.iter_mut().zip(difference) {
            process.step(weight, *increment);
        }
    }

    /// `ln E` of the ratio and of the difference: each the mean over its components.
    fn log_evidence(&self, time: Time) -> (f64, f64) {
        let left = change_point::left(time.windows);
        let mean = |processes: &[Process]| {
            let logs = processes.iter().map(|process| process.log_evidence(left));
            change_point::log_mean(logs).unwrap_or(0.0)
        };
        (mean(&self.ratio), mean(&self.difference))
    }
}

impl Fleet {
    /// `ln E` of the ratio and of the difference.
    pub(super) fn log_evidence(&self) -> (f64, f64) {
        self.processes.log_evidence(self.time)
    }

    /// `ln E` in the release's favour.
    pub(super) fn log_promote(&self) -> f64 {
        change_point::log_mean(self.promote).unwrap_or(0.0)
    }

    /// Takes in what a cluster's window has gained.
    pub(super) fn take(&mut self, window: &Window, increments: &Increments) {
        let weight = self.time.pass(window);
        self.processes.step(weight, increments);
        for (log, increment) in self.promote.iter_mut().zip(increments.promote) {
            *log += increment;
        }
    }
}

impl Live {
    pub(super) fn log_evidence(&self) -> (f64, f64) {
        self.processes.log_evidence(self.time)
    }

    /// Takes in a window; what of its gain counts.
    pub(super) fn take(
        &mut self,
        window: &Window,
        increments: &Increments,
        episode: TimeDelta,
    ) -> Increments {
        let capped = self.cap(window, increments, episode);
        let weight = self.time.pass(window);
        self.processes.step(weight, &capped);
        let (canary, stable) = window.arms();
        self.canary.add(canary);
        self.stable.add(stable);
        capped
    }

    /// Lets no component gain more than [`GAIN_MAX`] within an episode.
    fn cap(&mut self, window: &Window, increments: &Increments, episode: TimeDelta) -> Increments {
        let ends_at_ms = window.ends_at.timestamp_millis();
        // An episode is never shorter than a window.
        let span_ms = episode.max(window.length).num_milliseconds();
        self.recent.retain(|recent| ends_at_ms.saturating_sub(recent.ended_ms) < span_ms);
        let mut capped = *increments;
        let components = capped.ratio.iter_mut().chain(&mut capped.difference);
        for (index, component) in components.enumerate() {
            let gained = self.recent.iter().filter_map(|recent| recent.gained.get(index));
            let before: f64 = gained.map(|steps| f64::from(*steps) * GAIN_STEP).sum();
            *component = component.min(GAIN_MAX - before);
        }
        let part_ms = span_ms / EPISODE_PARTS;
        let last = self.recent.last_mut();
        let open = last.filter(|last| ends_at_ms.saturating_sub(last.begun_ms) < part_ms);
        let now = || capped.ratio.iter().chain(&capped.difference);
        if let Some(open) = open {
            open.ended_ms = ends_at_ms;
            for (gained, gain) in open.gained.iter_mut().zip(now()) {
                *gained = steps(f64::from(*gained) * GAIN_STEP + gain);
            }
        } else {
            let mut gained = [0; RATIO + DIFFERENCE];
            for (gained, gain) in gained.iter_mut().zip(now()) {
                *gained = steps(*gain);
            }
            self.recent.push(Recent { begun_ms: ends_at_ms, ended_ms: ends_at_ms, gained });
        }
        capped
    }
}

/// A gain in steps, rounded up: what is remembered is never less than what was gained.
fn steps(gain: f64) -> i8 {
    let steps = (gain / GAIN_STEP - 1e-9).ceil();
    #[expect(clippy::cast_possible_truncation, reason = "as saturates, and less counts as more")]
    let steps = steps as i8;
    steps
}
