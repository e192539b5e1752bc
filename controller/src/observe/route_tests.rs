use serde_json::json;

use super::*;

fn route(rules: &Value, parents: &Value) -> Route {
    serde_json::from_value(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "r", "namespace": "n", "generation": 4, "managedFields": [
            {"manager": "lockflight", "time": "2026-01-01T00:00:02Z", "fieldsV1": {"f:spec": {"f:rules": {}}}},
            {"manager": "helm", "time": "2026-01-01T00:00:01Z", "fieldsV1": {"f:spec": {"f:rules": {}}}},
            {"manager": "contour", "time": "2026-01-01T00:00:03Z", "subresource": "status", "fieldsV1": {"f:spec": {"f:rules": {}}}},
        ]},
        "spec": {"parentRefs": [{"name": "edge", "namespace": "gw"}], "rules": rules},
        "status": {"parents": parents},
    }))
    .unwrap()
}

fn rule(stable: u32, canary: u32) -> Value {
    json!({"backendRefs": [
        {"name": "a-stable", "port": 80, "weight": stable},
        {"name": "a-canary", "port": 80, "weight": canary},
    ]})
}

fn accepted(generation: i64, accepted: &str) -> Value {
    let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": "R", "message": "m", "observedGeneration": generation});
    json!([{
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "gw"},
        "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", "True")],
    }])
}

fn state(rules: &Value, parents: &Value) -> RouteState {
    read(&route(rules, parents), "a-stable", "a-canary")
}

#[test]
fn shares_are_read_from_every_rule_of_ours_and_rounded_up() {
    let rules =
        json!([rule(90, 10), rule(199, 1), {"backendRefs": [{"name": "other", "port": 80}]}]);
    let RouteState::Present { lowest, highest, acknowledged, manager, .. } =
        state(&rules, &accepted(4, "True"))
    else {
        panic!("the route is usable")
    };
    assert_eq!((lowest, highest, acknowledged), (1, 10, true));
    assert_eq!(manager.as_deref(), Some("helm"));
}

#[test]
fn only_the_current_generation_counts_as_accepted() {
    for (parents, expect) in [
        (accepted(4, "True"), true),
        (accepted(5, "True"), true),
        (accepted(3, "True"), false),
        (accepted(4, "False"), false),
        (json!([]), false),
    ] {
        let RouteState::Present { acknowledged, .. } = state(&json!([rule(1, 0)]), &parents) else {
            panic!("the route is usable")
        };
        assert_eq!(acknowledged, expect, "{parents}");
    }
}

#[test]
fn routes_that_cannot_be_used_say_why() {
    let third = json!([{"backendRefs": [
        {"name": "a-stable"}, {"name": "a-canary"}, {"name": "b"},
    ]}]);
    let RouteState::Unsupported(why) = state(&third, &json!([])) else { panic!("a third backend") };
    assert!(why.contains("spec.rules[0].backendRefs"), "{why}");
    let RouteState::Unsupported(why) = state(&json!([]), &json!([])) else { panic!("no backends") };
    assert!(why.contains("a-stable and a-canary"), "{why}");
}
