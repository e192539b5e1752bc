//! Who the hub is at a provider.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header::AUTHORIZATION};
use lockflight_crds::{Authentication, BasicAuthentication, Header};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Egress, ProviderError, connection::Access, oauth2::TokenSource, secrets::Reading, sigv4::Signer,
};
use crate::metrics::answer::AnswerError;

/// Headers that frame a message or belong to one connection.
const HEADERS_REFUSED: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A credential, read from its Secret.
pub(super) enum Credential {
    /// Nobody.
    Anonymous,
    /// The same header with every request, and the field that it comes from.
    Fixed(HeaderValue, &'static str),
    /// Headers with the keys of a kind of provider.
    Keys(HeaderMap),
    /// A token that is fetched.
    Token(TokenSource),
    /// A signature of each request.
    Signature(Signer),
}

impl Credential {
    /// Adds what proves who the hub is.
    pub(super) async fn sign(
        &self,
        request: &mut Request<Vec<u8>>,
        url: &Url,
    ) -> Result<(), AnswerError> {
        match self {
            Self::Anonymous => {}
            Self::Fixed(header, _) => {
                request.headers_mut().insert(AUTHORIZATION, header.clone());
            }
            Self::Keys(keys) => request.headers_mut().extend(keys.clone()),
            Self::Token(tokens) => {
                request.headers_mut().insert(AUTHORIZATION, tokens.token().await?);
            }
            Self::Signature(signer) => signer.sign(request, url, std::time::SystemTime::now())?,
        }
        Ok(())
    }

    /// The provider refused it: whatever is kept of it is not worth keeping.
    pub(super) fn forget(&self) {
        if let Self::Token(tokens) = self {
            tokens.forget();
        }
    }

