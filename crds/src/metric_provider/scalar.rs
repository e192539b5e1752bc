//! Sources of single values, for thresholds: each question has a list of numbers for an answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Authentication, Header, Tls, default_timeout};
use crate::Duration;

/// JSON over HTTP. The text of a threshold's query is sent as one value, never as part of the
/// address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.jsonPath) != has(self.cel)", "message": "must have exactly one of jsonPath and cel"}]))]
pub struct WebProvider {
    /// Address that is asked, path included. Loopback and link-local addresses and the hub's own
    /// API server are refused.
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: String,
    /// Whether the query is sent as a parameter of the address (Get, the default), or as the only
    /// field of a JSON object (Post).
    #[serde(default)]
    pub method: WebMethod,
    /// Name of the parameter or field that carries the query. Default query.
    #[serde(default = "default_parameter")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    pub parameter: String,
    /// `JSONPath` (RFC 9535) of the values in the answer: `$.data[*].value`. Each has to be a number,
    /// or text that is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub json_path: Option<String>,
    /// CEL expression over response, the answer, that gives a number or a list of numbers:
    /// `response.errors / response.requests`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub cel: Option<String>,
    /// How the server proves who it is, and the hub's client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How the hub proves who it is; without it requests are anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Authentication>,
    /// Headers added to every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<Header>,
    /// How long the hub waits for one answer. Default 5s, at most 1m.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

/// How a question is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum WebMethod {
    /// As a parameter of the address.
    #[default]
    Get,
    /// As a field of a JSON object.
    Post,
}

/// Datadog. A threshold's query is a Datadog query; its values are the newest of each series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatadogProvider {
    /// Address of the API of your site, for example `https://api.datadoghq.eu`. Default
    /// `https://api.datadoghq.com`.
    #[serde(default = "default_datadog")]
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: String,
    /// Secret in the hub's own namespace with the keys api-key and app-key.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// How far back a query looks. Default 5m, at most 1h.
    #[serde(default = "default_lookback")]
    pub lookback: Duration,
    /// How long the hub waits for one answer. Default 5s, at most 1m.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

/// Amazon `CloudWatch`. A threshold's query is an expression of `GetMetricData`: metric math with
/// SEARCH, or a Metrics Insights query; its values are the newest of each result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudWatchProvider {
    /// Region that is asked, for example eu-west-1.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9-]+$"))]
    pub region: String,
    /// Address, where it is not `https://monitoring.<region>.amazonaws.com`: of a VPC endpoint or
    /// another partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: Option<String>,
    /// Secret in the hub's own namespace with the keys access-key-id, secret-access-key and, for
    /// temporary credentials, session-token. It needs the right `cloudwatch:GetMetricData`.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Seconds that one value stands for. Default 60.
    #[serde(default = "default_period")]
    #[schemars(range(min = 1, max = 3600))]
    pub period_seconds: u32,
    /// How far back a query looks. Default 5m, at most 1h.
    #[serde(default = "default_lookback")]
    pub lookback: Duration,
    /// How long the hub waits for one answer. Default 5s, at most 1m.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

/// New Relic. A threshold's query is NRQL that selects one number per row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewRelicProvider {
    /// Address of the `NerdGraph` API, for example `https://api.eu.newrelic.com/graphql`. Default
    /// `https://api.newrelic.com/graphql`.
    #[serde(default = "default_new_relic")]
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: String,
    /// Number of the account that is asked.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub account: u32,
    /// Secret in the hub's own namespace with a user key under the key api-key.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// How long the hub waits for one answer. Default 5s, at most 1m.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

/// Any other source, behind a server of yours: it gets `{"query": "<text>"}` by POST and answers
/// `{"values": [<numbers>]}`, or `{"error": "<why>"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalProvider {
    /// Address that is asked, path included. Loopback and link-local addresses and the hub's own
    /// API server are refused.
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub address: String,
    /// How the server proves who it is, and the hub's client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How the hub proves who it is; without it requests are anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Authentication>,
    /// Headers added to every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<Header>,
    /// How long the hub waits for one answer. Default 5s, at most 1m.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

fn default_parameter() -> String {
    "query".to_owned()
}

fn default_datadog() -> String {
    "https://api.datadoghq.com".to_owned()
}

fn default_new_relic() -> String {
    "https://api.newrelic.com/graphql".to_owned()
}

fn default_lookback() -> Duration {
    Duration::from("5m")
}

fn default_period() -> u32 {
    60
}
