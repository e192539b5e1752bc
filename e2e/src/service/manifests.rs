//! The objects of the demo service, as a team would write them.

use lockflight_crds::names;
use serde_json::{Value, json};

use super::settings::{Release, Settings};
use crate::gateway;

/// Name of the `AnalysisTemplate` that gates the service: the share of errors compared with the
/// stable version, and an absolute limit on latency.
pub const TEMPLATE: &str = "golden-signals";

const VERSION: &str = "lockflight.dev/v1alpha1";
const PORT: u16 = 8080;
/// Mean latency of a request that is still good, in seconds.
const LATENCY_MAX: f64 = 0.2;

pub(super) fn host(namespace: &str, name: &str) -> String {
    format!("{name}.{namespace}.example")
}

/// The route of a member: everything to stable.
pub(super) fn route(namespace: &str, name: &str) -> Value {
    let backend =
        |service: String, weight: u8| json!({ "name": service, "port": 80, "weight": weight });
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "hostnames": [host(namespace, name)],
            "parentRefs": [{ "name": gateway::GATEWAY, "namespace": gateway::NAMESPACE }],
            "rules": [{
                "backendRefs": [
                    backend(names::stable_service(name), 100),
                    backend(names::canary_service(name), 0),
                ],
            }],
        },
    })
}

/// The gates.
pub(super) fn template(namespace: &str) -> Value {
    let counter = |code: &str| format!("http_requests_total{{namespace=\"{namespace}\"{code}}}");
    let mean = |what: &str| {
        format!(
            "sum(rate(http_request_duration_seconds_{what}{{namespace=\"{namespace}\",pod=~\"{{{{canaryPods}}}}\"}}[{{{{window}}}}]))"
        )
    };
    json!({
        "apiVersion": VERSION,
        "kind": "AnalysisTemplate",
        "metadata": { "name": TEMPLATE, "namespace": namespace },
        "spec": { "metrics": [
            {
                "name": "errors",
                "compare": {
                    "bad": counter(",code=~\"5..\""),
                    "total": counter(""),
                    "by": { "pod": {} },
                    // Fewer requests decide than in production: they are few here.
                    "tolerate": { "ratio": "1.25", "difference": "0.01" },
                    "ruleOut": { "ratio": "2", "difference": "0.05" },
                    "warmUp": "0s",
                },
            },
            {
                "name": "latency",
                "threshold": {
                    "query": format!("{} / {}", mean("sum"), mean("count")),
                    "pass": format!("result[0] < {LATENCY_MAX:?}"),
                },
            },
        ]},
    })
}

/// The Rollout.
pub(super) fn rollout(
    namespace: &str,
    name: &str,
    release: &Release,
    settings: &Settings,
) -> Value {
    json!({
        "apiVersion": VERSION,
        "kind": "Rollout",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "replicas": settings.replicas,
            "template": pods(release),
            "ports": [{ "name": "http", "port": 80, "targetPort": PORT }],
            "placement": settings.placement,
            "waves": settings.waves,
            "strategy": { "canary": {
                "steps": settings.steps,
                "scaleDownDelay": settings.scale_down_delay,
            }},
            "traffic": { "gatewayAPI": { "routes": [{ "name": name }] } },
            "analysis": settings.analysis,
            "evidence": settings.evidence,
            "failurePolicy": settings.failure_policy,
        },
    })
}

fn pods(release: &Release) -> Value {
    let variables = [
        ("VERSION", release.version.clone()),
        ("ERROR_RATE", release.error_rate.to_string()),
        ("LATENCY_MS", release.latency_ms.to_string()),
        ("START_DELAY_MS", release.start_delay_ms.to_string()),
        ("STOP_DELAY_MS", release.stop_delay_ms.to_string()),
    ];
    let mut variables: Vec<(String, String)> =
        variables.map(|(name, value)| (name.to_owned(), value)).into();
    if release.ballast_mib > 0 {
        variables.push(("BALLAST_MIB".to_owned(), release.ballast_mib.to_string()));
    }
    if let Some(requests) = release.crash_after_requests {
        variables.push(("CRASH_AFTER_REQUESTS".to_owned(), requests.to_string()));
    }
    let noise = release.noise.variables();
    if !noise.is_empty() {
        variables.push(("NOISE_SEED".to_owned(), release.noise_seed.to_string()));
        variables.extend(noise);
    }
    let env: Vec<Value> =
        variables.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "metadata": {
            "labels": { "version": release.version },
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": PORT.to_string(),
            },
        },
        "spec": {
            "terminationGracePeriodSeconds": 10,
            "containers": [{
                "name": "app",
                "image": format!("{}:{}", release.image, release.version),
                "env": env,
                "ports": [{ "name": "http", "containerPort": PORT }],
                "readinessProbe": {
                    "httpGet": { "path": "/healthz", "port": PORT },
                    "periodSeconds": 1,
                },
                // Endpoints reach the gateway while the pod still serves.
                "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } },
            }],
        },
    })
}
