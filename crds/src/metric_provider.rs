//! `MetricProvider`: where measurements come from. Authors of rollouts name one, never a URL.

mod access;
mod job;
mod scalar;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::access::{
    Authentication, BasicAuthentication, Header, HeaderSource, OAuth2ClientCredentials, SecretKey,
    SigV4, Tls,
};
pub use self::job::JobProvider;
pub use self::scalar::{
    CloudWatchProvider, DatadogProvider, ExternalProvider, NewRelicProvider, WebMethod, WebProvider,
};
use crate::Duration;

/// A source of measurements, written by the platform team: exactly one of prometheus, web, datadog,
/// cloudWatch, newRelic, external and job. Only prometheus has the raw counters that comparisons need;
/// the others answer thresholds.
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
#[schemars(extend("x-kubernetes-validations" = [{"rule": "(has(self.prometheus) ? 1 : 0) + (has(self.web) ? 1 : 0) + (has(self.datadog) ? 1 : 0) + (has(self.cloudWatch) ? 1 : 0) + (has(self.newRelic) ? 1 : 0) + (has(self.external) ? 1 : 0) + (has(self.job) ? 1 : 0) == 1", "message": "must have exactly one of prometheus, web, datadog, cloudWatch, newRelic, external and job"}]))]
pub struct MetricProviderSpec {
    /// Namespaces whose Rollouts may ask it. Without it those of every namespace that may act in a
    /// Cluster which names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 63)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub allowed_namespaces: Option<Vec<String>>,
    /// A server that speaks the Prometheus HTTP API: Prometheus, Thanos, Mimir, `VictoriaMetrics`
    /// and managed services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusProvider>,
    /// JSON over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<WebProvider>,
    /// Datadog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datadog: Option<DatadogProvider>,
    /// Amazon `CloudWatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch: Option<CloudWatchProvider>,
    /// New Relic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_relic: Option<NewRelicProvider>,
    /// Any other source, behind a server of yours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalProvider>,
    /// A Kubernetes Job per measurement, in the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobProvider>,
}

/// A Prometheus server, or another one with the same HTTP API: exactly one of address and service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "has(self.address) != has(self.service)", "message": "must have exactly one of address and service"},
    {"rule": "!has(self.service) || (!has(self.tls) && !has(self.auth))", "message": "service goes with neither auth nor tls: the member's API server passes on no credential"},
]))]
pub struct PrometheusProvider {
    /// Base address of the server as the hub reaches it, for example `http://prometheus:9090`.
    /// Loopback and link-local addresses and the hub's own API server are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: Option<String>,
    /// A Service of the member whose gates ask, reached through the service proxy of the member's
    /// API server: for servers that only the member can reach. The hub's account there needs the
    /// verb create on services/proxy for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<MemberService>,
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

/// A Service of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberService {
    /// Namespace of the Service.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: String,
    /// Name of the Service.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Number or name of the Service's port, as text: `"9090"` or `web`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub port: String,
    /// What the Service speaks. Default http. With https the member's API server does not check
    /// the Service's certificate.
    #[serde(default)]
    pub scheme: ServiceScheme,
    /// Path that the server's API is under, for example /prometheus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^[-._~/A-Za-z0-9]*$"))]
    pub path: Option<String>,
}

/// What a Service speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ServiceScheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

fn default_timeout() -> Duration {
    Duration::from("5s")
}
