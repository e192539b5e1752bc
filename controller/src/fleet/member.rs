//! One member under watch.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
    runtime::watcher,
};
use lockflight_crds::names::{MANAGED_BY, MANAGED_BY_LABEL, ROLLOUT_LABEL};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use super::health::{Health, heartbeat};
use crate::{follow::follow, shelf::Shelf, wakes::Wakes};

/// How long a member's first list may take before the member counts as unknown. Lists take some
/// 50 ms; a hub that starts beside a dead member waits no longer than this, once.
const FIRST_LIST: std::time::Duration = std::time::Duration::from_secs(2);

/// A route as it is read: only a few of its fields matter, and a strict type would refuse
/// routes of newer or older versions.
pub type Route = DynamicObject;

/// A member cluster: its client, its health, and a view of each namespace that Rollouts use.
/// Dropping it ends all its tasks.
pub struct Member {
    /// Name of the Cluster.
    pub name: String,
    /// Client with limits.
    pub client: Client,
    engaged_at: tokio::time::Instant,
    health: watch::Receiver<Health>,
    wakes: Arc<Wakes>,
    views: Mutex<BTreeMap<String, Watched>>,
    tasks: Mutex<JoinSet<()>>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is in one namespace of a member, as far as Rollouts are concerned.
#[derive(Debug)]
pub struct NamespaceView {
    /// Our Deployments.
    pub deployments: Arc<Shelf<Deployment>>,
    /// Our Services.
    pub services: Arc<Shelf<Service>>,
    /// EndpointSlices of our Services.
    pub slices: Arc<Shelf<EndpointSlice>>,
    /// Pods of our Deployments.
    pub pods: Arc<Shelf<Pod>>,
    /// Routes of the namespace.
    pub routes: Arc<Shelf<Route>>,
    /// Whether everything had been listed at least once: then a member that is not synced has
    /// been lost, and is not merely new.
    listed: std::sync::atomic::AtomicBool,
    made_at: tokio::time::Instant,
}

impl Default for NamespaceView {
    fn default() -> Self {
        Self {
            deployments: Arc::default(),
            services: Arc::default(),
            slices: Arc::default(),
            pods: Arc::default(),
            routes: Arc::default(),
            listed: std::sync::atomic::AtomicBool::new(false),
            made_at: tokio::time::Instant::now(),
        }
    }
}

impl NamespaceView {
    /// Whether everything has been listed.
    #[must_use]
    pub fn synced(&self) -> bool {
        let synced = self.deployments.synced()
            && self.services.synced()
            && self.slices.synced()
            && self.pods.synced()
            && self.routes.synced();
        if synced {
            self.listed.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        synced
    }

    fn age(&self) -> std::time::Duration {
        self.made_at.elapsed()
    }

    /// Whether it is still being listed for the first time.
    #[must_use]
    pub fn is_new(&self) -> bool {
        !self.synced() && !self.listed.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn unsync(&self) {
        self.deployments.unsync();
        self.services.unsync();
        self.slices.unsync();
        self.pods.unsync();
        self.routes.unsync();
    }
}

/// The HTTPRoute resource.
#[must_use]
fn http_route() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"))
}

impl Member {
    /// Starts watching a member.
    #[must_use]
    pub fn engage(name: &str, client: Client, wakes: Arc<Wakes>) -> Arc<Self> {
        let (sender, health) = watch::channel(Health::Connecting);
        let mut tasks = JoinSet::new();
        tasks.spawn(heartbeat(client.clone(), sender));
        let member = Arc::new(Self {
            name: name.to_owned(),
            client,
            engaged_at: tokio::time::Instant::now(),
            health: health.clone(),
            wakes,
            views: Mutex::default(),
            tasks: Mutex::new(tasks),
        });
        let weak = Arc::downgrade(&member);
        let mut changes = health;
        member.lock_tasks().spawn(async move {
            while changes.changed().await.is_ok() {
                let Some(member) = weak.upgrade() else { return };
                member.wakes.wake_all();
            }
        });
        member
    }

