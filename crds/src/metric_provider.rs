//! `MetricProvider`: where measurements come from. Authors of rollouts name one, never a URL.

mod access;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::access::{
    Authentication, BasicAuthentication, Header, HeaderSource, OAuth2ClientCredentials, SecretKey,
    SigV4, Tls,
};
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
    /// A server that speaks the Prometheus HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics
    /// and managed services.
    pub prometheus: PrometheusProvider,
}

/// A Prometheus server, or another one with the same HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusProvider {
    /// Base address of the server as the hub reaches it, for example `http://prometheus:9090`.
    /// Loopback and link-local addresses and the hub's own API server are refused.
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: String,
    /// How the server proves who it is, and the hub's client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How the hub proves who it is; without it requests are anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Authentication>,
    /// Headers added to every request, for example `X-Scope-OrgID` for a tenant of Mimir.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<Header>,
    /// How long the hub waits for one answer before the gate reports an error. Default 5s, at
    /// most 1m.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

fn default_timeout() -> Duration {
    Duration::from("5s")
}
