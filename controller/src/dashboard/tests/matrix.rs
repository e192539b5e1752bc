//! Every route with every kind of credential.

use axum::http::StatusCode;

use super::harness::{bed, text, value};
use crate::dashboard::{Access, AddressRange};

const ABORT: &str = r#"{"verb":"Abort","reason":"x"}"#;
const UNMEANT: &str = r#"{"manifest":""}"#;

/// Every route below /api that is not the sign-in: method, path, body, code for a viewer, code
/// for an operator.
const ROUTES: [(&str, &str, &str, u16, u16); 13] = [
    ("GET", "/api/v1/me", "", 200, 200),
    ("GET", "/api/v1/snapshot", "", 200, 200),
    ("GET", "/api/v1/stream", "", 200, 200),
    ("GET", "/api/v1/rights/shop", "", 200, 200),
    ("GET", "/api/v1/rollouts/shop/checkout", "", 200, 200),
    ("GET", "/api/v1/rollouts/shop/checkout/history", "", 200, 200),
    ("GET", "/api/v1/rollouts/shop/checkout/analysis/us-east-1", "", 200, 200),
    ("GET", "/api/v1/rollouts/shop/checkout/evidence", "", 200, 200),
    ("GET", "/api/v1/rollouts/shop/checkout/plan", "", 200, 200),
    ("POST", "/api/v1/rollouts/shop/checkout/plan", UNMEANT, 422, 422),
    ("GET", "/api/v1/rollouts/shop/none", "", 404, 404),
    ("POST", "/api/v1/rollouts/shop/checkout/actions", ABORT, 403, 202),
    ("DELETE", "/api/v1/session", "", 204, 204),
];

/// What nobody gets in with, and the code.
const BAD: [(&[(&str, &str)], u16); 9] = [
    (&[], 401),
    (&[("authorization", "Bearer garbage")], 401),
    (&[("authorization", "Bearer other-audience")], 401),
    (&[("authorization", "Bearer empty-claims")], 401),
    (&[("authorization", "Bearer ")], 401),
    (&[("authorization", "Basic b3BlcmF0b3I6eA==")], 401),
    (&[("cookie", "lockflight-session=0123456789abcdef")], 401),
    (&[("x-forwarded-user", "operator"), ("x-forwarded-groups", "system:masters")], 401),
    // An API server that does not answer is no yes.
    (&[("authorization", "Bearer reviewer-is-down")], 503),
];

#[tokio::test]
async fn every_route_refuses_every_bad_credential() {
    let bed = bed(Access::token);
    for (method, path, body, _, _) in ROUTES {
        for (headers, expected) in BAD {
            let response = bed.send(method, path, headers, body).await;
            assert_eq!(response.status().as_u16(), expected, "{method} {path} {headers:?}");
            let text = text(response).await;
            assert!(!text.contains("checkout") && !text.contains("garbage"), "{path}: {text}");
        }
    }
    assert!(bed.patches.lock().unwrap().is_empty());
}

#[tokio::test]
async fn no_credential_in_the_address_is_read() {
    let bed = bed(Access::token);
    for query in ["token=operator", "access_token=operator", "authorization=Bearer%20operator"] {
        let path = format!("/api/v1/snapshot?{query}");
        assert_eq!(bed.status("GET", &path, &[], "").await, StatusCode::UNAUTHORIZED, "{query}");
    }
}

#[tokio::test]
async fn a_viewer_looks_and_an_operator_presses() {
    let bed = bed(Access::token);
    for (method, path, body, viewer, operator) in ROUTES {
        for (token, expected) in [("viewer", viewer), ("operator", operator)] {
            let bearer = format!("Bearer {token}");
            let response = bed.send(method, path, &[("authorization", &bearer)], body).await;
            assert_eq!(response.status().as_u16(), expected, "{method} {path} {token}");
            assert!(response.headers().contains_key("content-security-policy"), "{path}");
        }
    }
    let patches = bed.patches.lock().unwrap();
    assert_eq!(patches.len(), 1);
    let (uri, patch) = &patches[0];
    assert!(uri.contains("fieldManager=dashboard%3Aoperator"), "{uri}");
    assert_eq!(patch["metadata"]["annotations"]["lockflight.dev/abort"], "x");
}

#[tokio::test]
async fn a_role_may_hold_one_command_only() {
    let bed = bed(Access::token);
    let promoter = [("authorization", "Bearer promoter")];
    let path = "/api/v1/rollouts/bank/ledger/actions";
    let promote = r#"{"verb":"Promote","tokens":["3-rest-9f2c"]}"#;
    assert_eq!(bed.status("POST", path, &promoter, promote).await, StatusCode::ACCEPTED);
    assert_eq!(bed.status("POST", path, &promoter, ABORT).await, StatusCode::FORBIDDEN);
    let stale = r#"{"verb":"Promote","tokens":["2-rest-0000"]}"#;
    assert_eq!(bed.status("POST", path, &promoter, stale).await, StatusCode::CONFLICT);
    let malformed = r#"{"verb":"Promote"}"#;
    let answer = bed.send("POST", path, &promoter, malformed).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let told = value(answer).await;
    assert!(told["message"].as_str().unwrap().contains("tokens"), "{told}");
    assert!(told["remedy"].as_str().unwrap().contains("verb"), "{told}");
    let rights = value(bed.send("GET", "/api/v1/rights/bank", &promoter, "").await).await;
    let allowed: Vec<bool> =
        rights.as_array().unwrap().iter().map(|right| right["allowed"] == true).collect();
    assert_eq!(allowed, [true, false, false, false, false]);
}

