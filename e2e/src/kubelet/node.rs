//! The Node that the kubelet stands for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Error};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::addresses::Addresses;

/// The name of each cluster's only node.
pub const NODE_NAME: &str = "n1";

const REGISTRATION: Duration = Duration::from_secs(30);
const REGISTRATION_RETRY: Duration = Duration::from_millis(200);

/// What all pods of one kubelet share.
pub(super) struct Host {
    pub(super) client: Client,
    pub(super) address: Ipv4Addr,
    pub(super) addresses: Arc<Addresses>,
    pub(super) programs: BTreeMap<String, PathBuf>,
}

/// The node's own address.
pub(super) fn address(cluster: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 201, cluster, 1)
}

/// Creates the Node, or takes over the one of an earlier run, and makes it ready.
pub(super) async fn register(client: &Client, cluster: u8) -> anyhow::Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let mut latest = None;
    let attempts = async {
        // Bounded by the timeout around it: an API server that was just started may still refuse.
        loop {
            match try_register(&nodes, cluster).await {
                Ok(()) => return,
                Err(error) => latest = Some(error),
            }
            sleep(REGISTRATION_RETRY).await;
        }
    };
    if timeout(REGISTRATION, attempts).await.is_ok() {
        return Ok(());
    }
    let failed = || format!("the node of cluster {cluster} could not be registered");
    match latest {
        Some(error) => Err(error).with_context(failed),
        None => Err(anyhow::Error::msg("the API server did not answer")).with_context(failed),
    }
}

async fn try_register(nodes: &Api<Node>, cluster: u8) -> Result<(), Error> {
    let mut node = Node::default();
    node.metadata.name = Some(NODE_NAME.to_owned());
    node.metadata.labels =
        Some(BTreeMap::from([("kubernetes.io/hostname".to_owned(), NODE_NAME.to_owned())]));
    match nodes.create(&PostParams::default(), &node).await {
        Ok(_) => {}
        Err(Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(error),
    }
    let parameters = PatchParams::default();
    // Large enough that no test meets it: what limits the testbed is the real machine.
    let capacity = json!({"cpu": "1000", "memory": "1000Gi", "pods": "10000"});
    let now = Timestamp::now();
    let status = json!({"status": {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": address(cluster)},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "the process kubelet runs",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }],
        "nodeInfo": {
            "architecture": std::env::consts::ARCH,
            "operatingSystem": std::env::consts::OS,
            "osImage": "processes",
            "kernelVersion": "",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
            "containerRuntimeVersion": "process://1",
            "kubeletVersion": "v1.37.2",
            "kubeProxyVersion": "",
        },
    }});
    nodes.patch_status(NODE_NAME, &parameters, &Patch::Strategic(status)).await?;
    // Admission marks every new node as not ready, and the controller that would take the mark
    // away does not run in the testbed.
    let no_taints = Patch::Merge(json!({"spec": {"taints": null}}));
    nodes.patch(NODE_NAME, &parameters, &no_taints).await?;
    Ok(())
}
