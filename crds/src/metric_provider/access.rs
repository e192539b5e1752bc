//! How a provider is reached and how the hub proves who it is. Every Secret is one of the hub's
//! own namespace, as the credentials of clusters are; a change of it counts from the next request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One key of a Secret in the hub's own namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret in the hub's own namespace.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Key within the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// TLS to a provider. Its certificate is always checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Secret in the hub's own namespace whose key ca.crt holds the certificate authorities of
    /// the server, in PEM. Only these are trusted then; without it the system's are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_secret_name: Option<String>,
    /// Secret in the hub's own namespace with the hub's client certificate: tls.crt and tls.key,
    /// in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub client_secret_name: Option<String>,
}

/// How the hub proves who it is: exactly one of basic, bearer, oauth2 and sigV4.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "(has(self.basic) ? 1 : 0) + (has(self.bearer) ? 1 : 0) + (has(self.oauth2) ? 1 : 0) + (has(self.sigV4) ? 1 : 0) == 1", "message": "must have exactly one of basic, bearer, oauth2 and sigV4"}]))]
pub struct Authentication {
    /// User name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuthentication>,
    /// A bearer token that stands in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretKey>,
    /// Tokens fetched from an authorization server (RFC 6749, section 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2ClientCredentials>,
    /// Signatures of AWS, as the Amazon Managed Service for Prometheus asks for.
    #[serde(default, rename = "sigV4", skip_serializing_if = "Option::is_none")]
    pub sigv4: Option<SigV4>,
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuthentication {
    /// Secret in the hub's own namespace with the keys username and password.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// Tokens by the client credentials grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2ClientCredentials {
    /// Token endpoint of the authorization server. It is trusted by the system's certificate
    /// authorities and those of tls.caSecretName.
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#@]+(/[^?#]*)?$"))]
    pub token_address: String,
    /// Secret in the hub's own namespace with the keys client-id and client-secret.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Scopes to ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    pub scopes: Vec<String>,
    /// Audience to ask for, where the authorization server needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
}

/// Signatures of AWS, version 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigV4 {
    /// Region of the service, for example eu-west-1.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9-]+$"))]
    pub region: String,
    /// Name of the service in signatures. Default aps, the managed Prometheus.
    #[serde(default = "default_service")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9-]+$"))]
    pub service: String,
    /// Secret in the hub's own namespace with the keys access-key-id, secret-access-key and, for
    /// temporary credentials, session-token.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// A header added to every request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.value) != has(self.valueFrom)", "message": "must have exactly one of value and valueFrom"}]))]
pub struct Header {
    /// Name of the header. Headers that frame a message, such as Host or Content-Length, are
    /// refused, and Authorization where auth is given.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9-]+$"))]
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub value: Option<String>,
    /// Where its value is, if it is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<HeaderSource>,
}

/// Where a header's value is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderSource {
    /// One key of a Secret.
    pub secret: SecretKey,
}

fn default_service() -> String {
    "aps".to_owned()
}
