//! A server for each source of single values.

use serde_json::{Value, json};

use super::{depth, json as parse_json};
use crate::metrics::provider::{
    Provider, Surroundings,
    server::{Answer, Asked, Authority, Server, ask, provider, secrets},
};

const HOSTILE: &str = "a\"b&x=y {{c}}/../#?\n";

/// The values of an answer, or a part of the error.
type Expect = Result<&'static [f64], &'static str>;

fn reply(status: u16, body: &Value) -> Answer {
    (status, Vec::new(), body.to_string())
}

/// Asks one provider of this spec, its address filled in.
async fn values(
    kind: &str,
    mut spec: Value,
    query: &str,
    answer: impl Fn(&Asked) -> Answer + Clone + Send + Sync + 'static,
) -> (Result<Vec<f64>, String>, Option<Asked>) {
    let server = Server::start(answer).await;
    let path = spec["address"].as_str().unwrap_or_default().to_owned();
    spec["address"] = json!(format!("{}{path}", server.address()));
    let secrets = secrets(&[
        ("datadog", &[("api-key", "dk"), ("app-key", "da")]),
        ("new-relic", &[("api-key", "nk")]),
        ("aws", &[("access-key-id", "AKID"), ("secret-access-key", "K")]),
        ("bearer", &[("token", "t0ken")]),
        ("empty", &[]),
    ]);
    let got = ask(&provider(json!({ kind: spec }), &secrets), query).await;
    let asked = server.asked.lock().expect("the log").last().cloned();
    (got, asked)
}

fn matches(case: &str, got: Result<Vec<f64>, String>, expect: Expect) {
    match (got, expect) {
        (Ok(values), Ok(expect)) => assert_eq!(values, expect, "{case}"),
        (Err(error), Err(expect)) => {
            assert!(error.contains(expect), "{case}: {error}");
            assert!(!error.contains("s3cret"), "{case}: {error}");
        }
        (got, _) => panic!("{case}: {got:?}"),
    }
}

#[tokio::test]
async fn web_finds_values_by_path_and_by_expression() {
    let body = json!({"data": [{"v": 1.5}, {"v": "2"}], "bad": 1, "all": 4, "text": "s3cret"});
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let path = |path: &str| json!({"address": "/m", "jsonPath": path});
    let cel = |cel: &str| json!({"address": "/m", "cel": cel});
    let cases: [(Value, u16, &Value, Expect); 14] = [
        (path("$.data[*].v"), 200, &body, Ok(&[1.5, 2.0])),
        (path("$.data[?@.v == 1.5].v"), 200, &body, Ok(&[1.5])),
        (path("$.none"), 200, &body, Ok(&[])),
        (path("$.text"), 200, &body, Err("a value that is no number")),
        (path("$.data"), 200, &body, Err("a value that is no number")),
        (cel("double(response.bad) / double(response.all)"), 200, &body, Ok(&[0.25])),
        (cel("[response.bad, response.all]"), 200, &body, Ok(&[1.0, 4.0])),
        (cel("response.data.map(d, double(d.v))"), 200, &body, Ok(&[1.5, 2.0])),
        (cel("response.none"), 200, &body, Err("spec.web.cel gives no numbers")),
        (cel("response.text"), 200, &body, Err("a value that is no number")),
        (path("$"), 200, &deep, Err("nested too deeply")),
        (path("$.bad"), 500, &body, Err("status 500")),
        (path("$.bad"), 302, &body, Err("status 302")),
        (path("$.bad"), 429, &body, Err("raise the interval")),
    ];
    for (spec, status, body, expect) in cases {
        let (case, body) = (spec.to_string(), body.clone());
        let (got, asked) = values("web", spec, HOSTILE, move |_| reply(status, &body)).await;
        matches(&case, got, expect);
        let uri = asked.expect("a question").uri;
        assert_eq!(uri.path(), "/m");
        assert_eq!(uri.query(), Some("query=a%22b%26x%3Dy+%7B%7Bc%7D%7D%2F..%2F%23%3F%0A"));
    }
    let post = json!({"method": "Post", "parameter": "q", "jsonPath": "$.bad",
        "auth": {"bearer": {"secretName": "bearer", "key": "token"}}});
    let (got, asked) = values("web", post, HOSTILE, move |_| reply(200, &body)).await;
    let asked = asked.expect("a question");
    assert_eq!(got, Ok(vec![1.0]));
    assert_eq!(asked.header("authorization"), "Bearer t0ken");
    assert_eq!(serde_json::from_str::<Value>(&asked.body).ok(), Some(json!({"q": HOSTILE})));
}

