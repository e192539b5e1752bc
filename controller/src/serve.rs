//! What the hub answers over HTTP: its metrics, and whether it lives and is ready.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::hub::Hub;

struct Shared {
    registry: Registry,
    hub: Arc<Hub>,
}

/// Serves for ever.
pub async fn serve(
    address: SocketAddr,
    registry: Registry,
    hub: Arc<Hub>,
) -> std::io::Result<&'static str> {
    let shared = Arc::new(Shared { registry, hub });
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(shared);
    let listener = TcpListener::bind(address).await?;
    axum::serve(listener, router).await?;
    Ok("HTTP server")
}

async fn metrics(
    State(shared): State<Arc<Shared>>,
) -> Result<([(&'static str, &'static str); 1], String), StatusCode> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &shared.registry)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if shared.hub.ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the hub's API server does not answer, or its objects are being listed\n",
        )
    }
}
