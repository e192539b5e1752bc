//! A client for one member, with limits on everything that the member could do to the hub.

use std::time::Duration;

use http_body_util::Limited;
use kube::{Client, Config, client::ClientBuilder, config::AuthInfo};
use secrecy::{ExposeSecret, SecretString};

use super::credentials::{Credentials, Identity};

/// Longest wait for one answer, writes and reads alike. Watches are long answers by nature: the
/// member's heartbeat bounds them.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest answer that is read, in bytes. One watch counts as one answer.
const BODY_SIZE_MAX: usize = 64 * 1024 * 1024;

/// A client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("spec.server is not an https address")]
    Server,
    /// The address is the hub's own machine, or a link-local one such as a metadata service.
    #[error("spec.server must not be a loopback, link-local or unspecified address")]
    Inward,
    /// The certificate authority cannot be read.
    #[error("ca.crt is not a certificate in PEM")]
    Authority,
    /// The client library refuses.
    #[error("the credential is not usable: {0}")]
    Library(#[from] Box<kube::Error>),
}

/// Builds the client from nothing but its arguments: no environment, no files, no programs.
pub fn build(server: &str, credentials: &Credentials) -> Result<Client, ClientError> {
    let uri: http::Uri = server.parse().map_err(|_| ClientError::Server)?;
    if uri.scheme_str() != Some("https") {
        return Err(ClientError::Server);
    }
    if uri.host().is_some_and(points_inward) {
        return Err(ClientError::Inward);
    }
    let mut config = Config::new(uri);
    config.root_cert = Some(certificates(&credentials.authority_pem)?);
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // A write that the library repeats by itself could land long after its intent was dropped.
    config.default_retry = false;
    config.auth_info = auth_info(&credentials.identity);
    limited(config)
}

/// Whether an address literal points at the hub's own machine or its link: members are reached
/// over the network, and credentials must not go elsewhere. Names are resolved later and are not
/// checked here.
fn points_inward(host: &str) -> bool {
    use std::net::IpAddr;
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => {
            let mapped = ip.to_ipv4_mapped();
            ip.is_loopback()
                || ip.is_unicast_link_local()
                || ip.is_unspecified()
                || mapped.is_some_and(|ip| ip.is_loopback() || ip.is_link_local())
        }
        Err(_) => host == "localhost",
    }
}

/// Adds the limits to a configuration.
pub fn limited(config: Config) -> Result<Client, ClientError> {
    let limit = tower::util::MapResponseLayer::new(|response: http::Response<_>| {
        response.map(|body| Limited::new(body, BODY_SIZE_MAX))
    });
    let builder = ClientBuilder::try_from(config).map_err(Box::new)?;
    Ok(builder.with_layer(&limit).build())
}

fn auth_info(identity: &Identity) -> AuthInfo {
    use base64::{Engine, prelude::BASE64_STANDARD};
    match identity {
        Identity::Token(token) => {
            AuthInfo { token: Some(token.expose_secret().to_owned().into()), ..AuthInfo::default() }
        }
        Identity::Certificate { certificate_pem, key_pem } => AuthInfo {
            client_certificate_data: Some(BASE64_STANDARD.encode(certificate_pem)),
            client_key_data: Some(SecretString::from(
                BASE64_STANDARD.encode(key_pem.expose_secret()),
            )),
            ..AuthInfo::default()
        },
    }
}

/// The certificates of a PEM file, in DER.
fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, ClientError> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map(|der| der.as_ref().to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|_| ClientError::Authority)?;
    if certificates.is_empty() { Err(ClientError::Authority) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_go_to_the_hubs_own_machine_or_link() {
        for host in ["127.0.0.1", "169.254.169.254", "[::1]", "[fe80::1]", "[::ffff:127.0.0.1]"] {
            assert!(points_inward(host), "{host}");
        }
        for host in ["10.0.0.1", "203.0.113.1", "[2001:db8::1]", "api.example"] {
            assert!(!points_inward(host), "{host}");
        }
    }
}
