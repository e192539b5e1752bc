//! Tokens by the client credentials grant (RFC 6749, section 4.4).

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderValue,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use lockflight_crds::OAuth2ClientCredentials;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{
    ProviderError,
    auth::{bearer, sensitive},
    connection::read,
    prometheus::{FORM, form},
    secrets::Reading,
};
use crate::{cause::innermost, metrics::answer::AnswerError};

/// Bytes of a token answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Lifetime of a token whose answer names none.
const LIFETIME_DEFAULT: Duration = Duration::from_mins(1);

/// Longest time that a token is kept, whatever its answer says.
const LIFETIME_MAX: Duration = Duration::from_hours(1);

/// Fetches tokens and keeps the last one.
pub(super) struct TokenSource {
    field: String,
    client: Client,
    address: String,
    authorization: HeaderValue,
    body: String,
    kept: Mutex<Option<Kept>>,
    /// The provider refused the token that is kept.
    refused: AtomicBool,
}

struct Kept {
    header: HeaderValue,
    until: Instant,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<f64>,
}

/// The only part of a refusal that is passed on: a code of a closed list (RFC 6749, section 5.2).
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refusal {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
}

#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

impl TokenSource {
    pub(super) fn new(
        field: String,
        spec: &OAuth2ClientCredentials,
        secrets: &mut Reading<'_>,
        client: Client,
    ) -> Result<Self, ProviderError> {
        let named = format!("{field}.secretName");
        let id = secrets.required(&named, &spec.secret_name, "client-id")?;
        let secret = secrets.required(&named, &spec.secret_name, "client-secret")?;
        // Section 2.3.1: both are written as in a form before they are joined.
        let id = encoded(id.expose_secret());
        let both = SecretString::from(format!("{id}:{}", encoded(secret.expose_secret())));
        let basic = format!("Basic {}", BASE64_STANDARD.encode(both.expose_secret()));
        let scopes = spec.scopes.join(" ");
        let mut fields = vec![("grant_type", "client_credentials")];
        if !scopes.is_empty() {
            fields.push(("scope", &scopes));
        }
        fields.extend(spec.audience.as_deref().map(|audience| ("audience", audience)));
        Ok(Self {
            authorization: sensitive(&named, &basic)?,
            field,
            client,
            address: spec.token_address.clone(),
            body: form(&fields),
            kept: Mutex::new(None),
            refused: AtomicBool::new(false),
        })
    }

    /// A token as a header: the one that is kept, or another one. Whoever asks meanwhile waits
    /// for the same answer.
    pub(super) async fn token(&self) -> Result<HeaderValue, AnswerError> {
        let mut kept = self.kept.lock().await;
        let refused = self.refused.swap(false, Ordering::Relaxed);
        if let Some(kept) = kept.as_ref().filter(|kept| !refused && Instant::now() < kept.until) {
            return Ok(kept.header.clone());
        }
        *kept = None;
        let new = self.fetch().await?;
        let header = new.header.clone();
        *kept = Some(new);
        Ok(header)
    }

    /// The provider refused the token: the next question comes with another one.
    pub(super) fn forget(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    async fn fetch(&self) -> Result<Kept, AnswerError> {
        let field = &self.field;
        let failed = |why: String| AnswerError::Unprepared(format!("{field}: {why}"));
        let url = Url::parse(&self.address)
            .map_err(|_| failed("tokenAddress is not an address".to_owned()))?;
        let asked_at = Instant::now();
        let response = self
            .client
            .post(url)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, FORM)
            .header(ACCEPT, "application/json")
            .body(self.body.clone())
            .send()
            .await
            .map_err(|error| {
                let cause = innermost(&error);
                failed(format!("no token from {} ({cause}): check tokenAddress", self.address))
            })?;
        let status = response.status();
        let body = read(response, ANSWER_BYTES_MAX).await?;
        if !status.is_success() {
            let code = match serde_json::from_slice::<Refused>(&body).map(|body| body.error) {
                Ok(Refusal::InvalidScope) => "invalid_scope: check scopes",
                Ok(Refusal::InvalidClient) => "invalid_client: check the Secret's keys",
                Ok(Refusal::InvalidRequest) => "invalid_request: check scopes and audience",
                Ok(Refusal::UnauthorizedClient | Refusal::InvalidGrant) => {
                    "unauthorized_client: allow it the client credentials grant"
                }
                Ok(Refusal::UnsupportedGrantType) => {
                    "unsupported_grant_type: it must offer the client credentials grant"
                }
                Err(_) => "check tokenAddress, the Secret's keys, scopes and audience",
            };
            let status = status.as_u16();
            return Err(failed(format!("{} refused with status {status}: {code}", self.address)));
        }
        // What the parser says may quote the answer, and that is a token.
        let token: Token = serde_json::from_slice(&body).map_err(|_| {
            failed(format!("{} answered with no token: check tokenAddress", self.address))
        })?;
        let secret = SecretString::from(token.access_token);
        let header = bearer(&format!("{field}.tokenAddress"), secret.expose_secret())
            .map_err(|error| AnswerError::Unprepared(error.to_string()))?;
        let lifetime = token.expires_in.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let lifetime = lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
        // A tenth of it early, so that none ends on its way.
        Ok(Kept { header, until: asked_at + lifetime.mul_f64(0.9) })
    }
}

fn encoded(text: &str) -> String {
    form(&[("", text)]).trim_start_matches('=').to_owned()
}
