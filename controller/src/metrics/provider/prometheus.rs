//! The HTTP API of Prometheus.

use std::time::Duration;

use http::{HeaderValue, Method, header::CONTENT_TYPE};
use lockflight_crds::PrometheusProvider;
use reqwest::Url;

use super::{
    Connection, ProviderError, Surroundings,
    connection::{Access, Call},
    proxy::Proxy,
};
use crate::metrics::answer::{Answer, AnswerError, parse};

/// Bytes of one answer. Ten minutes of a thousand counters scraped every second are about 12 MB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A server with the HTTP API of Prometheus.
pub(super) struct Prometheus {
    reach: Reach,
    timeout: Duration,
}

enum Reach {
    /// The hub connects to it.
    Direct(Connection, Url),
    /// The member's API server does.
    Service(Proxy),
}

impl Prometheus {
    pub(super) fn new(
        spec: &PrometheusProvider,
        timeout: Duration,
        surroundings: &Surroundings,
    ) -> Result<Self, ProviderError> {
        let access = Access {
            tls: spec.tls.clone(),
            auth: spec.auth.clone(),
            headers: spec.headers.clone(),
            ..Access::of("spec.prometheus")
        };
        let reach = match (&spec.address, &spec.service) {
            (Some(address), None) => {
                let mut url = surroundings.egress.address("spec.prometheus.address", address)?;
                append(&mut url, &["api", "v1", "query"]);
                Reach::Direct(Connection::new(access, timeout, surroundings)?, url)
            }
            (None, Some(service)) => {
                Reach::Service(Proxy::new(service, access, timeout, surroundings)?)
            }
            _ => {
                let field = "spec.prometheus".to_owned();
                return Err(ProviderError::Choice { field, choice: "address and service" });
            }
        };
        Ok(Self { reach, timeout })
    }

    /// Where it is, for messages.
    pub(super) fn address(&self) -> String {
        match &self.reach {
            Reach::Direct(_, url) => url.as_str().trim_end_matches("/api/v1/query").to_owned(),
            Reach::Service(proxy) => proxy.to_string(),
        }
    }

    /// One instant query, evaluated at the provider's own time. As a POST: a query that names
    /// many pods is longer than a URL may be.
    pub(super) async fn ask(&self, query: &str) -> Result<Answer, AnswerError> {
        let body = form(&[("query", query), ("timeout", &milliseconds(self.timeout))]);
        let (status, body) = match &self.reach {
            Reach::Direct(connection, url) => {
                let call = Call {
                    method: Method::POST,
                    url: url.clone(),
                    headers: vec![(CONTENT_TYPE, HeaderValue::from_static(FORM))],
                    body: body.into_bytes(),
                };
                connection.send(call, ANSWER_BYTES_MAX).await?
            }
            Reach::Service(proxy) => proxy.post("api/v1/query", body, ANSWER_BYTES_MAX).await?,
        };
        parse(status, &body)
    }
}

/// Media type of [`form`].
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

fn milliseconds(timeout: Duration) -> String {
    format!("{}ms", timeout.as_millis())
}

/// Fields as a form.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    // The form of a URL's query is the same as that of a body.
    let Ok(mut url) = Url::parse("http://form") else { return String::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// Appends segments to the path of an address.
pub(super) fn append(url: &mut Url, segments: &[&str]) {
    // Addresses with a host have a path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
}