    /// What to do when the provider refuses.
    pub(super) fn remedy(&self, field: &str) -> String {
        let named = match self {
            Self::Anonymous => {
                return format!("it wants to know who asks: give {field}.auth or {field}.headers");
            }
            Self::Fixed(_, method) => format!("{field}.auth.{method}"),
            Self::Token(_) => format!("{field}.auth.oauth2"),
            Self::Keys(_) => format!("{field}.secretName"),
            Self::Signature(signer) => signer.field().to_owned(),
        };
        format!("check the Secret that {named} names, and what it is allowed to read")
    }
}

/// What can be said without the Secrets.
pub(super) fn check(access: &Access, egress: &Egress) -> Result<(), ProviderError> {
    let field = format!("{}.auth", access.field);
    if let Some(auth) = &access.auth {
        let Authentication { basic, bearer, oauth2, sigv4 } = auth;
        let given =
            [basic.is_some(), bearer.is_some(), oauth2.is_some(), sigv4.is_some()].into_iter();
        if given.filter(|given| *given).count() != 1 {
            return Err(ProviderError::Choice { field, choice: "basic, bearer, oauth2 and sigV4" });
        }
        if let Some(oauth2) = oauth2 {
            egress.address(&format!("{field}.oauth2.tokenAddress"), &oauth2.token_address)?;
        }
    }
    for header in &access.headers {
        header_name(access, header)?;
        if header.value.is_some() == header.value_from.is_some() {
            let field = format!("{}.headers[{}]", access.field, header.name);
            return Err(ProviderError::Choice { field, choice: "value and valueFrom" });
        }
    }
    Ok(())
}

fn header_name(access: &Access, header: &Header) -> Result<HeaderName, ProviderError> {
    let unusable = |why: &str| ProviderError::Unusable {
        field: format!("{}.headers[{}]", access.field, header.name),
        why: why.to_owned(),
    };
    let name: HeaderName =
        header.name.parse().map_err(|_| unusable("is not the name of a header"))?;
    if HEADERS_REFUSED.contains(&name.as_str()) {
        return Err(unusable("is set by the hub itself: remove it"));
    }
    if name == AUTHORIZATION && access.auth.is_some() {
        return Err(unusable("is set by auth: remove one of them"));
    }
    Ok(name)
}

/// The headers of every request.
pub(super) fn headers(
    access: &Access,
    secrets: &mut Reading<'_>,
) -> Result<HeaderMap, ProviderError> {
    let mut headers = HeaderMap::new();
    for header in &access.headers {
        let name = header_name(access, header)?;
        let field = format!("{}.headers[{}]", access.field, header.name);
        let value = match (&header.value, &header.value_from) {
            (_, Some(source)) => {
                let key = &source.secret;
                let value = secrets.required(&field, &key.secret_name, &key.key)?;
                sensitive(&field, value.expose_secret())?
            }
            (Some(value), None) => value.parse().map_err(|_| invisible(&field))?,
            (None, None) => continue,
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The credential of a provider. `tokens` makes the client for an authorization server.
pub(super) fn credential(
    access: &Access,
    secrets: &mut Reading<'_>,
    tokens: impl FnOnce() -> Result<Client, ProviderError>,
) -> Result<Credential, ProviderError> {
    let field = |method: &str| format!("{}.auth.{method}", access.field);
    if let Some(secret) = &access.secret {
        return own_keys(access, secret, secrets);
    }
    let Some(auth) = &access.auth else { return Ok(Credential::Anonymous) };
    if let Some(BasicAuthentication { secret_name }) = &auth.basic {
        let field = field("basic.secretName");
        let user = secrets.required(&field, secret_name, "username")?;
        let password = secrets.required(&field, secret_name, "password")?;
        if user.expose_secret().contains(':') {
            return Err(ProviderError::Secret {
                field,
                secret: secret_name.clone(),
                key: "username".to_owned(),
                why: "has a colon, which basic authentication cannot carry",
            });
        }
        let both =
            SecretString::from(format!("{}:{}", user.expose_secret(), password.expose_secret()));
        let value = format!("Basic {}", BASE64_STANDARD.encode(both.expose_secret()));
        return Ok(Credential::Fixed(sensitive(&field, &value)?, "basic"));
    }
    if let Some(key) = &auth.bearer {
        let field = field("bearer");
        let token = secrets.required(&field, &key.secret_name, &key.key)?;
        return Ok(Credential::Fixed(bearer(&field, token.expose_secret())?, "bearer"));
    }
    if let Some(oauth2) = &auth.oauth2 {
        let client = tokens()?;
        return TokenSource::new(field("oauth2"), oauth2, secrets, client).map(Credential::Token);
    }
    if let Some(sigv4) = &auth.sigv4 {
        let field = field("sigV4.secretName");
        let signer =
            Signer::new(&field, &sigv4.region, &sigv4.service, &sigv4.secret_name, secrets)?;
        return Ok(Credential::Signature(signer));
    }
    Ok(Credential::Anonymous)
}

/// The credential of a kind of provider that has its own keys.
fn own_keys(
    access: &Access,
    secret: &str,
    secrets: &mut Reading<'_>,
) -> Result<Credential, ProviderError> {
    let field = format!("{}.secretName", access.field);
    if let Some(region) = &access.signed_in {
        return Signer::new(&field, region, "monitoring", secret, secrets)
            .map(Credential::Signature);
    }
    let mut keys = HeaderMap::new();
    for (header, key) in &access.keys {
        let value = secrets.required(&field, secret, key)?;
        keys.insert(*header, sensitive(&field, value.expose_secret())?);
    }
    Ok(Credential::Keys(keys))
}

/// A bearer token as a header.
pub(super) fn bearer(field: &str, token: &str) -> Result<HeaderValue, ProviderError> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ProviderError::Unusable {
            field: field.to_owned(),
            why: "the token must be one line of visible ASCII characters".to_owned(),
        });
    }
    sensitive(field, &format!("Bearer {token}"))
}

/// A header that is never written to a log.
pub(super) fn sensitive(field: &str, value: &str) -> Result<HeaderValue, ProviderError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| invisible(field))?;
    value.set_sensitive(true);
    Ok(value)
}

fn invisible(field: &str) -> ProviderError {
    ProviderError::Unusable {
        field: field.to_owned(),
        why: "the value must be one line of visible characters".to_owned(),
    }
}
