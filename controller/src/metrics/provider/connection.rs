//! HTTP to one provider: whom it trusts, who it is, and how much it reads.
//!
//! It follows no redirects and uses no proxy: the address is the admin's word on where the hub
//! may send requests.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use lockflight_crds::{Authentication, Header, Tls};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Url, redirect};
use secrecy::ExposeSecret;

use super::{
    ProviderError, Surroundings,
    auth::{self, Credential},
    secrets::{Reading, Versions},
};
use crate::{cause::innermost, metrics::answer::AnswerError};

/// How a server is reached, as the provider says.
pub(super) struct Access {
    /// The part of the provider that says so, for messages.
    pub(super) field: &'static str,
    /// Whom to trust.
    pub(super) tls: Option<Tls>,
    /// Who the hub is.
    pub(super) auth: Option<Authentication>,
    /// Headers of every request.
    pub(super) headers: Vec<Header>,
    /// The Secret that the provider names itself, where it is of a kind with its own keys.
    pub(super) secret: Option<String>,
    /// Headers, and the keys of that Secret that they carry.
    pub(super) keys: Vec<(&'static str, &'static str)>,
    /// Region of AWS in which requests to `CloudWatch` are signed with that Secret.
    pub(super) signed_in: Option<String>,
}

impl Access {
    /// Anonymous access, described by this part of the provider.
    pub(super) fn of(field: &'static str) -> Self {
        Self {
            field,
            tls: None,
            auth: None,
            headers: Vec::new(),
            secret: None,
            keys: Vec::new(),
            signed_in: None,
        }
    }
}

/// HTTP to one provider.
pub(super) struct Connection {
    access: Access,
    timeout: Duration,
    surroundings: Surroundings,
    built: Mutex<Option<Arc<Built>>>,
}

/// What was made of the provider and its Secrets.
struct Built {
    versions: Versions,
    client: Client,
    headers: HeaderMap,
    credential: Credential,
}

/// One request.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Headers of this request; those of the provider and its credential come on top.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Vec<u8>,
}

impl Connection {
    pub(super) fn new(
        access: Access,
        timeout: Duration,
        surroundings: &Surroundings,
    ) -> Result<Self, ProviderError> {
        auth::check(&access, &surroundings.egress)?;
        let surroundings = surroundings.clone();
        Ok(Self { access, timeout, surroundings, built: Mutex::new(None) })
    }

    /// Sends a request and reads the answer up to a number of bytes.
    pub(super) async fn send(
        &self,
        call: Call,
        bytes_max: usize,
    ) -> Result<(StatusCode, Vec<u8>), AnswerError> {
        let unusable = |error: ProviderError| AnswerError::Unprepared(error.to_string());
        let built = self.current().map_err(unusable)?;
        let mut request = http::Request::new(call.body);
        *request.method_mut() = call.method;
        request.headers_mut().extend(built.headers.clone());
        for (name, value) in call.headers {
            request.headers_mut().insert(name, value);
        }
        built.credential.sign(&mut request, &call.url).await?;
        let (parts, body) = request.into_parts();
        let request = built.client.request(parts.method, call.url).headers(parts.headers);
        let response = request.body(body).send().await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        let body = read(response, bytes_max).await?;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            built.credential.forget();
            let remedy = built.credential.remedy(self.access.field);
            return Err(AnswerError::Denied(status.as_u16(), remedy));
        }
        Ok((status, body))
    }

    /// What is built from the Secrets as they are now.
    fn current(&self) -> Result<Arc<Built>, ProviderError> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(built) = built.as_ref()
            && self.surroundings.secrets.unchanged(&built.versions)
        {
            return Ok(Arc::clone(built));
        }
        let new = Arc::new(self.build()?);
        *built = Some(Arc::clone(&new));
        Ok(new)
    }

    fn build(&self) -> Result<Built, ProviderError> {
        let mut secrets = self.surroundings.secrets.reading();
        let authorities = self.authorities(&mut secrets)?;
        let mut client = self.plain();
        if let Some(authorities) = &authorities {
            client = client.tls_certs_only(authorities.clone());
        }
        if let Some(identity) = self.identity(&mut secrets)? {
            client = client.identity(identity);
        }
        let client = client.build().map_err(ProviderError::Client)?;
        let headers = auth::headers(&self.access, &mut secrets)?;
        // The authorization server is another one, and often a public one.
        let tokens = || {
            let authorities = authorities.clone().unwrap_or_default();
            self.plain().tls_certs_merge(authorities).build().map_err(ProviderError::Client)
        };
        let credential = auth::credential(&self.access, &mut secrets, tokens)?;
        Ok(Built { versions: secrets.versions, client, headers, credential })
    }

    /// A client with all limits.
    fn plain(&self) -> ClientBuilder {
        Client::builder()
            // The round's own deadline comes first; this only ends what that one leaves behind.
            .timeout(self.timeout + Duration::from_secs(1))
            .connect_timeout(self.timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(self.surroundings.egress.clone())
            .user_agent("lockflight")
    }

    fn authorities(
        &self,
        secrets: &mut Reading<'_>,
    ) -> Result<Option<Vec<Certificate>>, ProviderError> {
        let name = self.access.tls.as_ref().and_then(|tls| tls.ca_secret_name.as_ref());
        let Some(name) = name else { return Ok(None) };
        let field = format!("{}.tls.caSecretName", self.access.field);
        let pem = secrets.required(&field, name, "ca.crt")?;
        let certificates = Certificate::from_pem_bundle(pem.expose_secret().as_bytes());
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
            Ok(_) | Err(_) => Err(ProviderError::Secret {
                field,
                secret: name.clone(),
                key: "ca.crt".to_owned(),
                why: "is not a certificate in PEM",
            }),
        }
    }

    fn identity(&self, secrets: &mut Reading<'_>) -> Result<Option<Identity>, ProviderError> {
        let name = self.access.tls.as_ref().and_then(|tls| tls.client_secret_name.as_ref());
        let Some(name) = name else { return Ok(None) };
        let field = format!("{}.tls.clientSecretName", self.access.field);
        let certificate = secrets.required(&field, name, "tls.crt")?;
        let key = secrets.required(&field, name, "tls.key")?;
        let pem = format!("{}\n{}\n", certificate.expose_secret(), key.expose_secret());
        let identity = Identity::from_pem(pem.as_bytes());
        identity.map(Some).map_err(|_| ProviderError::Secret {
            field,
            secret: name.clone(),
            key: "tls.crt".to_owned(),
            why: "and its tls.key are not a certificate and its private key in PEM",
        })
    }

    /// Why there is no answer.
    fn broken(&self, error: &reqwest::Error) -> AnswerError {
        let cause = innermost(error);
        let field = self.access.field;
        if cause.contains("CertificateRequired") {
            let remedy = format!("give the hub a client certificate: {field}.tls.clientSecretName");
            AnswerError::Untrusted(cause, remedy)
        } else if cause.contains("certificate") || cause.contains("Certificate") {
            let remedy = format!("check its certificate, and {field}.tls");
            AnswerError::Untrusted(cause, remedy)
        } else {
            AnswerError::Unreachable(cause)
        }
    }
}

/// The body of an answer.
pub(super) async fn read(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<Vec<u8>, AnswerError> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| AnswerError::Unreachable(innermost(&error)))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > bytes_max {
            return Err(AnswerError::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
}
