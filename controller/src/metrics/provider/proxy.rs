//! A Service of the member, through the service proxy of the member's API server: for servers
//! that only the member can reach. The hub's credential for the member is all that is needed.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use kube::client::Body;
use lockflight_crds::{MemberService, ServiceScheme};
use serde::Deserialize;

use super::{
    ProviderError, Surroundings,
    auth::{check, headers},
    connection::Access,
    prometheus::FORM,
};
use crate::{cause::innermost, metrics::answer::AnswerError};

/// Gives the client of the provider's member, as it is now; or why there is none.
pub type MemberClient = Arc<dyn Fn() -> Result<kube::Client, String> + Send + Sync>;

/// A Service of the member.
pub(super) struct Proxy {
    access: Access,
    /// Service as people write it.
    service: String,
    path: String,
    surroundings: Surroundings,
    timeout: Duration,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.service)
    }
}

/// What an API server says when the Service did not get to answer.
#[derive(Deserialize)]
struct Status {
    kind: String,
}

impl Proxy {
    pub(super) fn new(
        spec: &MemberService,
        access: Access,
        timeout: Duration,
        surroundings: &Surroundings,
    ) -> Result<Self, ProviderError> {
        let field = format!("{}.service", access.field);
        if access.auth.is_some() || access.tls.is_some() {
            let why = "goes with neither auth nor tls: the member's API server passes on no \
                       credential; use headers, or address";
            return Err(ProviderError::Unusable { field, why: why.to_owned() });
        }
        check(&access, &surroundings.egress)?;
        let MemberService { namespace, name, port, scheme, path } = spec;
        // Each becomes one segment of a path.
        let label = |text: &str, more: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            !text.is_empty() && text.len() <= 253 && text.chars().all(known)
        };
        let base = path.as_deref().unwrap_or_default().trim_matches('/');
        let dotted = base.split('/').any(|segment| matches!(segment, "." | ".."));
        let usable = label(namespace, "-") && label(name, "-") && label(port, "-");
        if !usable
            || dotted
            || !base.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/".contains(c))
        {
            let why = "namespace, name, port and path must be those of a Service".to_owned();
            return Err(ProviderError::Unusable { field, why });
        }
        let scheme = match scheme {
            ServiceScheme::Http => "http",
            ServiceScheme::Https => "https",
        };
        let base = if base.is_empty() { String::new() } else { format!("{base}/") };
        Ok(Self {
            access,
            service: format!("Service {namespace}/{name}:{port} of the member"),
            path: format!(
                "/api/v1/namespaces/{namespace}/services/{scheme}:{name}:{port}/proxy/{base}"
            ),
            surroundings: surroundings.clone(),
            timeout,
        })
    }

    /// Posts a form and reads the answer up to a number of bytes.
    pub(super) async fn post(
        &self,
        path: &str,
        form: String,
        bytes_max: usize,
    ) -> Result<(StatusCode, Vec<u8>), AnswerError> {
        let limit = self.timeout + Duration::from_secs(1);
        let answer = tokio::time::timeout(limit, self.exchange(path, form, bytes_max)).await;
        answer.unwrap_or(Err(AnswerError::TimedOut(self.timeout.as_millis())))
    }

    async fn exchange(
        &self,
        path: &str,
        form: String,
        bytes_max: usize,
    ) -> Result<(StatusCode, Vec<u8>), AnswerError> {
        let unprepared = |error: ProviderError| AnswerError::Unprepared(error.to_string());
        let member = self.surroundings.member.as_ref().ok_or_else(|| {
            let field = self.access.field;
            AnswerError::Unprepared(format!("{field}.service: no member is known; use address"))
        })?;
        let client = member().map_err(AnswerError::Unprepared)?;
        let mut secrets = self.surroundings.secrets.reading();
        let mut request = Request::new(Body::from(form.into_bytes()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("{}{path}", self.path)
            .parse()
            .map_err(|_| AnswerError::Unprepared("the path is not one of a URL".to_owned()))?;
        *request.headers_mut() = headers(&self.access, &mut secrets).map_err(unprepared)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        let response = client.send(request).await;
        let response = response.map_err(|error| AnswerError::Unreachable(innermost(&error)))?;
        let status = response.status();
        let mut stream = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = stream.frame().await {
            let frame = frame.map_err(|error| AnswerError::Unreachable(innermost(&error)))?;
            let Ok(chunk) = frame.into_data() else { continue };
            if body.len() + chunk.len() > bytes_max {
                return Err(AnswerError::TooLarge(bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        let of_api_server = !status.is_success()
            && serde_json::from_slice::<Status>(&body).is_ok_and(|status| status.kind == "Status");
        if of_api_server {
            return Err(self.refusal(status));
        }
        Ok((status, body))
    }

    /// Why the API server did not let the Service answer.
    fn refusal(&self, status: StatusCode) -> AnswerError {
        let service = &self.service;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let remedy = format!(
                    "allow its account in the member the verb create on services/proxy for \
                     {service}"
                );
                AnswerError::Denied(status.as_u16(), remedy)
            }
            StatusCode::NOT_FOUND => AnswerError::Unreachable(format!("there is no {service}")),
            StatusCode::SERVICE_UNAVAILABLE => {
                AnswerError::Unreachable(format!("{service} has no ready pods"))
            }
            other => AnswerError::Unusable(format!("with status {}", other.as_u16())),
        }
    }
}
