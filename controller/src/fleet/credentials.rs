//! Member credentials, parsed strictly and rebuilt from an allow-list (control C1).
//!
//! A kubeconfig can run programs, read files of the hub and send its tokens elsewhere. So none is
//! ever handed to a client library: what may be in it is listed here, and all else is refused.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::ByteString;
use secrecy::SecretString;
use serde::Deserialize;

/// Longest credential that is looked at, in bytes.
const SIZE_MAX: usize = 256 * 1024;

/// What a member's client needs, and nothing else.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Certificate authority of the member's API server, in PEM.
    pub authority_pem: Vec<u8>,
    /// Who the hub is there.
    pub identity: Identity,
}

/// Who the hub is in a member.
#[derive(Debug, Clone)]
pub enum Identity {
    /// Bearer token of a ServiceAccount.
    Token(SecretString),
    /// Client certificate and key, in PEM.
    Certificate {
        /// Certificate.
        certificate_pem: String,
        /// Private key.
        key_pem: SecretString,
    },
}

/// Why a credential is refused. Texts name the key, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredentials {
    /// A key is missing.
    #[error(
        "key {0} is missing: give ca.crt and token, or ca.crt, tls.crt and tls.key, or kubeconfig"
    )]
    Missing(&'static str),
    /// A value is not what its key says.
    #[error("key {key} is not usable: {why}")]
    Unusable {
        /// The key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// The kubeconfig has something that is not on the allow-list.
    #[error("key kubeconfig: {0}")]
    Kubeconfig(String),
}

/// Reads the data of a credential Secret for the member at `server`.
pub fn parse(
    data: &BTreeMap<String, ByteString>,
    server: &str,
) -> Result<Credentials, InvalidCredentials> {
    if let Some(kubeconfig) = data.get("kubeconfig") {
        return parse_kubeconfig(&kubeconfig.0, server);
    }
    let authority_pem = pem(data, "ca.crt")?.ok_or(InvalidCredentials::Missing("ca.crt"))?;
    let identity = match (text(data, "token")?, pem(data, "tls.crt")?, text(data, "tls.key")?) {
        (Some(token), None, None) => Identity::Token(token_of(token.trim())?),
        (None, Some(certificate), Some(key)) => certificate_of(certificate, key)?,
        (Some(_), _, _) => {
            return Err(InvalidCredentials::Unusable {
                key: "token".to_owned(),
                why: "there is a client certificate too; keep one of them",
            });
        }
        (None, Some(_), None) => return Err(InvalidCredentials::Missing("tls.key")),
        (None, None, _) => return Err(InvalidCredentials::Missing("token")),
    };
    Ok(Credentials { authority_pem, identity })
}

fn token_of(token: &str) -> Result<SecretString, InvalidCredentials> {
    let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible {
        return Err(InvalidCredentials::Unusable {
            key: "token".to_owned(),
            why: "a token is one line of visible ASCII characters",
        });
    }
    Ok(SecretString::from(token.to_owned()))
}

fn certificate_of(certificate: Vec<u8>, key: String) -> Result<Identity, InvalidCredentials> {
    let certificate_pem = String::from_utf8(certificate)
        .map_err(|_| InvalidCredentials::Unusable { key: "tls.crt".to_owned(), why: "not text" })?;
    Ok(Identity::Certificate { certificate_pem, key_pem: SecretString::from(key) })
}

fn text(
    data: &BTreeMap<String, ByteString>,
    key: &'static str,
) -> Result<Option<String>, InvalidCredentials> {
    let Some(value) = data.get(key) else { return Ok(None) };
    if value.0.len() > SIZE_MAX {
        return Err(InvalidCredentials::Unusable { key: key.to_owned(), why: "too long" });
    }
    String::from_utf8(value.0.clone())
        .map(Some)
        .map_err(|_| InvalidCredentials::Unusable { key: key.to_owned(), why: "not text" })
}

fn pem(
    data: &BTreeMap<String, ByteString>,
    key: &'static str,
) -> Result<Option<Vec<u8>>, InvalidCredentials> {
    let Some(text) = text(data, key)? else { return Ok(None) };
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(InvalidCredentials::Unusable {
            key: key.to_owned(),
            why: "not a certificate in PEM",
        });
    }
    Ok(Some(text.into_bytes()))
}

/// The part of a kubeconfig that we accept; any other field is an error that names it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Kubeconfig {
    #[serde(rename = "apiVersion")]
    #[expect(dead_code, reason = "accepted, without meaning")]
    api_version: Option<String>,
    #[expect(dead_code, reason = "accepted, without meaning")]
    kind: Option<String>,
    #[expect(dead_code, reason = "accepted, without meaning")]
    preferences: Option<BTreeMap<String, String>>,
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
    contexts: Vec<NamedContext>,
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedCluster {
    name: String,
    cluster: ClusterEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ClusterEntry {
    server: String,
    certificate_authority_data: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedUser {
    name: String,
    user: UserEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UserEntry {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedContext {
    name: String,
    context: ContextEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextEntry {
    cluster: String,
    user: String,
    #[expect(dead_code, reason = "accepted, without meaning")]
    namespace: Option<String>,
}

fn parse_kubeconfig(bytes: &[u8], server: &str) -> Result<Credentials, InvalidCredentials> {
    let refuse = |why: &str| InvalidCredentials::Kubeconfig(why.to_owned());
    if bytes.len() > SIZE_MAX {
        return Err(refuse("too long"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("not text"))?;
    let config: Kubeconfig =
        serde_saphyr::from_str(text).map_err(|error| refuse(&refusal(&error)))?;
    let ([cluster], [user], [context]) =
        (config.clusters.as_slice(), config.users.as_slice(), config.contexts.as_slice())
    else {
        return Err(refuse("must have exactly one cluster, one user and one context"));
    };
    let fits = context.context.cluster == cluster.name
        && context.context.user == user.name
        && config.current_context.as_ref().is_none_or(|current| *current == context.name);
    if !fits {
        return Err(refuse("the context must name the cluster and the user of the file"));
    }
    if cluster.cluster.server.trim_end_matches('/') != server.trim_end_matches('/') {
        return Err(refuse("server must be the one in the Cluster's spec.server"));
    }
    let authority_pem = decode(&cluster.cluster.certificate_authority_data)
        .ok_or_else(|| refuse("certificate-authority-data must be base64"))?;
    let UserEntry { token, client_certificate_data, client_key_data } = &user.user;
    let identity = match (token, client_certificate_data, client_key_data) {
        (Some(token), None, None) => Identity::Token(token_of(token)?),
        (None, Some(certificate), Some(key)) => {
            let certificate = decode(certificate)
                .ok_or_else(|| refuse("client-certificate-data must be base64"))?;
            let key = decode(key)
                .and_then(|key| String::from_utf8(key).ok())
                .ok_or_else(|| refuse("client-key-data must be base64"))?;
            certificate_of(certificate, key)?
        }
        _ => {
            return Err(refuse(
                "the user must have token, or client-certificate-data and client-key-data",
            ));
        }
    };
    Ok(Credentials { authority_pem, identity })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.trim()).ok()
}

/// The parser's complaint, cut to its first line and length, without any snippet of the file:
/// the file holds secrets.
fn refusal(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let field = text.split('`').nth(1).filter(|field| {
        field.len() <= 64 && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    match field {
        Some(field) => format!(
            "field {field} is not allowed or missing; allowed are server, certificate-authority-data, token, client-certificate-data and client-key-data (no exec, no file paths, no proxy, no insecure TLS)"
        ),
        None => "not a kubeconfig in YAML".to_owned(),
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
