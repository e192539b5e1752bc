//! Writes on the Rollout itself, beside its status.

use std::sync::Arc;

use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use lockflight_crds::{
    Rollout,
    names::{ABORT_ANNOTATION, FINALIZER, MANAGED_BY},
};
use lockflight_planner::HubAction;
use serde_json::{Value, json};

use crate::{fleet::client::CALL_TIMEOUT, shelf::Shelf};

/// One write at a time on one Rollout.
pub struct HubLane {
    client: Client,
    shelf: Arc<Shelf<Rollout>>,
}

impl HubLane {
    /// A lane whose answers go to `shelf`.
    #[must_use]
    pub fn new(client: Client, shelf: Arc<Shelf<Rollout>>) -> Self {
        Self { client, shelf }
    }

    /// Carries an action out on the version that was seen; whether it was accepted.
    pub async fn perform(&self, rollout: &Rollout, action: &HubAction) -> bool {
        let Some(operations) = operations(rollout, action) else { return true };
        let version = rollout.resource_version().unwrap_or_default();
        let mut patch =
            vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
        patch.extend(operations);
        let patch: Patch<()> = match serde_json::from_value(Value::Array(patch)) {
            Ok(patch) => Patch::Json(patch),
            Err(_) => return false,
        };
        let api: Api<Rollout> =
            Api::namespaced(self.client.clone(), &rollout.namespace().unwrap_or_default());
        let params =
            PatchParams { field_manager: Some(MANAGED_BY.to_owned()), ..PatchParams::default() };
        let name = rollout.name_any();
        match tokio::time::timeout(CALL_TIMEOUT, api.patch(&name, &params, &patch)).await {
            Ok(Ok(written)) => {
                self.shelf.put(written);
                true
            }
            Ok(Err(error)) => {
                tracing::debug!(rollout = name, %error, ?action, "not written");
                false
            }
            Err(_) => false,
        }
    }
}

fn operations(rollout: &Rollout, action: &HubAction) -> Option<Vec<Value>> {
    let finalizers = rollout.finalizers();
    match action {
        HubAction::AddFinalizer => {
            let mut next = finalizers.to_vec();
            next.push(FINALIZER.to_owned());
            Some(vec![json!({"op": "add", "path": "/metadata/finalizers", "value": next})])
        }
        HubAction::RemoveFinalizer => {
            let next: Vec<&String> = finalizers.iter().filter(|name| *name != FINALIZER).collect();
            Some(vec![json!({"op": "replace", "path": "/metadata/finalizers", "value": next})])
        }
        HubAction::RemoveAbortAnnotation(value) => {
            let path = format!("/metadata/annotations/{}", ABORT_ANNOTATION.replace('/', "~1"));
            rollout.annotations().contains_key(ABORT_ANNOTATION).then(|| {
                vec![
                    json!({"op": "test", "path": path, "value": value}),
                    json!({"op": "remove", "path": path}),
                ]
            })
        }
    }
}
