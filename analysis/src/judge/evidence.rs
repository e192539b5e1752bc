//! What has been shown so far: small, additive, serialisable.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::fleet::Fleet;
use super::live::{Live, Totals};

/// Version of the form in which evidence is kept.
pub(super) const VERSION: u8 = 2;

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
            Some(&VERSION) => {
                let read: Self = postcard::from_bytes(bytes)
                    .map_err(|error| UnreadableEvidence::Damaged(error.to_string()))?;
                if read.is_sound() {
                    Ok(read)
                } else {
                    Err(UnreadableEvidence::Damaged("a number in it is not finite".to_owned()))
                }
            }
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
