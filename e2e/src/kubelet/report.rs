//! Telling the API about a pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Client, Error};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::manifest::Manifest;

const REQUEST: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(200);
/// A conflict is either another pod of the same name (for ever) or a lost race (soon over).
const CONFLICTS: u32 = 5;

/// The pod as the API knows it.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    pods: Api<Pod>,
    name: String,
    uid: String,
}

/// What became of one request.
enum Answer {
    /// Done, or no longer to be done.
    Settled,
    Conflict,
    /// The API server is down, overloaded or slow.
    Unavailable,
}

impl Reporter {
    pub(super) fn new(client: Client, pod: &Manifest) -> Self {
        let pods = Api::namespaced(client, &pod.namespace);
        Self { pods, name: pod.name.clone(), uid: pod.uid.clone() }
    }

    /// Reports each status, skipping those that are already outdated, until there are no more.
    pub(super) async fn report(&self, mut statuses: watch::Receiver<PodStatus>) {
        while statuses.changed().await.is_ok() {
            let mut conflicts = 0;
            // Ends when the report arrived or its pod is gone. A report that was given up would
            // leave a wrong status for ever, so an outage is waited for, as a kubelet does.
            loop {
                let status = statuses.borrow_and_update().clone();
                match self.patch(&status).await {
                    Answer::Settled => break,
                    Answer::Conflict if conflicts == CONFLICTS => break,
                    Answer::Conflict => conflicts += 1,
                    Answer::Unavailable => {}
                }
                sleep(RETRY).await;
            }
        }
    }

    /// Removes the pod, whose process has ended, from the API.
    pub(super) async fn delete(&self) {
        let parameters = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(self.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        // Ends when the pod is gone; an outage is waited for.
        loop {
            let request = self.pods.delete(&self.name, &parameters);
            match timeout(REQUEST, request).await {
                Ok(Ok(_)) => return,
                Ok(Err(Error::Api(status))) if matches!(status.code, 404 | 409) => return,
                _ => sleep(RETRY).await,
            }
        }
    }

    async fn patch(&self, status: &PodStatus) -> Answer {
        let patch = match patch_body(&self.uid, status) {
            Ok(patch) => Patch::Strategic(patch),
            Err(error) => return self.refused(&error.to_string()),
        };
        let parameters = PatchParams::default();
        let request = self.pods.patch_status(&self.name, &parameters, &patch);
        match timeout(REQUEST, request).await {
            Ok(Ok(_)) => Answer::Settled,
            Ok(Err(Error::Api(status))) => match status.code {
                404 => Answer::Settled,
                409 => Answer::Conflict,
                400 | 422 => self.refused(&status.message),
                _ => Answer::Unavailable,
            },
            _ => Answer::Unavailable,
        }
    }

    /// A status that the API server refuses is a defect of this kubelet: trying again would not
    /// help, and hiding it would cost somebody a day.
    fn refused(&self, reason: &str) -> Answer {
        eprintln!("kubelet: the status of pod {} was refused: {reason}", self.name);
        Answer::Settled
    }
}

/// The patch that makes the API's status be `status`, apart from conditions that others own. The
/// UID makes it fail for another pod of the same name.
fn patch_body(uid: &str, status: &PodStatus) -> serde_json::Result<Value> {
    let mut status = serde_json::to_value(status)?;
    // Lists of addresses are merged by address; without this, a pod that starts again with
    // another address would have two.
    for list in ["podIPs", "hostIPs"] {
        if let Some(Value::Array(entries)) = status.get_mut(list) {
            entries.push(json!({"$patch": "replace"}));
        }
    }
    // Conditions are merged by type; what one no longer has must be taken away by name.
    if let Some(Value::Array(conditions)) = status.get_mut("conditions") {
        for condition in conditions.iter_mut().filter_map(Value::as_object_mut) {
            for optional in ["reason", "message"] {
                condition.entry(optional).or_insert(Value::Null);
            }
        }
    }
    Ok(json!({"metadata": {"uid": uid}, "status": status}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_takes_away_what_a_status_no_longer_has() {
        let status = json!({
            "conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "Other", "status": "False", "reason": "Because"},
            ],
            "podIPs": [{"ip": "10.200.1.10"}],
        });
        let patch = patch_body("u", &serde_json::from_value(status).unwrap()).unwrap();
        let expected = json!({
            "metadata": {"uid": "u"},
            "status": {
                "conditions": [
                    {"type": "Ready", "status": "True", "reason": null, "message": null},
                    {"type": "Other", "status": "False", "reason": "Because", "message": null},
                ],
                "podIPs": [{"ip": "10.200.1.10"}, {"$patch": "replace"}],
            },
        });
        assert_eq!(patch, expected);
    }
}
