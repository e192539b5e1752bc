//! A server for each kind of authentication.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use chrono::NaiveDateTime;
use http::Request;
use reqwest::Url;
use serde_json::{Value, json};

use super::{
    Secrets,
    server::{Asked, Authority, Server, ask, one, provider, secret, secrets},
    sigv4::Signer,
};
use crate::shelf::Shelf;

fn prometheus(address: &str, more: &Value) -> Value {
    let mut spec = json!({"address": address, "timeout": "5s"});
    for (key, value) in more.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    json!({"prometheus": spec})
}

#[tokio::test]
async fn basic_bearer_and_headers_are_sent_from_secrets() {
    let server = Server::start(|asked| match asked.header("authorization") {
        "Basic aHViOnNlc2FtZQ==" | "Bearer t0ken" => one(),
        _ if asked.header("x-api-key") == "k3y" => one(),
        _ => (401, Vec::new(), String::new()),
    })
    .await;
    let secrets = secrets(&[
        ("basic", &[("username", "hub"), ("password", "sesame\n")]),
        ("bearer", &[("token", "t0ken")]),
        ("wrong", &[("token", "0ther"), ("empty", " "), ("two", "a\nb")]),
        ("keys", &[("key", "k3y")]),
    ]);
    let bearer =
        |name: &str, key: &str| json!({"auth": {"bearer": {"secretName": name, "key": key}}});
    let cases = [
        (json!({}), Err("status 401: it wants to know who asks: give spec.prometheus.auth")),
        (json!({"auth": {"basic": {"secretName": "basic"}}}), Ok(())),
        (bearer("bearer", "token"), Ok(())),
        (
            bearer("wrong", "token"),
            Err("status 401: check the Secret that spec.prometheus.auth.bearer names"),
        ),
        (
            bearer("wrong", "empty"),
            Err("spec.prometheus.auth.bearer: key empty of Secret wrong is empty"),
        ),
        (bearer("wrong", "two"), Err("spec.prometheus.auth.bearer: the token must be one line")),
        (bearer("bearer", "absent"), Err("key absent of Secret bearer is missing: add it")),
        (bearer("absent", "token"), Err("there is no Secret absent in namespace hub")),
        (
            json!({"auth": {"basic": {"secretName": "bearer"}}}),
            Err("spec.prometheus.auth.basic.secretName: key username of Secret bearer is missing"),
        ),
        (
            json!({"headers": [
                {"name": "X-Scope-OrgID", "value": "shop"},
                {"name": "X-Api-Key", "valueFrom": {"secret": {"secretName": "keys", "key": "key"}}},
            ]}),
            Ok(()),
        ),
    ];
    for (more, expect) in cases {
        let provider = provider(prometheus(&server.address(), &more), &secrets);
        match (ask(&provider, "up").await, expect) {
            (Ok(values), Ok(())) => assert_eq!(values, [0.25]),
            (Err(error), Err(expect)) => {
                assert!(error.contains(expect), "{more}: {error}");
                assert!(!error.contains("0ther") && !error.contains("t0ken"), "{error}");
            }
            (got, _) => panic!("{more}: {got:?}"),
        }
    }
    assert_eq!(server.last().header("x-scope-orgid"), "shop");
    assert_eq!(server.last().uri.path(), "/api/v1/query");
    assert_eq!(server.last().body, "query=up&timeout=5000ms");
}

#[tokio::test]
async fn a_changed_secret_counts_from_the_next_question() {
    let server = Server::start(|asked| match asked.header("authorization") {
        "Bearer new" => one(),
        _ => (403, Vec::new(), String::new()),
    })
    .await;
    let shelf = Arc::new(Shelf::default());
    let auth = json!({"auth": {"bearer": {"secretName": "s", "key": "token"}}});
    let secrets = Secrets::new(Arc::clone(&shelf), "hub");
    let provider = provider(prometheus(&server.address(), &auth), &secrets);
    assert!(ask(&provider, "up").await.is_err_and(|error| error.contains("no Secret s")));
    shelf.put(secret("s", "1", &[("token", "old")]));
    assert!(ask(&provider, "up").await.is_err_and(|error| error.contains("status 403")));
    shelf.put(secret("s", "2", &[("token", "new")]));
    assert_eq!(ask(&provider, "up").await, Ok(vec![0.25]));
}

