//! The HTTP API of Prometheus.

use std::time::Duration;

use http::{HeaderValue, Method, header::CONTENT_TYPE};
use lockflight_crds::PrometheusProvider;
use reqwest::Url;

use super::{
    Connection, ProviderError, Surroundings,
    connection::{Access, Call},
};
use crate::metrics::answer::{Answer, AnswerError, parse};

/// Bytes of one answer. Ten minutes of a thousand counters scraped every second are about 12 MB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A server with the HTTP API of Prometheus.
pub(super) struct Prometheus {
    connection: Connection,
    url: Url,
    timeout: Duration,
}

impl Prometheus {
    pub(super) fn new(
        spec: &PrometheusProvider,
        timeout: Duration,
        surroundings: &Surroundings,
    ) -> Result<Self, ProviderError> {
        let mut url = surroundings.egress.address("spec.prometheus.address", &spec.address)?;
        append(&mut url, &["api", "v1", "query"]);
        let access = Access {
            field: "spec.prometheus",
            tls: spec.tls.clone(),
            auth: spec.auth.clone(),
            headers: spec.headers.clone(),
        };
        Ok(Self { connection: Connection::new(access, timeout, surroundings)?, url, timeout })
    }

    /// One instant query, evaluated at the provider's own time. As a POST: a query that names
    /// many pods is longer than a URL may be.
    pub(super) async fn ask(&self, query: &str) -> Result<Answer, AnswerError> {
        let body = form(&[("query", query), ("timeout", &milliseconds(self.timeout))]);
        let call = Call {
            method: Method::POST,
            url: self.url.clone(),
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static(FORM))],
            body: body.into_bytes(),
        };
        let (status, body) = self.connection.send(call, ANSWER_BYTES_MAX).await?;
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