    /// Whether it can be reached.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Whether it is just being taken up in a namespace: its first list will be there in a
    /// moment, or it cannot be reached and that will be known in a moment.
    #[must_use]
    pub fn is_new(&self, namespace: &str) -> bool {
        let young = self.engaged_at.elapsed() < FIRST_LIST;
        let view = self.view(namespace);
        match self.health() {
            Health::Connecting => young,
            Health::Up { .. } => view.is_new() && view.age() < FIRST_LIST,
            Health::Down { .. } => false,
        }
    }

    fn lock_tasks(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The view of a namespace; its watches start with the first call.
    #[must_use]
    pub fn view(&self, namespace: &str) -> Arc<NamespaceView> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watched) = views.get(namespace) {
            return Arc::clone(&watched.view);
        }
        let view = Arc::new(NamespaceView::default());
        let task = self.lock_tasks().spawn(watch_while_up(
            self.client.clone(),
            namespace.to_owned(),
            Arc::clone(&view),
            self.health.clone(),
            Arc::clone(&self.wakes),
        ));
        views.insert(namespace.to_owned(), Watched { view: Arc::clone(&view), task });
        view
    }

    /// Ends the watches of namespaces that no Rollout is in any more.
    pub fn keep_only(&self, namespaces: &BTreeSet<String>) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.retain(|namespace, watched| {
            let used = namespaces.contains(namespace);
            if !used {
                watched.task.abort();
            }
            used
        });
        drop(views);
        let mut tasks = self.lock_tasks();
        while tasks.try_join_next().is_some() {}
    }
}

/// A view and the task that feeds it.
struct Watched {
    view: Arc<NamespaceView>,
    task: AbortHandle,
}

/// Watches a namespace whenever the member is up. A watch that lived through an outage may hang
/// on a dead connection, so each return starts new ones.
async fn watch_while_up(
    client: Client,
    namespace: String,
    view: Arc<NamespaceView>,
    mut health: watch::Receiver<Health>,
    wakes: Arc<Wakes>,
) {
    loop {
        let up = health.wait_for(|health| matches!(health, Health::Up { .. })).await.is_ok();
        if !up {
            return;
        }
        tokio::select! {
            () = watch_namespace(&client, &namespace, &view, &wakes) => {}
            lost = health.wait_for(|health| !matches!(health, Health::Up { .. })) => {
                if lost.is_err() {
                    return;
                }
            }
        }
        view.unsync();
    }
}

async fn watch_namespace(
    client: &Client,
    namespace: &str,
    view: &NamespaceView,
    wakes: &Arc<Wakes>,
) {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
    let wake = |labels: &BTreeMap<String, String>| {
        if let Some(rollout) = labels.get(ROLLOUT_LABEL) {
            wakes.wake(namespace, rollout);
        }
    };
    let routes: Api<Route> = Api::namespaced_with(client.clone(), namespace, &http_route());
    tokio::join!(
        follow(
            Api::<Deployment>::namespaced(client.clone(), namespace),
            ours.clone(),
            Arc::clone(&view.deployments),
            |object| wake(object.labels()),
        ),
        follow(
            Api::<Service>::namespaced(client.clone(), namespace),
            ours.clone(),
            Arc::clone(&view.services),
            |object| wake(object.labels()),
        ),
        follow(
            Api::<EndpointSlice>::namespaced(client.clone(), namespace),
            // EndpointSlices take over the labels of their Service, but for managed-by.
            watcher::Config::default().labels(ROLLOUT_LABEL),
            Arc::clone(&view.slices),
            |object| wake(object.labels()),
        ),
        follow(
            Api::<Pod>::namespaced(client.clone(), namespace),
            watcher::Config::default().labels(ROLLOUT_LABEL),
            Arc::clone(&view.pods),
            |object| wake(object.labels()),
        ),
        follow(routes, watcher::Config::default(), Arc::clone(&view.routes), |_| {
            wakes.wake_namespace(namespace);
        }),
    );
}
