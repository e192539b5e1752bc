//! The objects that we own in a member.

use std::collections::BTreeMap;

use kube::ResourceExt;
use lockflight_crds::{
    Rollout, ServicePort,
    names::{
        self, ABORTED_ANNOTATION, ATTEMPT_ANNOTATION, MANAGED_BY, MANAGED_BY_LABEL, REVISION_LABEL,
        ROLLOUT_LABEL,
    },
};
use lockflight_planner::{Revision, Role};
use serde_json::{Value, json};

/// Annotation on a Deployment: the ports of its revision, as JSON, for the Services that select
/// it again in a rollback.
pub(super) const PORTS_ANNOTATION: &str = "lockflight.dev/ports";

fn labels(rollout: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (ROLLOUT_LABEL, rollout.to_owned()),
        (MANAGED_BY_LABEL, MANAGED_BY.to_owned()),
        ("app.kubernetes.io/part-of", rollout.to_owned()),
    ])
}

/// What selects the pods of a revision.
pub(super) fn selector(rollout: &str, revision: &Revision) -> Value {
    json!({ROLLOUT_LABEL: rollout, REVISION_LABEL: revision.0})
}

/// The Deployment of the revision that the spec asks for: the user's template with our two
/// labels.
pub(super) fn deployment(rollout: &Rollout, revision: &Revision, replicas: u32) -> Value {
    let name = rollout.name_any();
    let mut labels = labels(&name);
    labels.insert(REVISION_LABEL, revision.0.clone());
    let mut template = rollout.spec.template.clone();
    if let Some(template) = template.as_object_mut() {
        let metadata = template.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            let pod_labels = metadata.entry("labels").or_insert_with(|| json!({}));
            if let Some(pod_labels) = pod_labels.as_object_mut() {
                pod_labels.insert(ROLLOUT_LABEL.to_owned(), json!(name));
                pod_labels.insert(REVISION_LABEL.to_owned(), json!(revision.0));
            }
        }
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": names::deployment(&name, &revision.0),
            "namespace": rollout.namespace().unwrap_or_default(),
            "labels": labels,
            "annotations": {PORTS_ANNOTATION: json!(rollout.spec.ports).to_string()},
        },
        "spec": {
            "replicas": replicas,
            // The template of a revision never changes, so there is one ReplicaSet only.
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector(&name, revision)},
            "template": template,
        },
    })
}

/// The ports of a Service, in Kubernetes' form.
pub(super) fn service_ports(ports: &[ServicePort]) -> Value {
    ports
        .iter()
        .map(|port| {
            let mut value = json!({"name": port.name, "port": port.port, "protocol": "TCP"});
            value["targetPort"] =
                port.target_port.as_ref().map_or_else(|| json!(port.port), |target| json!(target));
            value
        })
        .collect()
}

/// Name of the Service of that role.
pub(super) fn service_name(rollout: &str, role: Role) -> String {
    match role {
        Role::Stable => names::stable_service(rollout),
        Role::Canary => names::canary_service(rollout),
    }
}

/// Annotations of a Service: under which attempt it was written, and the tombstone of a revision
/// that was taken back.
pub(super) fn service_annotations(attempt: i64, aborted: Option<&Revision>) -> Value {
    // A null removes an old tombstone in a merge patch.
    json!({ATTEMPT_ANNOTATION: attempt.to_string(), ABORTED_ANNOTATION: aborted.map(|r| &r.0)})
}

/// A Service that does not exist yet.
pub(super) fn service(
    rollout: &Rollout,
    role: Role,
    revision: &Revision,
    ports: &[ServicePort],
    attempt: i64,
) -> Value {
    let name = rollout.name_any();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(&name, role),
            "namespace": rollout.namespace().unwrap_or_default(),
            "labels": labels(&name),
            "annotations": {ATTEMPT_ANNOTATION: attempt.to_string()},
        },
        "spec": {"selector": selector(&name, revision), "ports": service_ports(ports)},
    })
}
