//! `MetricProvider`: where measurements come from. Authors of rollouts name one, never a URL.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// A source of measurements, written by the platform team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "lockflight.dev",
    version = "v1alpha1",
    kind = "MetricProvider",
    plural = "metricproviders",
    category = "lockflight",
    doc = "A source of measurements, written by the platform team. Rollouts name one through their clusters, never a URL.",
    printcolumn = r#"{"name":"Address","type":"string","jsonPath":".spec.prometheus.address"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct MetricProviderSpec {
    /// A server that speaks the Prometheus HTTP API.
    pub prometheus: PrometheusProvider,
}

/// A Prometheus server, or another one with the same HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusProvider {
    /// Base address of the server as the hub reaches it, for example `http://prometheus:9090`.
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: String,
    /// How long the hub waits for one answer before the gate reports an error. Default 5s.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

fn default_timeout() -> Duration {
    Duration::from("5s")
}
