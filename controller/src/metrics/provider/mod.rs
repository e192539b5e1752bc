//! One Prometheus server, or another with the same HTTP API.

use std::{fmt, time::Duration};

use lockflight_crds::{InvalidQuantity, PrometheusProvider};
use prometheus_http_query::Client;
use reqwest::{Url, redirect};

use super::answer::{Answer, AnswerError, parse};

/// Bytes of one answer. Ten minutes of a thousand counters scraped every second are about 12 MB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Longest timeout; a gate that waits longer for one answer is not watching any more.
const TIMEOUT_MAX: Duration = Duration::from_mins(1);

/// Where measurements come from.
#[derive(Clone)]
pub struct Provider {
    client: Client,
    address: String,
    timeout: Duration,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.address).finish()
    }
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The address is none that the hub would dial.
    #[error("spec.prometheus.address: {0} is not a plain http or https address")]
    Address(String),
    /// The timeout is no duration.
    #[error("spec.prometheus.timeout: {0}")]
    Timeout(InvalidQuantity),
    /// The timeout is out of range.
    #[error("spec.prometheus.timeout: must be from 1ms to 1m")]
    TimeoutRange,
    /// No client can be built, for example for want of root certificates.
    #[error("no HTTP client for the provider: {0}")]
    Client(reqwest::Error),
}

impl Provider {
    /// A client for this provider. It follows no redirects and uses no proxy: the address is the
    /// admin's word on where the hub may send requests.
    pub fn new(spec: &PrometheusProvider) -> Result<Self, ProviderError> {
        let refused = || ProviderError::Address(spec.address.clone());
        let url = Url::parse(&spec.address).map_err(|_| refused())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(refused());
        }
        let timeout = spec.timeout.to_std().map_err(ProviderError::Timeout)?;
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            return Err(ProviderError::TimeoutRange);
        }
        let http = reqwest::Client::builder()
            // The round's own deadline comes first; this only ends what that one leaves behind.
            .timeout(timeout + Duration::from_secs(1))
            .connect_timeout(timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent("lockflight")
            .build()
            .map_err(ProviderError::Client)?;
        let client = Client::from(http, &spec.address).map_err(|_| refused())?;
        Ok(Self { client, address: spec.address.clone(), timeout })
    }

    /// The address, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How long one answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// One instant query, evaluated at the provider's own time. As a POST: a query that names
    /// many pods is longer than a URL may be.
    pub(super) async fn ask(&self, query: &str) -> Result<Answer, AnswerError> {
        let timeout_ms = i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX);
        let response = self.client.query(query).timeout(timeout_ms).post_raw().await;
        let mut response = response.map_err(|error| AnswerError::Unreachable(innermost(&error)))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| AnswerError::Unreachable(innermost(&error)))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(AnswerError::TooLarge(ANSWER_BYTES_MAX));
            }
            body.extend_from_slice(&chunk);
        }
        parse(status, &body)
    }
}

/// The cause at the bottom of an error, which is what a person can act on: "connection refused"
/// rather than "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use lockflight_crds::PrometheusProvider;

    use super::Provider;

    #[test]
    fn only_plain_addresses_are_dialled() {
        let cases = [
            ("http://prometheus:9090", "5s", true),
            ("https://prometheus.example/base", "500ms", true),
            ("ftp://prometheus", "5s", false),
            ("file:///etc/passwd", "5s", false),
            ("http://user:secret@prometheus", "5s", false),
            ("http://prometheus/?x=y", "5s", false),
            ("prometheus:9090", "5s", false),
            ("http://prometheus:9090", "0s", false),
            ("http://prometheus:9090", "2m", false),
            ("http://prometheus:9090", "soon", false),
        ];
        for (address, timeout, accepted) in cases {
            let spec = PrometheusProvider { address: address.to_owned(), timeout: timeout.into() };
            assert_eq!(Provider::new(&spec).is_ok(), accepted, "{address} {timeout}");
        }
    }
}
