use std::sync::Arc;

use kube::Config;
use serde_json::{Value, json};

use crate::{
    fleet::client,
    metrics::provider::{
        Egress, MemberClient, Provider, Surroundings,
        server::{Server, ask, one, secrets},
    },
};

fn provider(more: &Value, member: Option<MemberClient>) -> Result<Provider, String> {
    let mut spec =
        json!({"service": {"namespace": "monitoring", "name": "prometheus", "port": "9090"}});
    for (key, value) in more.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    let spec = serde_json::from_value(json!({"prometheus": spec})).expect("a spec");
    let secrets = secrets(&[("tenant", &[("id", "shop")])]);
    let surroundings = Surroundings { secrets, egress: Egress::default(), member };
    Provider::new(&spec, &surroundings).map_err(|error| error.to_string())
}

#[tokio::test]
async fn services_are_asked_through_the_members_api_server() {
    let base = "/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy";
    let server = Server::start(move |asked| {
        let path = asked.uri.path().strip_prefix(base).unwrap_or_default();
        let of_server = |code: u16| (code, Vec::new(), r#"{"kind":"Status"}"#.to_owned());
        match path {
            "/api/v1/query" => one(),
            "/base/api/v1/query" if asked.header("x-scope-orgid") == "shop" => one(),
            "/forbidden/api/v1/query" => of_server(403),
            "/gone/api/v1/query" => of_server(404),
            "/down/api/v1/query" => of_server(503),
            "/large/api/v1/query" => (200, Vec::new(), " ".repeat((16 << 20) + 1)),
            _ => (404, Vec::new(), "404 page not found".to_owned()),
        }
    })
    .await;
    let address = server.address();
    let member: MemberClient = Arc::new(move || {
        let mut config = Config::new(address.parse().expect("an address"));
        // As for every member.
        config.default_retry = false;
        client::limited(config).map_err(|error| error.to_string())
    });
    let under = |path: &str| json!({"service": {"namespace": "monitoring", "name": "prometheus", "port": "9090", "path": path}});
    let cases = [
        (json!({}), ""),
        (
            under("/forbidden"),
            "the verb create on services/proxy for Service monitoring/prometheus:9090",
        ),
        (under("gone/"), "there is no Service monitoring/prometheus:9090"),
        (under("/down"), "has no ready pods"),
        (under("/large"), "more than 16777216 bytes"),
        (under("/other"), "status 404"),
    ];
    for (more, expect) in cases {
        let provider = provider(&more, Some(Arc::clone(&member))).expect("a provider");
        let got = ask(&provider, "up").await;
        match got {
            Ok(values) => assert_eq!((values, expect), (vec![0.25], "")),
            Err(error) => assert!(!expect.is_empty() && error.contains(expect), "{more}: {error}"),
        }
    }
    let mut tenant = under("/base");
    tenant["headers"] = json!([
        {"name": "X-Scope-OrgID", "valueFrom": {"secret": {"secretName": "tenant", "key": "id"}}},
    ]);
    let provider = provider(&tenant, Some(member)).expect("a provider");
    assert_eq!(ask(&provider, "up").await, Ok(vec![0.25]));
    assert_eq!(server.last().body, "query=up&timeout=5000ms");
}

#[tokio::test]
async fn only_services_are_named() {
    let service = |key: &str, value: &str| {
        let mut service = json!({"namespace": "a", "name": "b", "port": "c"});
        service[key] = json!(value);
        json!({"service": service})
    };
    let cases = [
        (service("namespace", "a/b"), "spec.prometheus.service: namespace, name"),
        (service("name", "../secrets"), "spec.prometheus.service: namespace, name"),
        (service("port", "1:2"), "spec.prometheus.service: namespace, name"),
        (service("path", "/../../../secrets"), "spec.prometheus.service: namespace, name"),
        (service("path", "/x?y"), "spec.prometheus.service: namespace, name"),
        (service("path", "/%2e%2e/x"), "spec.prometheus.service: namespace, name"),
        (json!({"tls": {}}), "spec.prometheus.service: goes with neither auth nor tls"),
        (json!({"address": "http://x"}), "spec.prometheus: must have exactly one of address"),
        (json!({"service": null}), "spec.prometheus: must have exactly one of address"),
    ];
    for (more, expect) in cases {
        let error = provider(&more, None).map(|_| ()).expect_err(expect);
        assert!(error.contains(expect), "{more}: {error}");
    }
    let alone = provider(&json!({}), None).expect("a provider");
    let error = ask(&alone, "up").await.expect_err("no member");
    assert!(error.contains("spec.prometheus.service: no member is known"), "{error}");
}
