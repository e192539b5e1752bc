//! Signatures of AWS, version 4.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use http::{Request, header::CONTENT_TYPE};
use reqwest::Url;
use secrecy::ExposeSecret;

use super::{ProviderError, auth::sensitive, secrets::Reading};
use crate::metrics::answer::AnswerError;

/// Name of the operation, where the address does not say it.
pub(super) const TARGET: &str = "x-amz-target";

/// Signs requests.
pub(super) struct Signer {
    field: String,
    credentials: Credentials,
    region: String,
    service: String,
}

impl Signer {
    pub(super) fn new(
        field: &str,
        region: &str,
        service: &str,
        secret: &str,
        secrets: &mut Reading<'_>,
    ) -> Result<Self, ProviderError> {
        let id = secrets.required(field, secret, "access-key-id")?;
        let key = secrets.required(field, secret, "secret-access-key")?;
        let token = secrets.optional(field, secret, "session-token")?;
        let credentials = Credentials::new(
            id.expose_secret(),
            key.expose_secret(),
            token.map(|token| token.expose_secret().to_owned()),
            None,
            "lockflight",
        );
        Ok(Self {
            field: field.to_owned(),
            credentials,
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// Where the provider names the Secret.
    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Adds the headers of a signature that is valid around this time.
    pub(super) fn sign(
        &self,
        request: &mut Request<Vec<u8>>,
        url: &Url,
        now: SystemTime,
    ) -> Result<(), AnswerError> {
        // No error of the library is passed on: it may quote what it could not sign.
        let failed = || {
            let field = &self.field;
            AnswerError::Unprepared(format!("{field}: no request can be signed with this Secret"))
        };
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| failed())?;
        // Only what no proxy changes is signed.
        let signed = request.headers().iter().filter_map(|(name, value)| {
            let is_signed = *name == CONTENT_TYPE || name.as_str() == TARGET;
            is_signed.then(|| Some((name.as_str(), value.to_str().ok()?))).flatten()
        });
        let body = SignableBody::Bytes(request.body());
        let signable = SignableRequest::new(request.method().as_str(), url.as_str(), signed, body)
            .map_err(|_| failed())?;
        let (instructions, _) = sign(signable, &params.into()).map_err(|_| failed())?.into_parts();
        let (headers, _) = instructions.into_parts();
        for header in headers {
            let value = sensitive(&self.field, header.value()).map_err(|_| failed())?;
            let name = http::HeaderName::from_static(header.name());
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
