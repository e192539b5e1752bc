//! The part of an API server that the dashboard calls: reviews, and patches of annotations.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use lockflight::shelf::Key;
use serde_json::{Value, json};

use crate::world::World;

/// A client of a server that exists in this process only.
pub(crate) fn client(world: Arc<World>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let world = Arc::clone(&world);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let (status, answer) = answer(&world, head.method.as_str(), head.uri.path(), &body);
            let answer = Body::from(answer.to_string().into_bytes());
            Ok::<_, tower::BoxError>(Response::builder().status(status).body(answer)?)
        }
    });
    Client::new(service, "default")
}

fn answer(world: &World, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
    let spec = &body["spec"];
    match (method, path.trim_start_matches("/apis/")) {
        ("POST", "authentication.k8s.io/v1/tokenreviews") => {
            let token = spec["token"].as_str().unwrap_or_default();
            let known = matches!(token, "operator" | "viewer");
            // Two tokens that move the world and not a user: the API server goes and comes.
            match token {
                "silence" => world.set_answers(false),
                "speak" => world.set_answers(true),
                _ => {}
            }
            let status = if known {
                json!({"authenticated": true, "user": {"username": token}})
            } else {
                json!({"authenticated": false})
            };
            (
                StatusCode::CREATED,
                json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": spec, "status": status}),
            )
        }
        ("POST", "authorization.k8s.io/v1/subjectaccessreviews") => {
            let verb = spec["resourceAttributes"]["verb"].as_str().unwrap_or_default();
            let allowed = spec["user"] == "operator" || verb == "list";
            (
                StatusCode::CREATED,
                json!({"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": spec, "status": {"allowed": allowed}}),
            )
        }
        ("POST", "authorization.k8s.io/v1/selfsubjectaccessreviews") => (
            StatusCode::CREATED,
            json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": spec, "status": {"allowed": true}}),
        ),
        ("PATCH", path) => patch(world, path, body),
        _ => (StatusCode::NOT_FOUND, status(404, "NotFound", "there is no such path")),
    }
}

fn patch(world: &World, path: &str, body: &Value) -> (StatusCode, Value) {
    let parts: Vec<&str> = path.split('/').collect();
    let &["lockflight.dev", "v1alpha1", "namespaces", namespace, "rollouts", name] =
        parts.as_slice()
    else {
        return (StatusCode::NOT_FOUND, status(404, "NotFound", "there is no such path"));
    };
    let changed = world.change(&Key::new(namespace, name), |rollout| {
        let annotations = rollout.metadata.annotations.get_or_insert_default();
        for (name, value) in body["metadata"]["annotations"].as_object().into_iter().flatten() {
            match value.as_str() {
                Some(value) => annotations.insert(name.clone(), value.to_owned()),
                None => annotations.remove(name),
            };
        }
    });
    match changed.and_then(|rollout| serde_json::to_value(rollout).ok()) {
        Some(rollout) => (StatusCode::OK, rollout),
        None => (StatusCode::NOT_FOUND, status(404, "NotFound", "there is no such rollout")),
    }
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
           "reason": reason, "message": message})
}
