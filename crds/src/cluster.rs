//! `Cluster`: one member of the fleet.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// One member cluster, written by the platform team. Its labels are what placements and waves
/// select.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "lockflight.dev",
    version = "v1alpha1",
    kind = "Cluster",
    plural = "clusters",
    category = "lockflight",
    doc = "One member cluster of the fleet, written by the platform team.",
    status = "ClusterStatus",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.kubernetesVersion"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSpec {
    /// Address of the member's API server; only https.
    #[schemars(length(max = 512), regex(pattern = "^https://[^/?#@]+$"))]
    pub server: String,
    /// How the hub proves who it is there.
    pub credentials: Credentials,
    /// Namespaces in which Rollouts may act in this member. A Rollout acts only in the member's
    /// namespace of its own name.
    #[serde(default)]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 63)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub allowed_namespaces: Vec<String>,
    /// The member's default source of measurements; without it no gate can be evaluated there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ClusterMetrics>,
}

/// Reference to the member's credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Secret in the hub's own namespace with the keys ca.crt and token, or ca.crt, tls.crt and
    /// tls.key, or kubeconfig (one context, only embedded data: no exec, no file paths, no proxy,
    /// no insecure TLS).
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// Where the member's measurements come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterMetrics {
    /// Name of a `MetricProvider`.
    #[schemars(length(min = 1, max = 253))]
    pub provider: String,
}

/// What the hub knows of the member.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Ready says whether the hub can act in the member, and why not.
    #[serde(default)]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Version of the member's API server, for example v1.37.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub kubernetes_version: Option<String>,
}
