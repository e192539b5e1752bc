//! Sessions of browsers.

use axum::http::StatusCode;
use secrecy::SecretString;

use super::harness::{Bed, bed, text, value};
use crate::dashboard::Access;

const ACTIONS: &str = "/api/v1/rollouts/shop/checkout/actions";
const ABORT: &str = r#"{"verb":"Abort","reason":"x"}"#;

/// Signs in; the cookie and the csrf value.
async fn sign_in(bed: &Bed, secret: &str) -> Option<(String, String)> {
    let body = serde_json::json!({"secret": secret}).to_string();
    let response = bed.send("POST", "/api/v1/session", &[], &body).await;
    if response.status() != StatusCode::NO_CONTENT {
        return None;
    }
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(secret), "the cookie is not the credential");
    let pair = cookie.split(';').next().unwrap().to_owned();
    let me = value(bed.send("GET", "/api/v1/me", &[("cookie", &pair)], "").await).await;
    Some((pair, me["csrf"].as_str().unwrap().to_owned()))
}

#[tokio::test]
async fn changes_need_the_csrf_value_and_our_own_page() {
    let bed = bed(Access::token);
    let (cookie, csrf) = sign_in(&bed, "operator").await.unwrap();
    let (_, foreign_csrf) = sign_in(&bed, "viewer").await.unwrap();
    let c = ("cookie", cookie.as_str());
    let good = ("x-lockflight-csrf", csrf.as_str());
    for (headers, expected) in [
        (vec![c], 403),
        (vec![c, ("x-lockflight-csrf", "")], 403),
        (vec![c, ("x-lockflight-csrf", foreign_csrf.as_str())], 403),
        (vec![c, good, ("origin", "http://evil.example")], 403),
        (vec![c, good, ("sec-fetch-site", "cross-site")], 403),
        (vec![good], 401),
        (
            vec![c, good, ("origin", "http://localhost:9090"), ("sec-fetch-site", "same-origin")],
            202,
        ),
    ] {
        let code = bed.status("POST", ACTIONS, &headers, ABORT).await;
        assert_eq!(code.as_u16(), expected, "{headers:?}");
    }
    assert_eq!(bed.patches.lock().unwrap().len(), 1);
    // It writes nothing, and is for our own page all the same.
    let (plan, manifest) = ("/api/v1/rollouts/shop/checkout/plan", r#"{"manifest":""}"#);
    assert_eq!(bed.status("POST", plan, &[c], manifest).await, StatusCode::FORBIDDEN);
    let code = bed.status("POST", plan, &[c, good], manifest).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_now() {
    let bed = bed(Access::token);
    let (cookie, csrf) = sign_in(&bed, "operator").await.unwrap();
    let c = ("cookie", cookie.as_str());
    assert_eq!(bed.status("GET", "/api/v1/me", &[c], "").await, StatusCode::OK);
    let headers = [c, ("x-lockflight-csrf", csrf.as_str())];
    assert_eq!(bed.status("DELETE", "/api/v1/session", &[c], "").await, StatusCode::FORBIDDEN);
    let code = bed.status("DELETE", "/api/v1/session", &headers, "").await;
    assert_eq!(code, StatusCode::NO_CONTENT);
    assert_eq!(bed.status("GET", "/api/v1/me", &[c], "").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_in_from_another_page_is_refused() {
    let bed = bed(Access::token);
    let headers = [("origin", "http://evil.example")];
    let body = r#"{"secret":"operator"}"#;
    let code = bed.status("POST", "/api/v1/session", &headers, body).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_printed_code_opens_the_owners_dashboard() {
    let bed = bed(|client| Access::code(client, SecretString::from("ABCD2345".to_owned())));
    for path in ["/api/v1/me", "/api/v1/snapshot", "/api/v1/stream"] {
        assert_eq!(bed.status("GET", path, &[], "").await, StatusCode::UNAUTHORIZED, "{path}");
        let bearer = [("authorization", "Bearer operator")];
        assert_eq!(bed.status("GET", path, &bearer, "").await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert!(sign_in(&bed, "ABCD2346").await.is_none());
    let (cookie, csrf) = sign_in(&bed, "ABCD2345").await.unwrap();
    let headers = [("cookie", cookie.as_str()), ("x-lockflight-csrf", csrf.as_str())];
    assert_eq!(bed.status("POST", ACTIONS, &headers, ABORT).await, StatusCode::ACCEPTED);
    let (uri, _) = bed.patches.lock().unwrap()[0].clone();
    assert!(uri.contains("fieldManager=kubectl-lockflight"), "{uri}");
}

#[tokio::test]
async fn the_page_itself_holds_nothing_and_needs_no_sign_in() {
    let bed = bed(Access::token);
    for path in ["/", "/clusters", "/rollouts/shop/checkout/analysis"] {
        let response = bed.send("GET", path, &[], "").await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!text(response).await.contains("618e741e25"));
    }
    assert_eq!(bed.status("POST", "/", &[], "").await, StatusCode::METHOD_NOT_ALLOWED);
}
