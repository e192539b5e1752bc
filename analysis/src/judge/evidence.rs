//! What has been shown so far: small, additive, serialisable.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::compact::{self, COMPACT_VERSION};
use super::fleet::Fleet;
use super::live::{Live, Totals};

/// Version of the form in which evidence is kept.
pub(super) const VERSION: u8 = 4;

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

    /// As bytes that take a fifth of the room: about 50 per metric and cluster under way, about
    /// 15 where it is finished. What is rounded is rounded in the release's favour, by less than
    /// 0.02 nats; the fleet's own numbers are exact.
    #[must_use]
    pub fn encode_compact(&self) -> Vec<u8> {
        compact::encode(self)
    }

    /// Reads what [`Self::encode`] or [`Self::encode_compact`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnreadableEvidence> {
        let damaged = |why: &str| UnreadableEvidence::Damaged(why.to_owned());
        let read: Result<Option<Self>, postcard::Error> = match bytes.first() {
            Some(&VERSION) => postcard::from_bytes(bytes).map(Some),
            Some(&COMPACT_VERSION) => compact::decode(bytes),
            Some(&other) => return Err(UnreadableEvidence::Version(other)),
            None => return Err(damaged("it is empty")),
        };
        let read = read.map_err(|error| UnreadableEvidence::Damaged(error.to_string()))?;
        let read = read.ok_or_else(|| damaged("a cluster in it has no name"))?;
        if read.is_sound() { Ok(read) } else { Err(damaged("a number in it is not finite")) }
    }

    /// What the next attempt of the same revision begins with. What speaks for the release is
    /// carried on, or a bad one would pass at last by trying often enough; what speaks against it
    /// begins anew, with a higher bar.
    #[must_use]
    pub fn next_attempt(&self) -> Self {
        let metrics = self.metrics.iter().map(|(name, streams)| {
            let carried = streams.iter().map(|stream| Stream {
                fleet: Fleet::carrying(stream.fleet.promote),
                // Where reading stopped, and what stable is like; nothing of the evidence.
                clusters: stream.clusters.iter().filter_map(begun_anew).collect(),
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

    fn is_sound(&self) -> bool {
        self.metrics.values().flatten().all(|stream| {
            stream.fleet.is_sound()
                && stream.clusters.values().all(|place| match place {
                    Place::Live(live) => live.is_sound(),
                    Place::Finished { ratio, difference, .. } => {
                        ratio.is_finite() && difference.is_finite()
                    }
                })
        })
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
    /// Whether anything was counted in it, in this attempt or before.
    pub(super) fn is_seen(&self) -> bool {
        !self.clusters.is_empty() || self.fleet.promote != 0.0
    }
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

fn begun_anew((name, place): (&String, &Place)) -> Option<(String, Place)> {
    match place {
        Place::Live(live) => Some((name.clone(), Place::Live(Box::new(Live::carrying(live.past))))),
        Place::Finished { .. } => None,
    }
}
