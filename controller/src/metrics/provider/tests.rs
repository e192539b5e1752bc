use serde_json::{Value, json};

use super::{
    Provider, Surroundings,
    server::{Server, ask, one, provider, secrets},
};

fn refusal(spec: Value) -> Option<String> {
    let spec = serde_json::from_value(spec).expect("a spec");
    Provider::new(&spec, &Surroundings::default()).err().map(|error| error.to_string())
}

#[test]
fn only_what_can_be_used_is_taken() {
    let prometheus = |more: Value| {
        let mut spec = json!({"address": "http://prometheus:9090"});
        for (key, value) in more.as_object().expect("fields") {
            spec[key] = value.clone();
        }
        json!({"prometheus": spec})
    };
    let key = json!({"secretName": "a", "key": "b"});
    let taken = [
        json!({}),
        json!({"address": "https://prometheus.example/base", "timeout": "500ms"}),
        json!({"headers": [{"name": "Authorization", "value": "x"}]}),
    ];
    for more in taken {
        assert_eq!(refusal(prometheus(more.clone())), None, "{more}");
    }
    let refused = [
        (json!({"address": "ftp://prometheus"}), "spec.prometheus.address: "),
        (json!({"address": "http://localhost:1/?x"}), "spec.prometheus.address: "),
        (json!({"address": "http://169.254.169.254"}), "spec.prometheus.address: "),
        (json!({"timeout": "0s"}), "spec.prometheus.timeout: must be from"),
        (json!({"timeout": "2m"}), "spec.prometheus.timeout: must be from"),
        (json!({"timeout": "soon"}), "spec.prometheus.timeout: must be a duration"),
        (json!({"auth": {}}), "spec.prometheus.auth: must have exactly one of"),
        (
            json!({"auth": {"bearer": key, "basic": {"secretName": "a"}}}),
            "spec.prometheus.auth: must have exactly one of",
        ),
        (
            json!({"auth": {"oauth2": {"tokenAddress": "http://[::1]/", "secretName": "a"}}}),
            "spec.prometheus.auth.oauth2.tokenAddress: ",
        ),
        (json!({"headers": [{"name": "Host", "value": "x"}]}), "headers[Host]: is set by the hub"),
        (json!({"headers": [{"name": "a b", "value": "x"}]}), "headers[a b]: is not the name"),
        (json!({"headers": [{"name": "X"}]}), "headers[X]: must have exactly one of value"),
        (
            json!({"auth": {"bearer": key}, "headers": [{"name": "authorization", "value": "x"}]}),
            "headers[authorization]: is set by auth",
        ),
    ];
    for (more, expect) in refused {
        let refusal = refusal(prometheus(more.clone())).unwrap_or_default();
        assert!(refusal.contains(expect), "{more}: {refusal}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_answers_are_bounded() {
    let inner = Server::start(|_| one()).await;
    let target = inner.address();
    let server = Server::start(move |asked| match asked.uri.path() {
        "/large/api/v1/query" => (200, Vec::new(), " ".repeat((16 << 20) + 1)),
        _ => (307, vec![("location", target.clone())], String::new()),
    })
    .await;
    for (path, expect) in [("", "status 307"), ("/large", "more than 16777216 bytes")] {
        let spec = json!({"prometheus": {"address": format!("{}{path}", server.address())}});
        let error = ask(&provider(spec, &secrets(&[])), "up").await.expect_err("no answer");
        assert!(error.contains(expect), "{error}");
    }
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn names_that_lead_inward_are_not_asked() {
    let server = Server::start(|_| one()).await;
    let address = format!("http://localhost:{}", server.at.port());
    let spec = serde_json::from_value(json!({"prometheus": {"address": address}}));
    let provider = Provider::new(&spec.expect("a spec"), &Surroundings::default());
    let error = ask(&provider.expect("a provider"), "up").await.expect_err("no answer");
    assert!(error.contains("where the hub sends no requests"), "{error}");
    assert_eq!(server.count(), 0);
}
