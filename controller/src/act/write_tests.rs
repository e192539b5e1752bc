use std::sync::Arc;

use super::*;
use crate::{fleet::NamespaceView, wakes::Wakes};

fn rollout() -> Rollout {
    let spec = serde_json::from_value(json!({
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "app"}]}},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        "traffic": {"gatewayAPI": {"routes": [{"name": "r"}]}},
    }))
    .unwrap();
    let mut rollout = Rollout::new("shop", spec);
    rollout.metadata.namespace = Some("n".to_owned());
    rollout
}

fn object<K: serde::de::DeserializeOwned>(value: Value) -> Arc<K> {
    Arc::new(serde_json::from_value(value).unwrap())
}

/// What one look saw: both Services on v1, whose Deployment listens on port 9000.
fn captured() -> Captured {
    let unused = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::empty()))
    });
    let client = kube::Client::new(unused, "n");
    let service = |name: &str| {
        object(json!({
            "metadata": {"name": name, "resourceVersion": "7", "uid": "u"},
            "spec": {"selector": {"lockflight.dev/revision": "v1"}},
        }))
    };
    Captured {
        member: crate::fleet::Member::engage("m", client, Arc::new(Wakes::default())),
        view: Arc::new(NamespaceView::default()),
        stable: Some(service("shop-stable")),
        canary: Some(service("shop-canary")),
        deployments: [(
            Revision("v1".to_owned()),
            object(json!({
                "metadata": {"name": "shop-v1", "resourceVersion": "5", "uid": "d", "annotations": {
                    "lockflight.dev/ports": r#"[{"name":"http","port":80,"targetPort":9000}]"#,
                }},
                "spec": {"selector": {}, "template": {}},
            })),
        )]
        .into(),
        pods: std::collections::BTreeMap::default(),
        slices: Vec::new(),
        routes: vec![(
            "r".to_owned(),
            Some(object(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                "metadata": {"name": "r", "resourceVersion": "9"},
                "spec": {"rules": [
                    {"backendRefs": [{"name": "other", "weight": 3}]},
                    {"backendRefs": [{"name": "shop-canary", "weight": 0}, {"name": "shop-stable"}]},
                ]},
            }))),
        )],
    }
}

fn only(action: &Action) -> Write {
    let mut writes = writes(action, &rollout(), &captured(), 4).unwrap();
    assert_eq!(writes.len(), 1, "{action:?}");
    writes.remove(0)
}

#[tokio::test]
async fn weights_move_in_our_rule_only_and_on_the_version_that_was_seen() {
    let write = only(&Action::SetWeight { percent: 10, urgent: false });
    assert_eq!(
        write.body,
        json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "9"},
            {"op": "test", "path": "/spec/rules/1/backendRefs/1/name", "value": "shop-stable"},
            {"op": "add", "path": "/spec/rules/1/backendRefs/1/weight", "value": 90},
            {"op": "test", "path": "/spec/rules/1/backendRefs/0/name", "value": "shop-canary"},
            {"op": "add", "path": "/spec/rules/1/backendRefs/0/weight", "value": 10},
        ])
    );
    assert!(
        write.path().starts_with("/apis/gateway.networking.k8s.io/v1/namespaces/n/httproutes/r?")
    );
}

#[tokio::test]
async fn a_rollback_restores_the_ports_of_its_revision_and_leaves_a_tombstone() {
    let write = only(&Action::PointService {
        role: Role::Stable,
        revision: Revision("v1".to_owned()),
        aborted: Some(Revision("v2".to_owned())),
    });
    assert_eq!(write.body["spec"]["ports"][0]["targetPort"], json!(9000));
    assert_eq!(write.body["metadata"]["resourceVersion"], json!("7"));
    assert_eq!(
        write.body["metadata"]["annotations"]["lockflight.dev/aborted-revision"],
        json!("v2")
    );
    assert!(write.urgent);
}

#[tokio::test]
async fn every_change_carries_its_precondition() {
    let v1 = Revision("v1".to_owned());
    let scale = only(&Action::Scale { revision: v1.clone(), replicas: 3 });
    assert_eq!(scale.body["metadata"], json!({"resourceVersion": "5", "uid": "d"}));
    let delete = only(&Action::DeleteDeployment { revision: v1 });
    assert_eq!(delete.body["preconditions"], json!({"resourceVersion": "5", "uid": "d"}));
    let unseen = Action::Scale { revision: Revision("v9".to_owned()), replicas: 1 };
    assert!(writes(&unseen, &rollout(), &captured(), 4).is_err());
}

#[tokio::test]
async fn a_deployment_has_the_users_template_and_our_labels() {
    let write =
        only(&Action::CreateDeployment { revision: Revision("v2".to_owned()), replicas: 2 });
    let labels = &write.body["spec"]["template"]["metadata"]["labels"];
    assert_eq!(
        *labels,
        json!({"app": "x", "lockflight.dev/rollout": "shop", "lockflight.dev/revision": "v2"})
    );
    assert_eq!(
        write.body["spec"]["selector"]["matchLabels"]["lockflight.dev/revision"],
        json!("v2")
    );
}
