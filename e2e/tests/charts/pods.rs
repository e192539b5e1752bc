//! The hub's pod: what it may do, and what belongs to it.

use serde_json::{Value, json};

use crate::matrix::{case, cases};

fn deployments() -> impl Iterator<Item = (&'static str, &'static Value)> {
    cases().iter().flat_map(|case| {
        case.of_kind("Deployment").into_iter().map(|deployment| (case.name, deployment))
    })
}

#[test]
fn every_container_is_confined_bounded_and_probed() {
    let mut seen = 0;
    for (name, deployment) in deployments() {
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        for container in pod["containers"].as_array().unwrap() {
            seen += 1;
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(security["runAsNonRoot"], true, "{name}");
            assert_eq!(security["capabilities"], json!({ "drop": ["ALL"] }), "{name}");
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{name}");
            let resources = &container["resources"];
            assert!(resources["requests"]["cpu"].is_string(), "{name}");
            assert!(resources["requests"]["memory"].is_string(), "{name}");
            assert!(resources["limits"]["memory"].is_string(), "{name}");
            for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
                assert_eq!(container[probe]["httpGet"]["path"], path, "{name}");
            }
        }
    }
    assert_eq!(seen, 4);
}

/// There is no leader election, so two pods at once must be impossible.
#[test]
fn there_are_never_two_pods() {
    for (name, deployment) in deployments() {
        assert!(deployment["spec"]["replicas"].as_u64().unwrap() <= 1, "{name}");
        assert_eq!(deployment["spec"]["strategy"], json!({ "type": "Recreate" }), "{name}");
    }
}

#[test]
fn what_selects_the_pod_selects_it() {
    for case in cases() {
        for deployment in case.of_kind("Deployment") {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            let selectors = [
                ("Deployment", "/spec/selector/matchLabels"),
                ("Service", "/spec/selector"),
                ("PodDisruptionBudget", "/spec/selector/matchLabels"),
                ("NetworkPolicy", "/spec/podSelector/matchLabels"),
                ("PodMonitor", "/spec/selector/matchLabels"),
            ];
            for (kind, pointer) in selectors {
                for object in case.of_kind(kind) {
                    let selector = object.pointer(pointer).and_then(Value::as_object).unwrap();
                    assert!(!selector.is_empty(), "{}: {kind}", case.name);
                    for (key, value) in selector {
                        assert_eq!(labels[key], *value, "{}: {kind} selects by {key}", case.name);
                    }
                }
            }
        }
    }
}

#[test]
fn arguments_follow_the_values() {
    let args = |name: &str| {
        let deployment = case(name).of_kind("Deployment")[0];
        deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone()
    };
    assert_eq!(
        args("hub: defaults"),
        json!(["run", "--namespace=lockflight-system", "--listen=0.0.0.0:8080"])
    );
    assert_eq!(
        args("hub: everything on"),
        json!([
            "run",
            "--namespace=lockflight-system",
            "--listen=[::]:8080",
            "--record=/var/lib/lockflight",
            "--record-mebibytes=256",
            "--dashboard-listen=[::]:9090",
            "--dashboard-sign-in=proxy",
            "--dashboard-trusted-proxies=10.1.0.0/16",
        ])
    );
}

#[test]
fn a_digest_wins_over_the_tag() {
    let image = |name: &str| {
        let deployment = case(name).of_kind("Deployment")[0];
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image("hub: everything on"), "registry.example/lockflight:v1");
    let hardened = image("hub: hardened");
    assert!(hardened.as_str().unwrap().starts_with("registry.example/lockflight@sha256:"));
}
