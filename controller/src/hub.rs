//! What stands on the hub: the users' objects, watched.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt, runtime::watcher};
use lockflight_crds::{AnalysisTemplate, Cluster, MetricProvider, Rollout};
use tokio::{sync::Notify, task::JoinSet};

use crate::{follow::follow, shelf::Shelf, wakes::Wakes};

/// Caches of the hub's objects.
#[derive(Debug, Default)]
pub struct Hub {
    /// Rollouts of all namespaces.
    pub rollouts: Arc<Shelf<Rollout>>,
    /// Members.
    pub clusters: Arc<Shelf<Cluster>>,
    /// Templates of all namespaces.
    pub templates: Arc<Shelf<AnalysisTemplate>>,
    /// Sources of measurements.
    pub providers: Arc<Shelf<MetricProvider>>,
    /// Secrets of the hub's own namespace.
    pub secrets: Arc<Shelf<Secret>>,
    /// Whether its API server answers: without it no journal is written, so nothing is sent.
    pub answers: AtomicBool,
    /// Rung when the set of Rollouts may have changed.
    pub rollouts_changed: Notify,
    /// Rung when a Cluster or a Secret has changed.
    pub clusters_changed: Notify,
}

impl Hub {
    /// Whether the hub can do its work.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.synced() && self.answers.load(Ordering::Relaxed)
    }

    /// Whether everything has been listed once.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.rollouts.synced()
            && self.clusters.synced()
            && self.templates.synced()
            && self.providers.synced()
            && self.secrets.synced()
    }
}

/// How often the hub's own API server is asked whether it is there, and how long it may take.
const HEARTBEAT: Duration = Duration::from_secs(5);

async fn heartbeat(hub: Arc<Hub>, client: Client) -> &'static str {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let asked = tokio::time::timeout(HEARTBEAT, client.apiserver_version()).await;
        let answers = matches!(asked, Ok(Ok(_)));
        if hub.answers.swap(answers, Ordering::Relaxed) && !answers {
            tracing::error!(
                "the hub's API server does not answer: nothing is decided or written until it does"
            );
        }
    }
}

/// Starts the hub's watches.
pub fn watch(
    hub: &Arc<Hub>,
    client: &Client,
    namespace: &str,
    wakes: &Arc<Wakes>,
    tasks: &mut JoinSet<&'static str>,
) {
    let config = watcher::Config::default;
    tasks.spawn(heartbeat(Arc::clone(hub), client.clone()));
    {
        let (hub, wakes, api) = (Arc::clone(hub), Arc::clone(wakes), Api::all(client.clone()));
        tasks.spawn(async move {
            let changed = |rollout: &Rollout| {
                hub.rollouts_changed.notify_one();
                wakes.wake(&rollout.namespace().unwrap_or_default(), &rollout.name_any());
            };
            follow(api, config(), Arc::clone(&hub.rollouts), changed).await;
            "watch of Rollouts"
        });
    }
    {
        let (hub, wakes, api) = (Arc::clone(hub), Arc::clone(wakes), Api::all(client.clone()));
        tasks.spawn(async move {
            let changed = |_: &Cluster| {
                hub.clusters_changed.notify_one();
                wakes.wake_all();
            };
            follow(api, config(), Arc::clone(&hub.clusters), changed).await;
            "watch of Clusters"
        });
    }
    {
        let (hub, wakes, api) = (Arc::clone(hub), Arc::clone(wakes), Api::all(client.clone()));
        tasks.spawn(async move {
            let changed = |template: &AnalysisTemplate| {
                wakes.wake_namespace(&template.namespace().unwrap_or_default());
            };
            follow(api, config(), Arc::clone(&hub.templates), changed).await;
            "watch of AnalysisTemplates"
        });
    }
    {
        let (hub, wakes, api) = (Arc::clone(hub), Arc::clone(wakes), Api::all(client.clone()));
        tasks.spawn(async move {
            let changed = |_: &MetricProvider| wakes.wake_all();
            follow(api, config(), Arc::clone(&hub.providers), changed).await;
            "watch of MetricProviders"
        });
    }
    {
        let (hub, api) = (Arc::clone(hub), Api::namespaced(client.clone(), namespace));
        tasks.spawn(async move {
            let changed = |_: &Secret| hub.clusters_changed.notify_one();
            follow(api, config(), Arc::clone(&hub.secrets), changed).await;
            "watch of Secrets"
        });
    }
}