#[tokio::test]
async fn datadog_gives_the_newest_value_of_each_series() {
    let good = json!({"status": "ok", "series": [
        {"pointlist": [[1.0, 1.0], [2.0, 2.5], [3.0, null]]}, {"pointlist": [[1.0, null]]},
    ]});
    let cases: [(&str, u16, Value, Expect); 5] = [
        ("datadog", 200, good, Ok(&[2.5])),
        ("datadog", 200, json!({"status": "error", "error": "s3cret"}), Err("refused the query")),
        ("datadog", 200, json!([]), Err("without series")),
        ("datadog", 403, json!({}), Err("check the Secret that spec.datadog.secretName names")),
        ("empty", 200, json!({}), Err("spec.datadog.secretName: key api-key of Secret empty")),
    ];
    for (secret, status, body, expect) in cases {
        let spec = json!({"secretName": secret, "lookback": "2m"});
        let (got, asked) = values("datadog", spec, "avg:x{*}", move |_| reply(status, &body)).await;
        matches(secret, got, expect);
        let Some(asked) = asked else { continue };
        assert_eq!((asked.header("dd-api-key"), asked.header("dd-application-key")), ("dk", "da"));
        let query = asked.uri.query().unwrap_or_default();
        assert!(query.ends_with("&query=avg%3Ax%7B*%7D"), "{query}");
        assert_eq!(asked.uri.path(), "/api/v1/query");
    }
}

#[tokio::test]
async fn cloudwatch_is_asked_with_a_signature() {
    let result = |status: &str, values: &[f64]| json!({"StatusCode": status, "Values": values});
    let results = |results: Value| json!({"MetricDataResults": results});
    let denied = json!({"__type": "com.amazon.coral#ExpiredTokenException", "message": "s3cret"});
    let cases: [(u16, Value, Expect); 5] = [
        (
            200,
            results(json!([result("Complete", &[3.0, 9.0]), result("Complete", &[])])),
            Ok(&[3.0]),
        ),
        (200, results(json!([result("PartialData", &[3.0])])), Err("not complete")),
        (
            400,
            denied,
            Err("ExpiredTokenException: check the Secret that spec.cloudWatch.secretName"),
        ),
        (400, json!({"__type": "InvalidParameterValueException"}), Err("refused the query")),
        (403, json!({}), Err("check the Secret that spec.cloudWatch.secretName names")),
    ];
    for (status, body, expect) in cases {
        let spec = json!({"region": "eu-west-1", "secretName": "aws"});
        let case = body.to_string();
        let (got, asked) =
            values("cloudWatch", spec, "SELECT MAX(a)", move |_| reply(status, &body)).await;
        matches(&case, got, expect);
        let asked = asked.expect("a question");
        let signed = asked.header("authorization");
        assert!(signed.contains("/eu-west-1/monitoring/aws4_request"), "{signed}");
        assert!(signed.contains("=content-type;host;x-amz-date;x-amz-target,"), "{signed}");
        let body: Value = serde_json::from_str(&asked.body).expect("JSON");
        assert_eq!(body["MetricDataQueries"][0]["Expression"], "SELECT MAX(a)");
    }
}

#[tokio::test]
async fn new_relic_gives_one_number_per_row() {
    let rows = |rows: Value| json!({"data": {"actor": {"account": {"nrql": {"results": rows}}}}});
    let cases: [(u16, Value, Expect); 6] = [
        (
            200,
            rows(json!([{"facet": "a", "count": 5}, {"facet": "b", "count": 7}])),
            Ok(&[5.0, 7.0]),
        ),
        (200, rows(json!([{"percentile.duration": {"95": 0.2}}])), Ok(&[0.2])),
        (200, rows(json!([{"a": 1, "b": 2}])), Err("a row has 2 numbers")),
        (200, json!({"errors": [{"message": "s3cret"}]}), Err("spec.newRelic.account")),
        (200, json!({"data": null}), Err("without results")),
        (401, json!({}), Err("check the Secret that spec.newRelic.secretName names")),
    ];
    for (status, body, expect) in cases {
        let spec = json!({"account": 7, "secretName": "new-relic", "address": "/graphql"});
        let case = body.to_string();
        let (got, asked) = values("newRelic", spec, HOSTILE, move |_| reply(status, &body)).await;
        matches(&case, got, expect);
        let asked = asked.expect("a question");
        assert_eq!((asked.header("api-key"), asked.uri.path()), ("nk", "/graphql"));
        let body: Value = serde_json::from_str(&asked.body).expect("JSON");
        assert_eq!(body["variables"], json!({"account": 7, "text": HOSTILE}));
    }
}

