use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::*;

fn cluster(name: &str, namespaces: &[&str]) -> Cluster {
    let spec = serde_json::from_value(json!({
        "server": "https://10.0.0.1", "credentials": {"secretName": name},
        "allowedNamespaces": namespaces, "metrics": {"provider": "prometheus"},
    }))
    .unwrap();
    let mut cluster = Cluster::new(name, spec);
    cluster.metadata.resource_version = Some("1".to_owned());
    cluster.metadata.labels = Some([("name".to_owned(), name.to_owned())].into());
    cluster
}

/// A hub with four clusters, a provider and a template.
fn hub() -> Hub {
    let hub = Hub::default();
    hub.clusters.replace(["a", "b", "c", "d"].map(|name| cluster(name, &["shop"])).into());
    let mut provider = MetricProvider::new(
        "prometheus",
        serde_json::from_value(json!({"prometheus": {"address": "http://p:9090"}})).unwrap(),
    );
    provider.metadata.resource_version = Some("1".to_owned());
    hub.providers.replace(vec![provider]);
    let mut template = AnalysisTemplate::new(
        "errors",
        serde_json::from_value(json!({"metrics": [{
            "name": "errors",
            "compare": {"bad": "bad_total", "total": "all_total", "by": {"pod": {}}},
        }]}))
        .unwrap(),
    );
    template.metadata = ObjectMeta {
        name: Some("errors".to_owned()),
        namespace: Some("shop".to_owned()),
        resource_version: Some("1".to_owned()),
        ..ObjectMeta::default()
    };
    hub.templates.replace(vec![template]);
    hub
}

fn rollout(change: impl Fn(&mut Value)) -> Rollout {
    let mut spec = json!({
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "app", "image": "demo:v1"}]}},
        "ports": [{"name": "http", "port": 80}],
        "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}},
        "analysis": [{"template": "errors"}],
    });
    change(&mut spec);
    let mut rollout = Rollout::new("checkout", serde_json::from_value(spec).unwrap());
    rollout.metadata.namespace = Some("shop".to_owned());
    rollout
}

#[test]
fn defaults_are_those_of_the_literature() {
    let policy = validate(&rollout(|_| ()), &hub()).unwrap();
    let weights: Vec<u8> = policy.steps.iter().map(|step| step.weight).collect();
    assert_eq!(weights, [5, 10, 33, 66, 100]);
    let waves: Vec<(usize, i64)> =
        policy.waves.iter().map(|wave| (wave.members.len(), wave.bake.num_hours())).collect();
    assert_eq!(waves, [(1, 12), (1, 2), (2, 0)], "one, one, the rest");
    assert_eq!(policy.unreachable, UnreachableBudget::AfterSecondWave(0));
    assert!(policy.steps.iter().all(|step| step.samples == 100));
}

#[test]
fn built_in_templates_need_no_object() {
    let analysis = json!([
        {"template": "errors"},
        {"template": "builtin:app"},
        {"template": "builtin:contour", "args": {"port": "8080"}},
    ]);
    let policy = validate(&rollout(|s| s["analysis"] = analysis.clone()), &hub()).unwrap();
    assert!(policy.gated);
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 13] = [
        (|s| s["template"] = json!({"spec": {}}), "spec.template.spec.containers"),
        (
            |s| s["template"]["spec"]["serviceAccountName"] = json!("admin"),
            "spec.template.spec.serviceAccountName",
        ),
        (
            |s| s["template"]["metadata"] = json!({"labels": {"lockflight.dev/revision": "x"}}),
            "lockflight.dev/revision is set by Lockflight",
        ),
        (
            |s| s["strategy"] = json!({"canary": {"steps": [{"weight": 50}, {"weight": 20}]}}),
            "spec.strategy.canary.steps",
        ),
        (
            |s| {
                s["strategy"] =
                    json!({"canary": {"steps": [{"weight": 100, "bake": {"time": "1d"}}]}});
            },
            "spec.strategy.canary.steps[0].bake.time",
        ),
        (
            |s| s["placement"] = json!({"clusterSelector": {"matchLabels": {"no": "one"}}}),
            "spec.placement.clusterSelector",
        ),
        (
            |s| {
                s["waves"] =
                    json!([{"name": "w", "clusterSelector": {"matchLabels": {"name": "a"}}}]);
            },
            "spec.waves: no wave selects b, c, d",
        ),
        (|s| s["analysis"] = json!([{"template": "none"}]), "spec.analysis[0].template"),
        (
            |s| s["analysis"] = json!([{"template": "builtin:none"}]),
            "spec.analysis[0].template: there is no built-in template none; there are app, cilium",
        ),
        (
            |s| s["analysis"] = json!([{"template": "builtin:cilium"}]),
            "AnalysisTemplate builtin:cilium: args: the template needs the argument gateway",
        ),
        (
            |s| s["analysis"] = json!([{"template": "builtin:app", "args": {"prot": "80"}}]),
            "AnalysisTemplate builtin:app: args: the template has no argument prot",
        ),
        (
            |s| s["failurePolicy"] = json!({"maxFailedClusters": "many"}),
            "spec.failurePolicy.maxFailedClusters",
        ),
        (
            |s| {
                s["analysis"] = json!([]);
                s["waves"] = json!([{"name": "w", "bake": {"samples": 5}}]);
            },
            "spec.waves[0].bake.samples",
        ),
    ];
    for (change, expect) in cases {
        let problems = validate(&rollout(change), &hub()).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expect)), "{expect}: {problems:?}");
    }
}

#[test]
fn a_cluster_that_does_not_allow_the_namespace_is_named() {
    let hub = hub();
    let mut closed = cluster("a", &["search"]);
    closed.metadata.resource_version = Some("2".to_owned());
    hub.clusters.replace(vec![closed]);
    let problems = validate(&rollout(|_| ()), &hub).unwrap_err();
    assert!(problems[0].contains("Cluster a: spec.allowedNamespaces must contain shop"));
}

#[test]
fn a_provider_that_does_not_allow_the_namespace_is_named() {
    let with = |allowed: &Value| {
        let hub = hub();
        let spec =
            json!({"prometheus": {"address": "http://p:9090"}, "allowedNamespaces": allowed});
        let mut provider = MetricProvider::new("prometheus", serde_json::from_value(spec).unwrap());
        provider.metadata.resource_version = Some("2".to_owned());
        hub.providers.replace(vec![provider]);
        validate(&rollout(|_| ()), &hub)
    };
    assert!(with(&json!(null)).is_ok() && with(&json!(["search", "shop"])).is_ok());
    for closed in [json!([]), json!(["search"])] {
        let problems = with(&closed).unwrap_err();
        let expect = "MetricProvider prometheus: spec.allowedNamespaces must contain shop";
        assert!(problems[0].contains(expect), "{problems:?}");
    }
}

#[test]
fn steps_wait_for_no_events_where_comparisons_only_inform() {
    let hub = hub();
    let mut template = AnalysisTemplate::new(
        "errors",
        serde_json::from_value(json!({"metrics": [{
            "name": "errors", "severity": "Info",
            "compare": {"bad": "bad_total", "total": "all_total", "by": {"pod": {}}},
        }]}))
        .unwrap(),
    );
    template.metadata = ObjectMeta {
        namespace: Some("shop".to_owned()),
        resource_version: Some("2".to_owned()),
        ..template.metadata
    };
    hub.templates.replace(vec![template]);
    let policy = validate(&rollout(|_| ()), &hub).unwrap();
    assert!(policy.steps.iter().all(|step| step.samples == 0) && policy.gated);
}
