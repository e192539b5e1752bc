//! The values that the charts are rendered with.

use std::sync::OnceLock;

use lockflight_e2e::chart::Chart;
use serde_json::{Value, json};

use crate::{KUBERNETES, tools};

/// A chart with values.
pub(crate) struct Case {
    /// What is special about it.
    pub(crate) name: &'static str,
    /// The chart.
    pub(crate) chart: Chart,
    /// The values.
    pub(crate) values: Value,
    /// What Helm renders.
    pub(crate) objects: Vec<Value>,
}

/// All cases, rendered for the newest Kubernetes.
pub(crate) fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let [.., newest] = KUBERNETES;
        let rendered = |(name, chart, values): (&'static str, Chart, Value)| {
            let objects = chart.objects(&tools().helm, newest, &values);
            let objects = objects.unwrap_or_else(|error| crate::quit(&error));
            Case { name, chart, values, objects }
        };
        values().into_iter().map(rendered).collect()
    })
}

/// The case of this name.
pub(crate) fn case(name: &str) -> &'static Case {
    let found = cases().iter().find(|case| case.name == name);
    found.unwrap_or_else(|| crate::quit(&anyhow::anyhow!("no case is called {name}")))
}

impl Case {
    /// Its objects of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }
}

fn values() -> Vec<(&'static str, Chart, Value)> {
    vec![
        ("hub: defaults", Chart::Hub, json!({})),
        ("hub: everything on", Chart::Hub, everything_on()),
        ("hub: everything off", Chart::Hub, everything_off()),
        ("hub: hardened", Chart::Hub, hardened()),
        ("member: defaults", Chart::Member, json!({})),
        ("member: everything on", Chart::Member, member_on()),
    ]
}

fn everything_on() -> Value {
    json!({
        "fullnameOverride": "release-control",
        "commonLabels": { "team": "platform" },
        "image": { "repository": "registry.example/lockflight", "tag": "v1" },
        "imagePullSecrets": ["registry"],
        "serviceAccount": { "annotations": { "example.com/owner": "platform" } },
        "recording": { "enabled": true, "existingClaim": "recordings" },
        "listen": { "address": "::" },
        "podLabels": { "zone": "a" },
        "podAnnotations": { "example.com/note": "1" },
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "tolerations": [{ "key": "control", "operator": "Exists" }],
        "affinity": { "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [] } },
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
        }],
        "podDisruptionBudget": { "enabled": true },
        "networkPolicy": { "enabled": true },
        "service": { "annotations": { "example.com/note": "1" } },
        "serviceMonitor": { "enabled": true, "labels": { "release": "prometheus" } },
        "podMonitor": { "enabled": true },
        "prometheusRule": { "enabled": true, "labels": { "release": "prometheus" } },
        "grafanaDashboards": { "enabled": true, "annotations": { "folder": "Delivery" } },
        "dashboard": {
            "enabled": true, "signIn": "proxy", "trustedProxies": ["10.1.0.0/16"],
            "ingress": {
                "enabled": true, "className": "nginx", "hosts": ["lockflight.example"],
                "annotations": { "example.com/note": "1" },
                "tls": [{ "secretName": "lockflight-tls", "hosts": ["lockflight.example"] }],
            },
            "httpRoute": {
                "enabled": true, "hostnames": ["lockflight.example"],
                "parentRefs": [{ "name": "public", "namespace": "gateways" }],
                "annotations": { "example.com/note": "1" },
            },
        },
        "extraEnv": [{ "name": "TZ", "value": "UTC" }],
        "extraVolumes": [{ "name": "scratch", "emptyDir": {} }],
        "extraVolumeMounts": [{ "name": "scratch", "mountPath": "/scratch" }],
        "extraObjects": [
            { "apiVersion": "v1", "kind": "ConfigMap",
              "metadata": { "name": "one", "namespace": "lockflight-system" } },
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two\n  namespace: {{ .Release.Namespace }}\n",
        ],
    })
}

fn everything_off() -> Value {
    json!({
        "replicas": 0,
        "crds": { "install": false },
        "serviceAccount": { "create": false, "name": "theirs" },
        "rbac": { "create": false },
        "commandPolicy": { "enabled": false },
    })
}

fn hardened() -> Value {
    let peers = |app: &str| {
        json!([{
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": app } },
        }])
    };
    json!({
        "image": {
            "repository": "registry.example/lockflight",
            "digest": format!("sha256:{}", "0123456789abcdef".repeat(4)),
            "pullPolicy": "Always",
        },
        "rbac": { "aggregate": false },
        "recording": { "enabled": true, "mebibytes": 64 },
        "networkPolicy": {
            "enabled": true, "egressPorts": [6443],
            "metricsFrom": peers("monitoring"), "dashboardFrom": peers("gateways"),
        },
        "dashboard": { "enabled": true },
        "resources": { "limits": { "cpu": "1", "memory": "128Mi" } },
    })
}

fn member_on() -> Value {
    json!({
        "commonLabels": { "team": "platform" },
        "serviceAccount": { "name": "release-control", "annotations": { "example.com/note": "1" } },
        "namespaces": ["shop", "payments"],
        "jobs": { "enabled": true },
        "metrics": {
            "enabled": true, "namespace": "monitoring", "services": ["http:prometheus:9090"],
        },
        "token": { "secret": true },
        "registration": { "server": "https://m1.example:6443", "clusterName": "m1" },
    })
}
