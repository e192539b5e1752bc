//! What every request passes before anything else, and what every answer carries.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{
    access::{CSRF_HEADER, Caller, Refusal, Session},
    reply::problem,
};

/// Headers of every answer. Nothing is loaded from elsewhere, nothing inline runs, nobody frames.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Which names the server answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Only this machine's own: a page elsewhere whose name resolves to loopback is turned away.
    Loopback,
    /// Any; whoever asks has to prove who they are.
    Any,
}

/// Checks the Host, and adds the headers.
pub(super) async fn pass(State(names): State<Names>, request: Request, next: Next) -> Response {
    let mut response = if names == Names::Loopback && !is_loopback(request.headers()) {
        problem(
            StatusCode::MISDIRECTED_REQUEST,
            "WrongHost",
            "this dashboard answers to this machine's own names only",
            Some("open it as http://127.0.0.1 or http://localhost with its port"),
        )
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The other end of the connection.
pub(super) fn peer(ConnectInfo(address): ConnectInfo<SocketAddr>) -> IpAddr {
    address.ip().to_canonical()
}

/// Whether a change may be meant by whoever sends it. A cookie comes along with requests that
/// other pages cause; our own header, and an Origin that is ours, do not.
pub(super) fn meant(caller: &Caller, headers: &HeaderMap) -> Result<(), Refusal> {
    same_origin(headers)?;
    match caller.session() {
        Some(session) => carries_csrf(session, headers),
        None => Ok(()),
    }
}

fn carries_csrf(session: &Session, headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    if sent == Some(session.csrf()) {
        return Ok(());
    }
    Err(Refusal::NotAllowed(format!("{CSRF_HEADER} is missing or old; reload the page")))
}

/// Browsers say where a request comes from; other programs need not.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign = || Refusal::NotAllowed("the request was caused by another page".to_owned());
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(foreign());
    }
    let Some(origin) = text("origin") else {
        return Ok(());
    };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    // Behind a proxy the name that the browser used is in the forwarded header.
    let ours = [text("host"), text("x-forwarded-host")];
    if authority.is_some_and(|authority| ours.contains(&Some(authority))) {
        return Ok(());
    }
    Err(foreign())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for (host, expected) in [
            ("127.0.0.1:9090", true),
            ("localhost:9090", true),
            ("localhost", true),
            ("[::1]:9090", true),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1:9090", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(&headers(&[("host", host)])), expected, "{host}");
        }
    }

    #[test]
    fn other_pages_cause_no_change() {
        for (pairs, expected) in [
            (vec![], true),
            (vec![("host", "a:1"), ("origin", "http://a:1")], true),
            (
                vec![("host", "a:1"), ("origin", "https://a:1"), ("sec-fetch-site", "same-origin")],
                true,
            ),
            (vec![("host", "a:1"), ("x-forwarded-host", "b"), ("origin", "https://b")], true),
            (vec![("host", "a:1"), ("origin", "http://b:1")], false),
            (vec![("host", "a:1"), ("origin", "null")], false),
            (vec![("host", "a:1"), ("sec-fetch-site", "cross-site")], false),
            (vec![("host", "a:1"), ("sec-fetch-site", "same-site")], false),
        ] {
            assert_eq!(same_origin(&headers(&pairs)).is_ok(), expected, "{pairs:?}");
        }
    }
}