/// A token endpoint that counts its tokens.
fn tokens(asked: &Asked, count: &AtomicUsize) -> (u16, Vec<(&'static str, String)>, String) {
    // lock:fl%2Fight, as the standard wants the two to be written.
    let known = asked.header("authorization") == "Basic bG9jazpmbCUyRmlnaHQ=";
    if !known || !asked.body.contains("grant_type=client_credentials") {
        return (401, Vec::new(), r#"{"error":"invalid_client","x":"s3cret"}"#.to_owned());
    }
    if !asked.body.contains("scope=read+all&audience=metrics") {
        return (400, Vec::new(), r#"{"error":"invalid_scope"}"#.to_owned());
    }
    let count = count.fetch_add(1, Ordering::Relaxed) + 1;
    let token = json!({"access_token": format!("n{count}"), "expires_in": 3600});
    (200, Vec::new(), token.to_string())
}

#[tokio::test]
async fn tokens_are_fetched_kept_and_replaced() {
    let count = Arc::new(AtomicUsize::new(0));
    let issued = Arc::clone(&count);
    let authorization = Server::start(move |asked| tokens(asked, &issued)).await;
    // The first token is refused after two questions: it was revoked.
    let questions = AtomicUsize::new(0);
    let questions = Arc::new(questions);
    let server = Server::start(move |asked| {
        let number = questions.fetch_add(1, Ordering::Relaxed);
        match asked.header("authorization") {
            "Bearer n1" if number < 2 => one(),
            "Bearer n2" => one(),
            _ => (401, Vec::new(), String::new()),
        }
    })
    .await;
    let secrets = secrets(&[
        ("good", &[("client-id", "lock"), ("client-secret", "fl/ight")]),
        ("bad", &[("client-id", "lock"), ("client-secret", "x")]),
    ]);
    let with = |secret: &str, scopes: &[&str]| {
        let oauth2 = json!({
            "tokenAddress": format!("{}/token", authorization.address()),
            "secretName": secret, "scopes": scopes, "audience": "metrics",
        });
        provider(prometheus(&server.address(), &json!({"auth": {"oauth2": oauth2}})), &secrets)
    };
    let good = with("good", &["read", "all"]);
    for expect in [true, true, false, true, true] {
        let got = ask(&good, "up").await;
        assert_eq!(got.is_ok(), expect, "{got:?}");
    }
    assert_eq!(count.load(Ordering::Relaxed), 2, "a token serves many questions");
    for (secret, scopes, expect) in [
        ("bad", ["read", "all"], "spec.prometheus.auth.oauth2: "),
        ("bad", ["read", "all"], "invalid_client: check the Secret's keys"),
        ("good", ["write", "all"], "invalid_scope: check scopes"),
    ] {
        let error = ask(&with(secret, &scopes), "up").await.expect_err("no token");
        assert!(error.contains(expect) && !error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn requests_to_aws_are_signed() {
    let keys = [("access-key-id", "AKID"), ("secret-access-key", "K"), ("session-token", "S")];
    let secrets = secrets(&[("aws", &keys)]);
    let known = secrets.clone();
    let server = Server::start(move |asked| {
        let signer = Signer::new("auth", "eu-west-1", "aps", "aws", &mut known.reading());
        let url = format!("http://{}{}", asked.header("host"), asked.uri);
        let mut request = Request::new(asked.body.clone().into_bytes());
        *request.method_mut() = asked.method.clone();
        request.headers_mut().insert("content-type", asked.headers["content-type"].clone());
        let at = NaiveDateTime::parse_from_str(asked.header("x-amz-date"), "%Y%m%dT%H%M%SZ");
        let seconds = u64::try_from(at.expect("a time").and_utc().timestamp()).expect("a time");
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let url = Url::parse(&url).expect("a URL");
        signer.expect("a signer").sign(&mut request, &url, at).expect("a signature");
        let header = request.headers()["authorization"].to_str().expect("text");
        let covers = header.contains("=content-type;host;x-amz-date;x-amz-security-token,");
        if covers && header == asked.header("authorization") {
            one()
        } else {
            (403, Vec::new(), String::new())
        }
    })
    .await;
    let with = |region: &str| {
        let auth = json!({"sigV4": {"region": region, "secretName": "aws"}});
        let address = format!("{}/workspaces/ws-1", server.address());
        provider(prometheus(&address, &json!({"auth": auth})), &secrets)
    };
    assert_eq!(ask(&with("eu-west-1"), "up{a=\"b c\"}").await, Ok(vec![0.25]));
    let error = ask(&with("eu-west-2"), "up").await.expect_err("another region");
    assert!(error.contains("spec.prometheus.auth.sigV4"), "{error}");
}

#[tokio::test]
async fn servers_and_clients_prove_who_they_are() {
    let (own, other) = (Authority::new(), Authority::new());
    let (certificate, key) = other.issue("hub");
    let (stranger, stranger_key) = own.issue("stranger");
    let (own_pem, other_pem) = (own.pem(), other.pem());
    let secrets = secrets(&[
        ("own", &[("ca.crt", &own_pem)]),
        ("other", &[("ca.crt", &other_pem)]),
        ("none", &[("ca.crt", "none")]),
        ("hub", &[("tls.crt", &certificate), ("tls.key", &key)]),
        ("stranger", &[("tls.crt", &stranger), ("tls.key", &stranger_key)]),
        ("half", &[("tls.crt", &certificate)]),
        ("mixed", &[("tls.crt", &certificate), ("tls.key", "none")]),
    ]);
    let open = Server::start_tls(own.server(None), |_| one()).await;
    let mutual = Server::start_tls(own.server(Some(&other)), |_| one()).await;
    let cases = [
        (&open, json!({"caSecretName": "own"}), Ok(())),
        (&open, json!({}), Err("spec.prometheus.tls")),
        (&open, json!({"caSecretName": "other"}), Err("spec.prometheus.tls")),
        (
            &open,
            json!({"caSecretName": "none"}),
            Err("spec.prometheus.tls.caSecretName: key ca.crt"),
        ),
        (&mutual, json!({"caSecretName": "own", "clientSecretName": "hub"}), Ok(())),
        (&mutual, json!({"caSecretName": "own"}), Err("")),
        (&mutual, json!({"caSecretName": "own", "clientSecretName": "stranger"}), Err("")),
        (&mutual, json!({"clientSecretName": "half"}), Err("tls.key of Secret half is missing")),
        (
            &mutual,
            json!({"clientSecretName": "mixed"}),
            Err("spec.prometheus.tls.clientSecretName"),
        ),
    ];
    for (server, tls, expect) in cases {
        let address = format!("https://{}", server.at);
        let provider = provider(prometheus(&address, &json!({"tls": tls})), &secrets);
        match (ask(&provider, "up").await, expect) {
            (Ok(values), Ok(())) => assert_eq!(values, [0.25]),
            (Err(error), Err(expect)) => assert!(error.contains(expect), "{tls}: {error}"),
            (got, _) => panic!("{tls}: {got:?}"),
        }
    }
}
