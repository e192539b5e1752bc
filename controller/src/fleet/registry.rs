//! Which members are engaged, and under which credential.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use k8s_openapi::api::core::v1::Secret;
use kube::{Client, ResourceExt};
use lockflight_crds::Cluster;

use super::{Member, client, credentials, report};
use crate::{hub::Hub, shelf::Key, wakes::Wakes};

/// All members that the hub knows of.
pub struct Registry {
    hub_client: Client,
    namespace: String,
    hub: Arc<Hub>,
    wakes: Arc<Wakes>,
    entries: RwLock<BTreeMap<String, Entry>>,
    /// Every Cluster has been looked at once: from then on a name without an entry is unknown.
    ready: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    /// What the engagement was built from; a change of it builds another.
    source: Source,
    state: Result<Arc<Member>, String>,
}

#[derive(Debug, PartialEq, Eq, Clone)]
struct Source {
    server: String,
    secret: String,
    secret_version: Option<String>,
}

impl Registry {
    /// An empty registry; the hub's own namespace holds the credentials.
    #[must_use]
    pub fn new(hub_client: Client, namespace: &str, hub: Arc<Hub>, wakes: Arc<Wakes>) -> Self {
        Self {
            hub_client,
            namespace: namespace.to_owned(),
            hub,
            wakes,
            entries: RwLock::default(),
            ready: AtomicBool::new(false),
        }
    }

    /// Whether every Cluster has been looked at once.
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// The engaged member of that name, or why there is none.
    pub fn member(&self, name: &str) -> Result<Arc<Member>, String> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        match entries.get(name) {
            Some(entry) => entry.state.clone(),
            None => Err(format!("there is no Cluster named {name}")),
        }
    }

    /// Keeps the members as the Clusters and their Secrets say, for ever.
    pub async fn run(self: Arc<Self>) -> &'static str {
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.hub.clusters.synced() && self.hub.secrets.synced() {
                self.refresh();
                self.prune();
                self.report().await;
            }
            // The tick looks at the members' health, which rings no bell here.
            tokio::select! {
                () = self.hub.clusters_changed.notified() => {}
                _ = ticks.tick() => {}
            }
        }
    }

    fn refresh(&self) {
        let clusters = self.hub.clusters.select(|_| true);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|name, _| clusters.iter().any(|cluster| cluster.name_any() == *name));
        let mut changed = false;
        for cluster in clusters {
            let secret = self
                .hub
                .secrets
                .get(&Key::new(&self.namespace, &cluster.spec.credentials.secret_name));
            let source = Source {
                server: cluster.spec.server.clone(),
                secret: cluster.spec.credentials.secret_name.clone(),
                secret_version: secret.as_ref().and_then(|secret| secret.resource_version()),
            };
            let name = cluster.name_any();
            if entries.get(&name).is_some_and(|entry| entry.source == source) {
                continue;
            }
            changed = true;
            let state = self.engage(&cluster, secret.as_deref());
            if let Err(why) = &state {
                tracing::warn!(cluster = name, why, "cluster cannot be engaged");
            }
            entries.insert(name, Entry { source, state });
        }
        drop(entries);
        if changed || !self.ready.swap(true, Ordering::Relaxed) {
            self.wakes.wake_all();
        }
    }

    fn engage(&self, cluster: &Cluster, secret: Option<&Secret>) -> Result<Arc<Member>, String> {
        let name = &cluster.spec.credentials.secret_name;
        let secret = secret.ok_or_else(|| {
            format!(
                "spec.credentials.secretName: there is no Secret {name} in namespace {}",
                self.namespace
            )
        })?;
        let data = secret.data.clone().unwrap_or_default();
        let credentials = credentials::parse(&data, &cluster.spec.server)
            .map_err(|error| format!("Secret {name}: {error}"))?;
        let client = client::build(&cluster.spec.server, &credentials)
            .map_err(|error| format!("Secret {name}: {error}"))?;
        Ok(Member::engage(&cluster.name_any(), client, Arc::clone(&self.wakes)))
    }

    /// Members watch only namespaces that Rollouts are in.
    fn prune(&self) {
        if !self.hub.rollouts.synced() {
            return;
        }
        let rollouts = self.hub.rollouts.select(|_| true);
        let namespaces: BTreeSet<String> =
            rollouts.iter().filter_map(|rollout| rollout.namespace()).collect();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let members = entries.values().filter_map(|entry| entry.state.as_ref().ok());
        members.for_each(|member| member.keep_only(&namespaces));
    }

    /// Writes what changed into the Clusters' status.
    async fn report(&self) {
        for cluster in self.hub.clusters.select(|_| true) {
            let state = self.member(&cluster.name_any()).map(|member| member.health());
            if let Some(status) = report::status(&cluster, &state)
                && let Some(written) = report::write(&self.hub_client, &cluster, status).await
            {
                self.hub.clusters.put(written);
            }
        }
    }
}
