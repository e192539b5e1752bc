//! A dashboard with two Rollouts, and an API server that knows a few tokens.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response, StatusCode},
};
use chrono::Utc;
use http_body_util::BodyExt as _;
use kube::Client;
use lockflight_crds::{AnalysisTemplate, Cluster, Rollout};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    dashboard::{
        Access, Dashboard, EvidenceFeed, Source,
        view::testing::{awaiting_approval, progressing},
    },
    shelf::Shelf,
};

pub(super) struct Bed {
    pub(super) dashboard: Dashboard,
    pub(super) rollouts: Arc<Shelf<Rollout>>,
    pub(super) evidence: Arc<EvidenceFeed>,
    pub(super) live: Arc<AtomicBool>,
    /// Patches that reached the API server.
    pub(super) patches: Arc<Mutex<Vec<(String, Value)>>>,
    next_peer: AtomicU8,
}

/// Rollouts shop/checkout (moves) and bank/ledger (awaits approval), one Cluster.
pub(super) fn bed(access: impl FnOnce(Client) -> Access) -> Bed {
    let rollouts: Arc<Shelf<Rollout>> = Arc::default();
    let mut ledger = awaiting_approval();
    ledger.metadata.namespace = Some("bank".to_owned());
    ledger.metadata.name = Some("ledger".to_owned());
    rollouts.replace(vec![progressing(), ledger]);
    let clusters: Arc<Shelf<Cluster>> = Arc::default();
    let cluster = json!({
        "apiVersion": "lockflight.dev/v1alpha1", "kind": "Cluster",
        "metadata": {"name": "eu-west-1", "resourceVersion": "1"},
        "spec": {"server": "https://10.0.0.1:6443", "credentials": {"secretName": "eu"}},
    });
    clusters.replace(vec![serde_json::from_value(cluster).unwrap()]);
    // One template of the namespace, which no rollout names yet.
    let templates: Arc<Shelf<AnalysisTemplate>> = Arc::default();
    let template = include_str!("../../../../docs/examples/analysis-template.yaml");
    templates.replace(vec![serde_saphyr::from_str(template).unwrap()]);
    let (live, evidence) = (Arc::new(AtomicBool::new(true)), Arc::new(EvidenceFeed::default()));
    let patches = Arc::<Mutex<Vec<(String, Value)>>>::default();
    let is_live = Arc::clone(&live);
    let source = Source {
        rollouts: Arc::clone(&rollouts),
        clusters,
        templates,
        providers: Arc::default(),
        events: Arc::default(),
        evidence: Arc::clone(&evidence),
        live: Arc::new(move || is_live.load(Ordering::Relaxed)),
        hub: "test".to_owned(),
    };
    let client = client(Arc::clone(&rollouts), Arc::clone(&patches));
    let dashboard = Dashboard::new(source, access(client));
    dashboard.shared().board.refresh(Utc::now());
    Bed { dashboard, rollouts, evidence, live, patches, next_peer: AtomicU8::new(1) }
}

impl Bed {
    pub(super) fn router(&self) -> Router {
        self.dashboard.router()
    }

    /// Looks at the caches, as the dashboard does twice a second.
    pub(super) fn refresh(&self) {
        self.dashboard.shared().board.refresh(Utc::now());
    }

    /// Sends a request from an address of its own, so that limits on one address do not mix.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let peer = Ipv4Addr::new(10, 0, 0, self.next_peer.fetch_add(1, Ordering::Relaxed));
        self.send_from(IpAddr::V4(peer), method, path, headers, body).await
    }

    pub(super) async fn send_from(
        &self,
        peer: IpAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost:9090");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 40_000)));
        self.router().oneshot(request).await.unwrap()
    }

    pub(super) async fn status(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> StatusCode {
        self.send(method, path, headers, body).await.status()
    }
}

pub(super) async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) async fn value(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// What the dashboard of a bed reads, for another dashboard.
impl Bed {
    pub(super) fn source(&self) -> Source {
        self.dashboard.shared().board.source.clone()
    }

    pub(super) fn client(&self) -> Client {
        self.dashboard.shared().access.client().clone()
    }
}

/// An API server that knows tokens: `operator` may do all, `viewer` may list, `shopper` may list
/// in namespace shop, `promoter` may list and holds the verb promote, `editor` has what the chart
/// gives to those who may edit.
fn client(rollouts: Arc<Shelf<Rollout>>, patches: Arc<Mutex<Vec<(String, Value)>>>) -> Client {
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (rollouts, patches) = (Arc::clone(&rollouts), Arc::clone(&patches));
        async move {
            let (head, body) = request.into_parts();
            let bytes = body.collect().await?.to_bytes();
            let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let path = head.uri.path().to_owned();
            let (code, answer) = if head.method == "PATCH" {
                let uri = head.uri.to_string();
                patches.lock().unwrap().push((uri, body));
                (200, serde_json::to_value(rollouts.select(|_| true)[0].as_ref()).unwrap())
            } else {
                review(&path, &body["spec"])
            };
            let body = kube::client::Body::from(answer.to_string().into_bytes());
            let answer = http::Response::builder().status(code).body(body)?;
            Ok::<_, tower::BoxError>(answer)
        }
    });
    Client::new(service, "default")
}

fn review(path: &str, spec: &Value) -> (u16, Value) {
    let status = if path.ends_with("tokenreviews") {
        let token = spec["token"].as_str().unwrap_or_default();
        match token {
            "operator" | "viewer" | "shopper" | "promoter" | "editor" => {
                json!({"authenticated": true, "user": {"username": token, "uid": "7"}})
            }
            // Accepted by its issuer, and it names nobody.
            "empty-claims" => json!({"authenticated": true, "user": {}}),
            "other-audience" => json!({"authenticated": false, "error": "invalid audience"}),
            "reviewer-is-down" => return (500, failure()),
            _ => json!({"authenticated": false}),
        }
    } else {
        let asked = &spec["resourceAttributes"];
        let (verb, namespace) = (asked["verb"].as_str(), asked["namespace"].as_str());
        let allowed = match spec["user"].as_str() {
            Some("viewer") => verb == Some("list"),
            Some("shopper") => verb == Some("list") && namespace == Some("shop"),
            Some("promoter") => matches!(verb, Some("list" | "promote")),
            Some("editor") => {
                matches!(verb, Some("list" | "update" | "patch" | "abort" | "pause" | "retry"))
            }
            // No user: a review of the client's own rights.
            Some("operator") | None => true,
            Some(_) => false,
        };
        json!({"allowed": allowed})
    };
    (201, json!({"metadata": {}, "spec": spec, "status": status}))
}

fn failure() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500,
           "reason": "InternalError", "message": "no"})
}
