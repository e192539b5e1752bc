//! Measurements by Kubernetes Jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Duration, schema::any_object};

/// A Kubernetes Job for each measurement, in the member and there in the Rollout's namespace. It
/// passes if the Job succeeds. Every container gets the threshold's query as the variable
/// `LOCKFLIGHT_QUERY`. The hub's account needs the verbs get, create and delete on jobs there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobProvider {
    /// Template of the Job's pod: metadata and spec. It runs once, never starts again, and gets no
    /// token of a `ServiceAccount`.
    #[schemars(schema_with = "any_object")]
    pub template: Value,
    /// How long a Job may run before it has failed. Default 10m, from 1s to 1h.
    #[serde(default = "default_deadline")]
    pub deadline: Duration,
    /// Seconds that a finished Job is kept, so that its log can be read. Default 600.
    #[serde(default = "default_ttl")]
    #[schemars(range(max = 86_400))]
    pub ttl_seconds_after_finished: u32,
}

fn default_deadline() -> Duration {
    Duration::from("10m")
}

fn default_ttl() -> u32 {
    600
}
