//! Faults switched on in some pods while they run.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::StreamExt as _;
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

const PORT: u16 = 8080;
const DEADLINE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps the pods of a version in a member faulty. Dropping it ends that; pods that have their
/// faults keep them.
pub struct Faulty {
    task: JoinHandle<()>,
}

impl Faulty {
    pub(super) fn start(
        client: kube::Client,
        namespace: &str,
        version: &str,
        faults: &str,
    ) -> Self {
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let config = watcher::Config::default().labels(&format!("version={version}"));
        let faults = faults.to_owned();
        let task = tokio::spawn(async move {
            let mut changes =
                std::pin::pin!(watcher(pods, config).default_backoff().applied_objects());
            while let Some(change) = changes.next().await {
                let address = change.ok().as_ref().and_then(address);
                if let Some(address) = address {
                    let faults = faults.clone();
                    // Doing it again changes nothing. A pod that ends meanwhile needs no faults.
                    tokio::spawn(async move { wait_and_post(address, &faults).await.ok() });
                }
            }
        });
        Self { task }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Changes the faults of the pods of a version that run now.
pub(super) async fn control(
    client: &kube::Client,
    namespace: &str,
    version: &str,
    faults: &str,
) -> anyhow::Result<usize> {
    let addresses = addresses(client, namespace, version).await?;
    for address in &addresses {
        wait_and_post(*address, faults).await?;
    }
    Ok(addresses.len())
}

/// Changes the faults of one pod of a version, the first by its name.
pub(super) async fn control_one(
    client: &kube::Client,
    namespace: &str,
    version: &str,
    faults: &str,
) -> anyhow::Result<()> {
    let addresses = addresses(client, namespace, version).await?;
    let first = addresses.first().with_context(|| format!("there is no pod of {version}"))?;
    wait_and_post(*first, faults).await
}

/// Where the pods of a version that run now listen, in the order of their names.
async fn addresses(
    client: &kube::Client,
    namespace: &str,
    version: &str,
) -> anyhow::Result<Vec<SocketAddr>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&format!("version={version}"));
    let mut pods = pods.list(&params).await?.items;
    pods.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    Ok(pods.iter().filter_map(address).collect())
}

fn address(pod: &Pod) -> Option<SocketAddr> {
    let status = pod.status.as_ref()?;
    let running = pod.metadata.deletion_timestamp.is_none();
    let address: IpAddr = status.pod_ip.as_ref().filter(|_| running)?.parse().ok()?;
    Some(SocketAddr::new(address, PORT))
}

/// The pod may be about to listen.
async fn wait_and_post(address: SocketAddr, faults: &str) -> anyhow::Result<()> {
    let end = Instant::now() + DEADLINE;
    loop {
        match timeout_at(end, post(address, faults)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if Instant::now() + PAUSE >= end => return Err(error),
            Ok(Err(_)) => sleep(PAUSE).await,
            Err(_) => bail!("{address} did not take its faults within {DEADLINE:?}"),
        }
    }
}

async fn post(address: SocketAddr, faults: &str) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await?;
    let request = Request::post(format!("/control?{faults}"))
        .header("host", address.to_string())
        .body(Empty::new())?;
    let exchange = async {
        let answer = sender.send_request(request).await.context("POST /control")?;
        ensure!(answer.status().is_success(), "POST /control was answered {}", answer.status());
        Ok(())
    };
    tokio::select! {
        done = exchange => done,
        _ = connection => bail!("the connection ended"),
    }
}
