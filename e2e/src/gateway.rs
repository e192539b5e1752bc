//! A member's gateway: Contour steers Envoy by the Gateway API.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::components::Components;
use crate::process::{self, Process, Spec};
use crate::{addresses, apply, http, wait};

/// Namespace of the Gateway.
pub const NAMESPACE: &str = "gateway-system";
/// Name of the Gateway that routes attach to.
pub const GATEWAY: &str = "edge";
const CLASS: &str = "contour";
const XDS_PORT: u16 = 8001;
const READY_DEADLINE: Duration = Duration::from_mins(1);

/// Contour and Envoy of one member.
pub struct Gateway {
    contour: Process,
    envoy: Process,
}

impl Gateway {
    /// Starts the gateway of `cluster` and returns when it is programmed. Envoy serves the
    /// Gateway's port 80 on [`addresses::GATEWAY_PORT`].
    pub async fn start(cluster: &Cluster, components: &Components) -> anyhow::Result<Self> {
        let client = cluster.client();
        apply::apply_crds(&client, &components.gateway_crds()?).await?;
        apply::apply_all(&client, &[namespace(), gateway_class()]).await?;
        apply::apply(&client, &gateway()).await?;

        let contour = start_contour(cluster, &components.contour)?;
        contour.wait_ready(READY_DEADLINE, async || contour_accepts(cluster).await).await?;
        let envoy = start_envoy(cluster, components).await?;
        let stats = (addresses::envoy(cluster.index()), addresses::ENVOY_STATS_PORT);
        envoy.wait_ready(READY_DEADLINE, async || http::expect_ok(stats, "/ready").await).await?;

        let gateways = apply::api_for(&client, &gateway())?;
        wait::until("the Gateway to be programmed", READY_DEADLINE, async || {
            let found = gateways.get(GATEWAY).await?.data;
            apply::condition(&found, "Accepted")?;
            apply::condition(&found, "Programmed")
        })
        .await?;
        Ok(Self { contour, envoy })
    }

    /// Contour: while it is stopped nothing acknowledges routes, and Envoy serves on as it was.
    #[must_use]
    pub fn contour(&self) -> &Process {
        &self.contour
    }

    /// Envoy: while it is stopped no request is served.
    #[must_use]
    pub fn envoy(&self) -> &Process {
        &self.envoy
    }

    /// Ends both at once.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.envoy.kill9().await?;
        self.contour.kill9().await
    }
}

fn namespace() -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } })
}

fn gateway_class() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": { "name": CLASS },
        "spec": { "controllerName": "projectcontour.io/gateway-controller" },
    })
}

fn gateway() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": { "name": GATEWAY, "namespace": NAMESPACE },
        "spec": {
            "gatewayClassName": CLASS,
            "listeners": [{
                "name": "http",
                "port": 80,
                "protocol": "HTTP",
                "allowedRoutes": { "namespaces": { "from": "All" } },
            }],
        },
    })
}

fn start_contour(cluster: &Cluster, program: &Path) -> anyhow::Result<Process> {
    let (contour, envoy) = (addresses::contour(cluster.index()), addresses::envoy(cluster.index()));
    let config = cluster.dir().join("contour.json");
    let settings = json!({
        "gateway": { "gatewayRef": { "name": GATEWAY, "namespace": NAMESPACE } },
        // Its admin page is on 127.0.0.1 whatever is said, so that each member needs a port.
        "network": { "admin-port": 9001 + u16::from(cluster.index()) },
    });
    std::fs::write(&config, settings.to_string())?;
    Process::spawn(Spec {
        name: format!("contour of {}", cluster.name()),
        program: program.to_owned(),
        args: vec![
            "serve".to_owned(),
            "--insecure".to_owned(),
            "--disable-leader-election".to_owned(),
            format!("--kubeconfig={}", cluster.kubeconfig().display()),
            format!("--config-path={}", config.display()),
            format!("--xds-address={contour}"),
            format!("--xds-port={XDS_PORT}"),
            format!("--http-address={contour}"),
            format!("--health-address={contour}"),
            format!("--debug-http-address={contour}"),
            format!("--stats-address={envoy}"),
            format!("--envoy-service-http-address={envoy}"),
        ],
        env: Vec::new(),
        log: process::create_log(cluster.dir().join("contour.log"))?,
    })
}

async fn contour_accepts(cluster: &Cluster) -> anyhow::Result<()> {
    tokio::net::TcpStream::connect((addresses::contour(cluster.index()), XDS_PORT)).await?;
    Ok(())
}

async fn start_envoy(cluster: &Cluster, components: &Components) -> anyhow::Result<Process> {
    let dir = cluster.dir();
    let bootstrap = dir.join("envoy.json");
    let path = bootstrap.to_str().context("a folder that is not UTF-8")?;
    process::output(
        &components.contour,
        &[
            "bootstrap",
            path,
            &format!("--xds-address={}", addresses::contour(cluster.index())),
            &format!("--xds-port={XDS_PORT}"),
            "--xds-resource-version=v3",
            &format!("--admin-address={}", dir.join("envoy.sock").display()),
        ],
    )
    .await?;
    Process::spawn(Spec {
        name: format!("envoy of {}", cluster.name()),
        program: components.envoy.clone(),
        args: vec![
            "--config-path".to_owned(),
            path.to_owned(),
            "--service-cluster".to_owned(),
            cluster.name().to_owned(),
            "--service-node".to_owned(),
            format!("envoy-{}", cluster.name()),
            "--concurrency".to_owned(),
            "1".to_owned(),
            // Shared memory is named by it: two Envoys must not have the same.
            "--base-id".to_owned(),
            cluster.index().to_string(),
        ],
        env: Vec::new(),
        log: process::create_log(dir.join("envoy.log"))?,
    })
}
