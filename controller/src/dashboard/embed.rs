//! The dashboard inside the hub.

use std::sync::{Arc, atomic::Ordering};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Event;
use kube::{Api, Client, runtime::watcher};
use tokio::{net::TcpListener, task::JoinSet};

use super::{DashboardArguments, EvidenceFeed, Source};
use crate::{follow::follow, hub::Hub, shelf::Shelf};

/// Starts the dashboard if the arguments ask for one.
pub async fn start(
    arguments: DashboardArguments,
    client: &Client,
    hub: &Arc<Hub>,
    evidence: Arc<EvidenceFeed>,
    tasks: &mut JoinSet<&'static str>,
) -> anyhow::Result<()> {
    let events: Arc<Shelf<Event>> = Arc::default();
    let answering = Arc::clone(hub);
    let source = Source {
        rollouts: Arc::clone(&hub.rollouts),
        clusters: Arc::clone(&hub.clusters),
        templates: Arc::clone(&hub.templates),
        providers: Arc::clone(&hub.providers),
        events: Arc::clone(&events),
        evidence,
        live: Arc::new(move || answering.synced() && answering.answers.load(Ordering::Relaxed)),
        hub: "hub".to_owned(),
    };
    let Some((address, dashboard)) = arguments.open(client.clone(), source)? else {
        return Ok(());
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("--dashboard-listen {address}: choose another address"))?;
    tracing::info!(%address, "dashboard");
    tasks.spawn(watch_events(Api::all(client.clone()), events));
    tasks.spawn(async move {
        match dashboard.serve(listener).await {
            Ok(name) => name,
            Err(error) => {
                tracing::error!(%error, "the dashboard cannot be served");
                "dashboard"
            }
        }
    });
    Ok(())
}

/// Keeps the Events about Rollouts, for ever. Where they may not be read the shelf stays
/// unsynced, and the page says so.
pub async fn watch_events(api: Api<Event>, events: Arc<Shelf<Event>>) -> &'static str {
    let config = watcher::Config::default().fields("involvedObject.kind=Rollout");
    follow(api, config, events, |_| {}).await;
    "watch of Events"
}
