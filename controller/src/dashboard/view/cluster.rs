//! A member of the fleet as a row of the Clusters screen.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockflight_crds::{Cluster, conditions::types};
use schemars::JsonSchema;
use serde::Serialize;

use super::page::moment;

/// A member.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRow {
    /// Name.
    pub name: String,
    /// Whether the hub can act there; absent until it has looked.
    pub ready: Option<bool>,
    /// In one word: Reachable, Unreachable, `InvalidCredentials`.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Version of its API server.
    pub kubernetes_version: Option<String>,
    /// Address of its API server.
    pub server: String,
    /// Its default source of measurements.
    pub metric_provider: Option<String>,
    /// Namespaces in which Rollouts may act.
    pub allowed_namespaces: Vec<String>,
    /// Its labels: what placements and waves select.
    pub labels: BTreeMap<String, String>,
}

impl From<&Cluster> for ClusterRow {
    fn from(cluster: &Cluster) -> Self {
        let status = cluster.status.as_ref();
        let ready = status.and_then(|s| s.conditions.iter().find(|c| c.type_ == types::READY));
        Self {
            name: cluster.metadata.name.clone().unwrap_or_default(),
            ready: ready.and_then(|condition| match condition.status.as_str() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            }),
            reason: ready.map_or("Pending", |c| c.reason.as_str()).to_owned(),
            message: ready.map_or_else(
                || "the hub has not looked at this cluster yet".to_owned(),
                |c| c.message.clone(),
            ),
            since: ready.and_then(|c| moment(c.last_transition_time.0.as_second())),
            kubernetes_version: status.and_then(|s| s.kubernetes_version.clone()),
            server: cluster.spec.server.clone(),
            metric_provider: cluster.spec.metrics.as_ref().map(|m| m.provider.clone()),
            allowed_namespaces: cluster.spec.allowed_namespaces.clone(),
            labels: cluster.metadata.labels.clone().unwrap_or_default(),
        }
    }
}
