//! What the judge remembers, as a Rollout's status keeps it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The judge's memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceStatus {
    /// The revision that it is about.
    #[schemars(length(max = 32))]
    pub revision: String,
    /// The attempt in which it was gathered.
    pub attempt: i64,
    /// Attempts of this revision so far, this one included: each further one has to clear a
    /// higher bar before it is taken back.
    pub attempts: u32,
    /// The evidence, in the judge's own versioned form.
    #[schemars(length(max = 500_000))]
    pub state: String,
    /// Levels of gauges that were chosen from stable, by metric and cluster, as decimal numbers:
    /// a restarted hub goes on with them. Behind the metric's name and an `@` stands a mark of what
    /// it asks for: an edited query gets a level of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, BTreeMap<String, String>>,
    /// What the thresholds of the clusters under way have counted, such as failures towards a
    /// `failureLimit`, in the hub's own versioned form: a restarted hub counts on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, String>,
}
