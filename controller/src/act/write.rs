//! Requests that carry out an action. Each is conditional: on the resourceVersion of the object
//! that the decision saw, or on the object's absence (invariant S9).

use http::Method;
use k8s_openapi::serde_json;
use kube::{Resource, ResourceExt};
use lockflight_crds::{Rollout, ServicePort, names};
use lockflight_planner::{Action, Revision, Role};
use serde_json::{Value, json};

use super::manifest::{self, PORTS_ANNOTATION};
use crate::observe::{Captured, our_rules};

/// Kinds that we write in a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` Service.
    Service,
    /// `gateway.networking.k8s.io/v1` HTTPRoute.
    Route,
}

impl Kind {
    fn collection(self, namespace: &str) -> String {
        match self {
            Self::Deployment => format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            Self::Service => format!("/api/v1/namespaces/{namespace}/services"),
            Self::Route => {
                format!("/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes")
            }
        }
    }

    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Service => "Service",
            Self::Route => "HTTPRoute",
        }
    }
}

/// One conditional write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Kind of the object.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// HTTP method.
    pub method: Method,
    /// Media type of the body.
    pub content_type: &'static str,
    /// Body.
    pub body: Value,
    /// May overtake a write under way to the same object: each has its own precondition.
    pub urgent: bool,
}

impl Write {
    /// The path that it goes to, with its query.
    #[must_use]
    pub fn path(&self) -> String {
        let collection = self.kind.collection(&self.namespace);
        let query = format!("fieldManager={}&fieldValidation=Strict", names::MANAGED_BY);
        match self.method {
            Method::POST => format!("{collection}?{query}"),
            Method::DELETE => format!("{collection}/{}", self.name),
            _ => format!("{collection}/{}?{query}", self.name),
        }
    }

    /// The path of the object itself.
    #[must_use]
    pub fn object_path(&self) -> String {
        format!("{}/{}", self.kind.collection(&self.namespace), self.name)
    }
}

/// The writes that carry out an action on the objects that it was decided upon. Nothing where
/// they already say so.
pub fn writes(
    action: &Action,
    rollout: &Rollout,
    captured: &Captured,
    attempt: i64,
) -> Result<Vec<Write>, String> {
    let namespace = rollout.namespace().unwrap_or_default();
    let name = rollout.name_any();
    let write = |kind, object: String, method, content_type, body, urgent| Write {
        kind,
        namespace: namespace.clone(),
        name: object,
        method,
        content_type,
        body,
        urgent,
    };
    match action {
        Action::CreateDeployment { revision, replicas } => Ok(vec![write(
            Kind::Deployment,
            names::deployment(&name, &revision.0),
            Method::POST,
            "application/json",
            manifest::deployment(rollout, revision, *replicas),
            false,
        )]),
        Action::Scale { revision, replicas } => {
            let deployment = known(captured, revision)?;
            let mut body = precondition(deployment.as_ref())?;
            body["spec"] = json!({"replicas": replicas});
            Ok(vec![write(
                Kind::Deployment,
                deployment.name_any(),
                Method::PATCH,
                "application/merge-patch+json",
                body,
                false,
            )])
        }
        Action::DeleteDeployment { revision } => {
            let deployment = known(captured, revision)?;
            let body = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": precondition(deployment.as_ref())?["metadata"],
            });
            Ok(vec![write(
                Kind::Deployment,
                deployment.name_any(),
                Method::DELETE,
                "application/json",
                body,
                false,
            )])
        }
        Action::PointService { role, revision, aborted } => {
            let ports = ports_of(rollout, captured, revision)?;
            let object = manifest::service_name(&name, *role);
            let existing = match role {
                Role::Stable => &captured.stable,
                Role::Canary => &captured.canary,
            };
            let Some(service) = existing else {
                let body = manifest::service(rollout, *role, revision, &ports, attempt);
                return Ok(vec![write(
                    Kind::Service,
                    object,
                    Method::POST,
                    "application/json",
                    body,
                    false,
                )]);
            };
            let mut body = precondition(service.as_ref())?;
            body["metadata"]["annotations"] =
                manifest::service_annotations(attempt, aborted.as_ref());
            body["spec"] = json!({
                "selector": manifest::selector(&name, revision),
                "ports": manifest::service_ports(&ports),
            });
            Ok(vec![write(
                Kind::Service,
                object,
                Method::PATCH,
                "application/merge-patch+json",
                body,
                aborted.is_some(),
            )])
        }
        Action::SetWeight { percent, urgent } => captured
            .routes
            .iter()
            .filter_map(|(_, route)| route.as_deref())
            .filter_map(|route| {
                let patch = weight_patch(route, &name, *percent).transpose()?;
                Some(patch.map(|body| {
                    let object = route.name_any();
                    let media = "application/json-patch+json";
                    write(Kind::Route, object, Method::PATCH, media, body, *urgent)
                }))
            })
            .collect(),
    }
}

fn known(
    captured: &Captured,
    revision: &Revision,
) -> Result<std::sync::Arc<k8s_openapi::api::apps::v1::Deployment>, String> {
    captured
        .deployments
        .get(revision)
        .cloned()
        .ok_or_else(|| format!("the Deployment of revision {revision} was not seen"))
}

/// The start of a merge patch that applies to the version that was seen, and to no other.
fn precondition<K: Resource>(object: &K) -> Result<Value, String> {
    let (Some(version), Some(uid)) = (object.resource_version(), object.uid()) else {
        return Err(format!("{} has no resourceVersion", object.name_any()));
    };
    Ok(json!({"metadata": {"resourceVersion": version, "uid": uid}}))
}

/// The ports that belong to a revision: of the spec if it is the one asked for, else those that
/// its Deployment remembers.
fn ports_of(
    rollout: &Rollout,
    captured: &Captured,
    revision: &Revision,
) -> Result<Vec<ServicePort>, String> {
    if lockflight_crds::revision_of(&rollout.spec) == revision.0 {
        return Ok(rollout.spec.ports.clone());
    }
    let deployment = known(captured, revision)?;
    let text = deployment.annotations().get(PORTS_ANNOTATION).cloned().unwrap_or_default();
    serde_json::from_str(&text).map_err(|_| {
        format!("annotation {PORTS_ANNOTATION} of {} is not usable", deployment.name_any())
    })
}

/// A JSON patch that moves the weights of every rule of ours in one request and touches nothing
/// else; none when they are there already. The tests refuse it on any other version or order.
fn weight_patch(
    route: &crate::fleet::Route,
    rollout: &str,
    percent: u8,
) -> Result<Option<Value>, String> {
    let (stable, canary) = (names::stable_service(rollout), names::canary_service(rollout));
    let rules = our_rules(&route.data, &stable, &canary)?;
    let version = route.resource_version().unwrap_or_default();
    let mut patch =
        vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
    let mut changes = false;
    for rule in rules {
        let targets =
            [(rule.stable, &stable, 100 - percent.min(100)), (rule.canary, &canary, percent)];
        for (backend, service, weight) in targets {
            let at = format!("/spec/rules/{}/backendRefs/{backend}", rule.rule);
            let held = route.data.pointer(&format!("{at}/weight")).and_then(Value::as_u64);
            changes |= held != Some(u64::from(weight));
            patch.push(json!({"op": "test", "path": format!("{at}/name"), "value": service}));
            // "add" replaces a member that exists and creates one that does not.
            patch.push(json!({"op": "add", "path": format!("{at}/weight"), "value": weight}));
        }
    }
    Ok(changes.then_some(Value::Array(patch)))
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
