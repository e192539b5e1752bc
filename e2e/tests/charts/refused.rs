//! Values that are refused, with the field named.

use lockflight_e2e::chart::Chart;
use serde_json::{Map, Value, json};

use crate::{KUBERNETES, tools};

fn refusal(chart: Chart, values: &Value) -> String {
    let [.., newest] = KUBERNETES;
    match chart.template(&tools().helm, newest, values) {
        Ok(_) => panic!("{} took {values}", chart.name()),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let table = [
        (Chart::Hub, json!({ "replicaCount": 2 }), vec!["replicaCount"]),
        (Chart::Hub, json!({ "replicas": 2 }), vec!["replicas"]),
        (Chart::Hub, json!({ "crds": { "instal": true } }), vec!["crds", "instal"]),
        (Chart::Hub, json!({ "dashboard": { "signIn": "nobody" } }), vec!["dashboard/signIn"]),
        (Chart::Hub, json!({ "image": { "digest": "latest" } }), vec!["image/digest"]),
        (Chart::Hub, json!({ "recording": { "mebibytes": 1 } }), vec!["recording/mebibytes"]),
        (
            Chart::Hub,
            json!({ "dashboard": { "enabled": true, "signIn": "proxy" } }),
            vec!["dashboard.trustedProxies", "name the addresses"],
        ),
        (
            Chart::Hub,
            json!({ "dashboard": { "enabled": true, "ingress": { "enabled": true } } }),
            vec!["dashboard.ingress.hosts"],
        ),
        (
            Chart::Hub,
            json!({ "dashboard": { "enabled": true, "httpRoute": { "enabled": true } } }),
            vec!["dashboard.httpRoute.parentRefs"],
        ),
        (Chart::Hub, json!({ "serviceAccount": { "create": false } }), vec!["serviceAccount.name"]),
        (Chart::Member, json!({ "namespace": ["shop"] }), vec!["namespace"]),
        (Chart::Member, json!({ "namespaces": ["*"] }), vec!["namespaces/0"]),
        (Chart::Member, json!({ "metrics": { "enabled": true } }), vec!["metrics.namespace"]),
        (
            Chart::Member,
            json!({ "registration": { "server": "http://m1" } }),
            vec!["registration/server"],
        ),
    ];
    for (chart, values, words) in table {
        let said = refusal(chart, &values);
        for word in words {
            assert!(said.contains(word), "{values}: {word} is not in {said}");
        }
    }
}

/// A value that the schema does not know could not be set; one that is only in the schema does
/// nothing.
#[test]
fn the_schema_knows_exactly_the_values() {
    for chart in Chart::ALL {
        let read = |name: &str| std::fs::read_to_string(chart.folder().join(name)).unwrap();
        let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
        let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
        same(&schema, &values, chart.name());
    }
}

fn same(schema: &Value, values: &Value, place: &str) {
    if schema["additionalProperties"] != false {
        assert!(schema["properties"].is_null(), "{place} is open and has properties");
        return;
    }
    let known = schema["properties"].as_object().unwrap();
    let written = values.as_object().unwrap();
    for (name, value) in written {
        let place = format!("{place}.{name}");
        same(known.get(name).unwrap_or_else(|| panic!("{place} is unknown")), value, &place);
    }
    // Those that have no default of ours are the fields of Kubernetes.
    let is_kubernetes = place.ends_with("Probe") || place.ends_with("resources");
    let missing = |name: &&String| !written.contains_key(*name) && *name != "global";
    let extra: Vec<_> = keys(known).filter(missing).collect();
    assert!(is_kubernetes || extra.is_empty(), "{place}: {extra:?} are in the schema only");
}

fn keys(map: &Map<String, Value>) -> impl Iterator<Item = &String> {
    map.keys()
}
