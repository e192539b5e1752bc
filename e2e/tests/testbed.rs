//! The testbed tested: what the other end-to-end tests take for granted.
//!
//! Starts a fleet, so it is run by name only: `cargo test -p lockflight-e2e --test testbed`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use lockflight_e2e::fleet::{Fleet, Member};
use lockflight_e2e::kubeconfig::{self, Context, Credential};
use lockflight_e2e::{access, addresses, audit, components, http, namespace, wait};

const SOON: Duration = Duration::from_secs(20);
/// What has not been answered by then counts as never answered.
const SILENCE: Duration = Duration::from_secs(2);

fn main() -> anyhow::Result<()> {
    components::ensure_all()?;
    namespace::enter(&[])?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let fleet = Fleet::builder().members(2).start().await?;
        fleet.opt_in("shop").await?;
        fleet.register_members().await?;
        rights_are_narrow(&fleet).await.context("rights")?;
        latency_adds_up(&fleet).await.context("latency")?;
        partition_is_silent_and_heals(&fleet).await.context("partition")?;
        apiserver_comes_back(&fleet).await.context("API server")?;
        prometheus_comes_back(&fleet).await.context("Prometheus")?;
        revoked_token_is_refused(&fleet).await.context("token")?;
        fleet.stop().await
    })?;
    // In the form that test programs close with: each check above ends the run if it fails.
    println!("test result: ok. 6 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    Ok(())
}

/// A client with the credentials that the hub holds, by the way that the hub takes.
async fn as_hub(fleet: &Fleet, member: &Member) -> anyhow::Result<kube::Client> {
    let secrets: Api<Secret> = Api::namespaced(fleet.hub.client(), access::NAMESPACE);
    let mut data = secrets.get(member.cluster.name()).await?.data.unwrap_or_default();
    let mut text = |key: &str| -> anyhow::Result<String> {
        Ok(String::from_utf8(data.remove(key).context("a key is missing")?.0)?)
    };
    kubeconfig::client(&Context {
        name: "hub".to_owned(),
        server: format!(
            "https://{}:{}",
            addresses::hub_only_apiserver(member.cluster.index()),
            addresses::APISERVER_PORT
        ),
        ca: text("ca.crt")?,
        credential: Credential::Token(text("token")?),
    })
    .await
}

fn code(result: &Result<impl Sized, kube::Error>) -> u16 {
    match result {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(_) => 0,
    }
}

async fn rights_are_narrow(fleet: &Fleet) -> anyhow::Result<()> {
    let member = &fleet.members[0];
    let begin = chrono::Utc::now();
    let client = as_hub(fleet, member).await?;
    let list = async |namespace| {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        code(&deployments.list(&ListParams::default()).await)
    };
    ensure!(list("shop").await == 200, "the hub may not list in a namespace that opted in");
    ensure!(list("default").await == 403, "the hub may list in a namespace that did not opt in");
    let seen = member.cluster.audit()?.by_user(audit::LOCKFLIGHT).since(begin);
    let codes: Vec<_> = seen.iter().map(|event| (event.namespace(), event.code())).collect();
    ensure!(
        codes == [(Some("shop"), Some(200)), (Some("default"), Some(403))],
        "the audit log has {codes:?}"
    );
    Ok(())
}

async fn latency_adds_up(fleet: &Fleet) -> anyhow::Result<()> {
    let member = &fleet.members[0];
    let client = as_hub(fleet, member).await?;
    client.apiserver_version().await?;
    member.reach.set_latency(Duration::from_millis(150));
    let begin = Instant::now();
    client.apiserver_version().await?;
    let took = begin.elapsed();
    member.reach.set_latency(Duration::ZERO);
    ensure!(took >= Duration::from_millis(300), "a round trip took {took:?}");
    Ok(())
}

async fn partition_is_silent_and_heals(fleet: &Fleet) -> anyhow::Result<()> {
    let [cut, other] = [&fleet.members[0], &fleet.members[1]];
    let (old, unaffected) = (as_hub(fleet, cut).await?, as_hub(fleet, other).await?);
    old.apiserver_version().await?;
    cut.reach.partition().await?;
    // Twice is once.
    cut.reach.partition().await?;

    let stalled = tokio::time::timeout(SILENCE, old.apiserver_version()).await;
    ensure!(stalled.is_err(), "an open connection was not silent: {stalled:?}");
    let metrics = (addresses::hub_only_prometheus(1), addresses::PROMETHEUS_PORT);
    let new = tokio::time::timeout(SILENCE, tokio::net::TcpStream::connect(metrics)).await;
    ensure!(new.is_err(), "a new connection was not silent: {new:?}");
    unaffected.apiserver_version().await.context("another member was cut off too")?;
    cut.cluster.client().apiserver_version().await.context("the member itself was cut off")?;

    let begin = Instant::now();
    cut.reach.heal().await?;
    wait::until("the member to be reachable", SOON, async || {
        Ok(old.apiserver_version().await.map(drop)?)
    })
    .await?;
    http::expect_ok(metrics, "/-/ready").await?;
    println!("healed after {:?}", begin.elapsed());
    Ok(())
}

async fn apiserver_comes_back(fleet: &Fleet) -> anyhow::Result<()> {
    let cluster = &fleet.members[0].cluster;
    cluster.stop_apiserver().await?;
    ensure!(cluster.client().apiserver_version().await.is_err(), "it still answers");
    cluster.start_apiserver().await?;
    ensure!(
        cluster.kubectl(&["get", "namespace", "shop", "-o=name"]).await?.trim() == "namespace/shop"
    );
    Ok(())
}

async fn prometheus_comes_back(fleet: &Fleet) -> anyhow::Result<()> {
    let prometheus = &fleet.members[0].prometheus;
    let address = SocketAddr::from((addresses::prometheus(1), addresses::PROMETHEUS_PORT));
    let gateway_is_up = async || {
        let (_, body) = http::get(address, "/api/v1/query?query=up%7Bjob=%22envoy%22%7D").await?;
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        ensure!(answer["data"]["result"][0]["value"][1] == "1", "the answer was {answer}");
        Ok(())
    };
    wait::until("a scrape of the gateway", SOON, gateway_is_up).await?;
    prometheus.stop().await?;
    ensure!(http::get(address, "/-/ready").await.is_err(), "it still answers");
    prometheus.start().await?;
    wait::until("a scrape of the gateway", SOON, gateway_is_up).await
}

async fn revoked_token_is_refused(fleet: &Fleet) -> anyhow::Result<()> {
    let member = &fleet.members[1];
    let old = as_hub(fleet, member).await?;
    fleet.revoke_token("m2").await?;
    ensure!(code(&old.apiserver_version().await) == 401, "the old token is good again");
    fleet.renew_token("m2").await?;
    as_hub(fleet, member).await?.apiserver_version().await?;
    Ok(())
}
