//! The objects that make a member known to Lockflight.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::addresses;
use crate::cluster::Cluster;

const VERSION: &str = "lockflight.dev/v1alpha1";

/// `MetricProvider` and `Cluster` of a member, both of its name, by the hub-only addresses.
#[must_use]
pub fn objects(member: &Cluster, namespaces: &BTreeSet<String>) -> [Value; 2] {
    let (name, index) = (member.name(), member.index());
    let (metrics, apiserver) =
        (addresses::hub_only_prometheus(index), addresses::hub_only_apiserver(index));
    let metrics = format!("http://{metrics}:{}", addresses::PROMETHEUS_PORT);
    let apiserver = format!("https://{apiserver}:{}", addresses::APISERVER_PORT);
    let provider = json!({
        "apiVersion": VERSION,
        "kind": "MetricProvider",
        "metadata": { "name": name },
        "spec": { "prometheus": { "address": metrics } },
    });
    let cluster = json!({
        "apiVersion": VERSION,
        "kind": "Cluster",
        "metadata": { "name": name, "labels": { "tier": "prod", "member": name } },
        "spec": {
            "server": apiserver,
            "credentials": { "secretName": name },
            "allowedNamespaces": namespaces,
            "metrics": { "provider": name },
        },
    });
    [provider, cluster]
}
