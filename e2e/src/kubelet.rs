//! The process kubelet: a Kubernetes node whose pods are plain processes.
//!
//! It registers one Node, watches the pods that the scheduler binds to it, gives each an address
//! of its own, runs the program that the image stands for, probes it, restarts it, reports its
//! status and honours the grace period when it is deleted. Everything above it (Deployments,
//! scheduling, EndpointSlices, garbage collection, gateways) is the real thing and cannot tell.
//!
//! # What it does not do
//!
//! - No volumes (those that a pod declares are ignored), no environment from Secrets, config maps
//!   or fields, no `$(NAME)` references in values.
//! - No `command` (the image's program is what runs; `args` are passed), no exec or gRPC probes,
//!   no HTTPS probes, no `preStop` other than `sleep`, no `postStart`.
//! - One container per pod: no init containers, no sidecars. At most 245 pods at a time: further
//!   ones stay pending until an address is free.
//! - No eviction, no resource limits, no readiness gates, no in-place change of a pod's image.
//! - No kube-proxy and no cluster DNS: Services have no reachable cluster IP. Gateways use
//!   EndpointSlices, and those hold the pods' real addresses.
//! - No kubelet API: `kubectl logs` and `kubectl exec` have nobody to ask. The end of a program's
//!   standard error is the message of its terminated state.
//!
//! A pod that asks for something of which the silent absence would mislead (a second container,
//! `valueFrom`, another kind of probe) waits with `CreateContainerConfigError` and says why.
//!
//! # Where it is faster than a real one
//!
//! Tests wait for these: the first success of a probe is polled for each 100 ms, and the back-off
//! of a crashing program starts with 1 s and ends at 10 s (10 s and 5 min in a real kubelet).

mod addresses;
mod board;
mod dispatch;
mod manifest;
mod node;
mod order;
mod probe;
mod process;
mod report;
mod termination;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use addresses::Addresses;
use node::Host;

pub use node::NODE_NAME;

/// So long stopping may take; every process is killed, so it does not need long.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// A running kubelet. Dropping it kills its pods' processes without waiting for their end.
///
/// The process of a pod can be found by its container ID, `process://PID`.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Kubelet {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Registers the node `n1` of cluster `cluster_index` and runs the pods bound to it.
///
/// `programs` maps an image without its tag (`demo` of `demo:v2`) to the program that it stands
/// for. Pod addresses are `10.200.CLUSTER.10` to `.254`, the node's is `10.201.CLUSTER.1`; both
/// must be usable on this machine. Pods that an earlier kubelet left behind are started again.
///
/// Fails if the API server does not accept the node within 30 seconds.
pub async fn start(
    client: Client,
    cluster_index: u8,
    programs: BTreeMap<String, PathBuf>,
) -> anyhow::Result<Kubelet> {
    node::register(&client, cluster_index).await?;
    let addresses = Arc::new(Addresses::new(cluster_index));
    let address = node::address(cluster_index);
    let host = Arc::new(Host { client, address, addresses, programs });
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(dispatch::run(host, stopped));
    Ok(Kubelet { stop, task })
}

impl Kubelet {
    /// Kills all pods' processes, without grace, and returns when they have ended. The pods stay
    /// in the API as they are, as if the machine had lost power.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // If this is not enough, the abort in `drop` does the rest.
        let _ = tokio::time::timeout(STOP_DEADLINE, &mut self.task).await;
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        // The task owns the pods' tasks, and each of those its process.
        self.task.abort();
    }
}
