//! From watch events to one task per pod.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::node::{Host, NODE_NAME};
use super::order::Order;
use super::worker;

/// Watches the node's pods until it is told to stop; then ends all of them.
pub(super) async fn run(host: Arc<Host>, mut stopped: watch::Receiver<bool>) {
    let pods: Api<Pod> = Api::all(host.client.clone());
    let config = watcher::Config::default().fields(&format!("spec.nodeName={NODE_NAME}"));
    let mut events = pin!(watcher(pods, config).backoff(Steady));
    let mut dispatch = Dispatch::new(host);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            event = events.next() => match event {
                Some(Ok(event)) => dispatch.handle(event),
                // The watcher tries again by itself, after the back-off.
                Some(Err(_)) => {}
                None => break,
            },
            Some(ended) = dispatch.tasks.join_next() => if let Ok(uid) = ended {
                dispatch.orders.remove(&uid);
            },
        }
    }
    for order in dispatch.orders.values() {
        order.send_replace(Order::Halt);
    }
    // A halted task kills its process and ends; the caller has a deadline on top.
    while dispatch.tasks.join_next().await.is_some() {}
}

struct Dispatch {
    host: Arc<Host>,
    /// Per UID of a pod, how to give its task an order.
    orders: BTreeMap<String, watch::Sender<Order>>,
    /// Each gives the UID of its pod when it ends.
    tasks: JoinSet<String>,
    /// The pods seen since the watch began anew.
    listed: BTreeSet<String>,
}

impl Dispatch {
    fn new(host: Arc<Host>) -> Self {
        let (orders, listed) = (BTreeMap::new(), BTreeSet::new());
        Self { host, orders, tasks: JoinSet::new(), listed }
    }

    fn handle(&mut self, event: Event<Pod>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => {
                self.listed.extend(pod.metadata.uid.clone());
                self.apply(&pod);
            }
            Event::InitDone => {
                // What the new list does not have was deleted while nobody watched.
                for (uid, order) in &self.orders {
                    if !self.listed.contains(uid) {
                        order.send_replace(Order::Vanished);
                    }
                }
            }
            Event::Apply(pod) => self.apply(&pod),
            Event::Delete(pod) => {
                if let Some(order) = pod.metadata.uid.and_then(|uid| self.orders.get(&uid)) {
                    order.send_replace(Order::Vanished);
                }
            }
        }
    }

    fn apply(&mut self, pod: &Pod) {
        let Some(uid) = pod.metadata.uid.clone() else {
            return;
        };
        let order = Order::of(pod);
        if let Some(sender) = self.orders.get(&uid) {
            // A pod changes with each report of its own; only a new order is news to its task.
            sender.send_if_modified(|current| {
                let news = *current != order && order != Order::Run && !current.is_silent();
                if news {
                    *current = order;
                }
                news
            });
            return;
        }
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if order == Order::Run && matches!(phase, Some("Succeeded" | "Failed")) {
            return;
        }
        let (sender, receiver) = watch::channel(order);
        self.orders.insert(uid, sender);
        self.tasks.spawn(worker::run(Arc::clone(&self.host), pod.clone(), receiver));
    }
}

/// A short, even pause: the API server is on the same machine, and a test that has just started
/// it again waits for its pods.
struct Steady;

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(250))
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}