#[tokio::test]
async fn external_providers_keep_a_contract() {
    let cases: [(u16, Value, Expect); 7] = [
        (200, json!({"values": [1, 0.5]}), Ok(&[1.0, 0.5])),
        (200, json!({"values": []}), Ok(&[])),
        (200, json!({"values": vec![0; 1001]}), Err("1001 values, more than 1000")),
        (200, json!({"error": "s3cret"}), Err("its log says why")),
        (422, json!({"error": "s3cret"}), Err("its log says why")),
        (503, json!({"error": "s3cret"}), Err("status 503")),
        (200, json!({}), Err("without values")),
    ];
    for (status, body, expect) in cases {
        let case = body.to_string();
        let (got, asked) =
            values("external", json!({}), HOSTILE, move |_| reply(status, &body)).await;
        matches(&case, got, expect);
        let body: Value = serde_json::from_str(&asked.expect("a question").body).expect("JSON");
        assert_eq!(body, json!({"query": HOSTILE}));
    }
}

#[tokio::test]
async fn answers_are_bounded_and_time_is_not_asked_for() {
    let large = |_: &Asked| (200, Vec::new(), " ".repeat((1 << 20) + 1));
    let (got, _) = values("external", json!({}), "x", large).await;
    matches("large", got, Err("more than 1048576 bytes"));
    let (got, asked) = values("external", json!({}), "time()", large).await;
    assert!(got.is_ok_and(|now| now[0] > 1.7e9) && asked.is_none());
    // TLS is the same as for Prometheus.
    let authority = Authority::new();
    let server =
        Server::start_tls(authority.server(None), |_| reply(200, &json!({"values": [1]}))).await;
    let secrets = secrets(&[("ca", &[("ca.crt", &authority.pem())])]);
    let address = format!("https://{}", server.at);
    let spec = json!({"external": {"address": address, "tls": {"caSecretName": "ca"}}});
    assert_eq!(ask(&provider(spec, &secrets), "x").await, Ok(vec![1.0]));
}

#[test]
fn exactly_one_kind_is_given() {
    let cases = [
        (json!({}), "spec: must have exactly one of"),
        (
            json!({"external": {"address": "http://a"}, "prometheus": {"address": "http://a"}}),
            "spec: must have exactly one of",
        ),
        (json!({"web": {"address": "http://a"}}), "spec.web: must have exactly one of jsonPath"),
        (json!({"web": {"address": "http://a", "jsonPath": "a["}}), "spec.web.jsonPath: "),
        (json!({"web": {"address": "http://a", "cel": "1 +"}}), "spec.web.cel: is not"),
        (json!({"web": {"address": "http://a", "cel": "x.y"}}), "spec.web.cel: names x"),
        (
            json!({"web": {"address": "http://a", "cel": "response.map(a, response.map(b, 1))"}}),
            "spec.web.cel: has more than one of",
        ),
        (json!({"external": {"address": "http://169.254.169.254"}}), "spec.external.address: "),
        (
            json!({"cloudWatch": {"region": "x", "secretName": "a", "lookback": "2h"}}),
            "spec.cloudWatch.lookback: must be from 1s to 1h",
        ),
        (
            json!({"datadog": {"secretName": "a", "timeout": "2m"}}),
            "spec.datadog.timeout: must be from",
        ),
    ];
    for (spec, expect) in cases {
        let case = spec.to_string();
        let spec = serde_json::from_value(spec).expect("a spec");
        let error = Provider::new(&spec, &Surroundings::default()).map(|_| ());
        let error = error.expect_err(&case).to_string();
        assert!(error.contains(expect), "{case}: {error}");
    }
}

#[test]
fn brackets_are_counted_outside_of_text_only() {
    for (text, expect) in [("1", 0), ("[{}]", 2), (r#"["[[[", "\"[[["]"#, 1), ("[][]", 1)] {
        assert_eq!(depth(text.as_bytes()), expect, "{text}");
    }
    assert!(parse_json(b"<html>").is_err());
}
