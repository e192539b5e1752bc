//! Answers: JSON, compressed where it pays, and problems that name a remedy.

use std::io::Write as _;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;

use super::{
    access::Refusal,
    view::{Problem, SignIn},
};

/// Smaller answers are not worth compressing.
const COMPRESSED_FROM: usize = 4 * 1024;

/// Whether the caller takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|value| value.split(',').any(|part| part.trim().starts_with("gzip")))
}

/// Compresses in memory; it cannot fail but for lack of it.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

/// JSON that no cache keeps.
pub(super) fn json<T: Serialize>(asked: &HeaderMap, value: &T) -> Response {
    let bytes = match serde_json::to_vec(value) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "a view cannot be written as JSON");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let compressed = (bytes.len() >= COMPRESSED_FROM && takes_gzip(asked))
        .then(|| gzip(&bytes, Compression::fast()).ok())
        .flatten();
    let is_compressed = compressed.is_some();
    let mut response = Response::new(Body::from(compressed.unwrap_or(bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
    if is_compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A problem with the remedy that helps.
pub(super) fn problem(
    status: StatusCode,
    reason: &str,
    message: &str,
    remedy: Option<&str>,
) -> Response {
    answer(status, reason, message, remedy, None)
}

fn answer(
    status: StatusCode,
    reason: &str,
    message: &str,
    remedy: Option<&str>,
    sign_in: Option<SignIn>,
) -> Response {
    let problem = Problem {
        reason: reason.to_owned(),
        message: message.to_owned(),
        remedy: remedy.map(str::to_owned),
        sign_in,
    };
    let mut response = json(&HeaderMap::new(), &problem);
    *response.status_mut() = status;
    if status == StatusCode::UNAUTHORIZED {
        // Not Basic: the page has its own form, and a browser's prompt would hide it.
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hub\""));
    }
    response
}

/// Why somebody is turned away, and how they can become known.
pub(super) fn refusal(refusal: &Refusal, sign_in: SignIn) -> Response {
    match refusal {
        Refusal::NotSignedIn => answer(
            StatusCode::UNAUTHORIZED,
            "NotSignedIn",
            "nobody is signed in",
            Some("sign in on the page, or send Authorization: Bearer <token>"),
            Some(sign_in),
        ),
        Refusal::NotAccepted(why) => answer(
            StatusCode::UNAUTHORIZED,
            "NotAccepted",
            why,
            Some("sign in again with a valid credential"),
            Some(sign_in),
        ),
        Refusal::NotAllowed(why) => problem(
            StatusCode::FORBIDDEN,
            "NotAllowed",
            why,
            Some("ask an administrator of the hub for the right"),
        ),
        Refusal::TooMany => problem(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyTries",
            "too many wrong tries from this address",
            Some("wait a minute, then try again"),
        ),
        Refusal::NoAnswer => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "NoAnswer",
            "the hub's API server does not review credentials or rights now",
            Some("kubectl keeps working where it can reach the API server; try again"),
        ),
    }
}

/// What was sent cannot be meant; the remedy shows its shape.
pub(super) fn malformed(why: &str, remedy: &str) -> Response {
    problem(StatusCode::UNPROCESSABLE_ENTITY, "Malformed", why, Some(remedy))
}

/// Nothing there, or nothing that this user may see: both look the same.
pub(super) fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "NotFound", "there is no such thing here", None)
}