/// The hub writes what is pressed, so that the admission policy sees the hub: whoever may patch a
/// Rollout and not approve must not approve here either.
#[tokio::test]
async fn the_right_to_patch_approves_nothing() {
    let bed = bed(Access::token);
    let editor = [("authorization", "Bearer editor")];
    let path = "/api/v1/rollouts/bank/ledger/actions";
    let promote = r#"{"verb":"Promote","tokens":["3-rest-9f2c"]}"#;
    for (body, expected) in [
        (promote, StatusCode::FORBIDDEN),
        (r#"{"verb":"Resume"}"#, StatusCode::FORBIDDEN),
        (ABORT, StatusCode::ACCEPTED),
    ] {
        assert_eq!(bed.status("POST", path, &editor, body).await, expected, "{body}");
    }
    let rights = value(bed.send("GET", "/api/v1/rights/bank", &editor, "").await).await;
    let allowed: Vec<bool> =
        rights.as_array().unwrap().iter().map(|right| right["allowed"] == true).collect();
    assert_eq!(allowed, [false, true, true, false, true]);
    assert_eq!(bed.patches.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn other_namespaces_do_not_exist_for_whoever_may_not_see_them() {
    let bed = bed(Access::token);
    let shopper = [("authorization", "Bearer shopper")];
    let snapshot = value(bed.send("GET", "/api/v1/snapshot", &shopper, "").await).await;
    let names: Vec<&str> = snapshot["rollouts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!((names, snapshot["clusters"].as_array().unwrap().len()), (vec!["checkout"], 0));
    for path in [
        "/api/v1/rollouts/bank/ledger",
        "/api/v1/rollouts/bank/ledger/history",
        "/api/v1/rollouts/bank/ledger/analysis/x",
        "/api/v1/rollouts/bank/ledger/evidence",
        "/api/v1/rollouts/bank/ledger/plan",
        "/api/v1/rollouts/bank/ledger/plan?rps=0",
    ] {
        assert_eq!(bed.status("GET", path, &shopper, "").await, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn without_sign_in_everybody_here_looks_and_nobody_presses() {
    let bed = bed(Access::nobody);
    assert_eq!(bed.status("GET", "/api/v1/snapshot", &[], "").await, StatusCode::OK);
    let path = "/api/v1/rollouts/shop/checkout/actions";
    let operator = [("authorization", "Bearer operator")];
    assert_eq!(bed.status("POST", path, &operator, ABORT).await, StatusCode::UNAUTHORIZED);
    // A page elsewhere whose name was made to resolve to this machine.
    let rebound = [("host", "evil.example:9090")];
    for path in ["/", "/api/v1/snapshot", "/assets/app.js"] {
        let code = bed.status("GET", path, &rebound, "").await;
        assert_eq!(code, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    assert!(bed.patches.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_the_trusted_proxy_names_users() {
    let range: AddressRange = "10.9.0.0/16".parse().unwrap();
    let bed = bed(|client| Access::proxy(client, vec![range]));
    let (proxy, other) = ("10.9.1.1".parse().unwrap(), "10.8.1.1".parse().unwrap());
    let user = ("x-forwarded-user", "viewer");
    for (peer, headers, expected) in [
        (proxy, vec![user], 200),
        (other, vec![user], 401),
        (proxy, vec![], 401),
        (proxy, vec![user, ("x-forwarded-user", "operator")], 401),
        (proxy, vec![("x-forwarded-user", "system:admin")], 401),
        (proxy, vec![("authorization", "Bearer operator")], 401),
    ] {
        let response = bed.send_from(peer, "GET", "/api/v1/snapshot", &headers, "").await;
        assert_eq!(response.status().as_u16(), expected, "{peer} {headers:?}");
    }
    let path = "/api/v1/rollouts/shop/checkout/actions";
    let response = bed.send_from(proxy, "POST", path, &[user], ABORT).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    // Through the proxy a browser that another page drives is still recognised.
    let foreign = [("x-forwarded-user", "operator"), ("origin", "https://evil.example")];
    let response = bed.send_from(proxy, "POST", path, &foreign, ABORT).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn large_bodies_and_many_tries_end_early() {
    let bed = bed(Access::token);
    let secret = format!("{{\"secret\":\"{}\"}}", "x".repeat(40_000));
    let code = bed.status("POST", "/api/v1/session", &[], &secret).await;
    assert_eq!(code, StatusCode::PAYLOAD_TOO_LARGE);
    let peer = "10.7.0.1".parse().unwrap();
    let garbage = [("authorization", "Bearer garbage")];
    for _ in 0..10 {
        bed.send_from(peer, "GET", "/api/v1/me", &garbage, "").await;
    }
    let right = [("authorization", "Bearer operator")];
    let response = bed.send_from(peer, "GET", "/api/v1/me", &right, "").await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
}
