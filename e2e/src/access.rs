//! Lockflight's own rights and credentials: those of the charts, and real bound tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::chart::Chart;
use crate::cluster::Cluster;
use crate::kubeconfig::{self, Context, Credential};
use crate::{addresses, apply, components, wait};

/// Namespace of Lockflight, on the hub and in members.
pub const NAMESPACE: &str = "lockflight-system";
/// Its `ServiceAccount`, on the hub and in members.
pub const ACCOUNT: &str = "lockflight";
/// Object in a member that the hub's token is bound to: without it the token is void.
const TOKEN_BINDING: &str = "lockflight-token";
const TOKEN_SECONDS: u32 = 24 * 60 * 60;
/// API servers remember a good token for ten seconds.
const REVOKED_DEADLINE: Duration = Duration::from_secs(30);
const NAMESPACE_DEADLINE: Duration = Duration::from_secs(30);

/// Kinds, rights and everything else that the chart installs in the hub. Its pod stays pending, as
/// the hub has no node; the controller runs as a process under the chart's account.
pub(crate) async fn set_up_hub(hub: &Cluster, helm: &Path) -> anyhow::Result<()> {
    let client = hub.client();
    let mut system = namespace(NAMESPACE);
    system["metadata"]["labels"] = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
    apply::apply(&client, &system).await?;
    let objects = render(helm, Chart::Hub, hub_values()).await?;
    let (crds, others): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|object| object["kind"] == "CustomResourceDefinition");
    apply::apply_crds(&client, &crds).await?;
    apply::apply_all(&client, &others).await
}

/// The account in a member. It may do nothing until a namespace opts in.
pub(crate) async fn set_up_member(member: &Cluster, helm: &Path) -> anyhow::Result<()> {
    let client = member.client();
    apply::apply(&client, &namespace(NAMESPACE)).await?;
    apply::apply_all(&client, &render(helm, Chart::Member, json!({})).await?).await
}

/// Values of the hub's chart: all that needs no kind from elsewhere, with the ports that there are
/// on a fleet.
fn hub_values() -> Value {
    let egress = [addresses::APISERVER_PORT, addresses::PROMETHEUS_PORT];
    json!({
        "listen": { "port": addresses::HUB_CONTROLLER.port() },
        "dashboard": { "enabled": true, "port": addresses::HUB_DASHBOARD.port() },
        "networkPolicy": { "enabled": true, "egressPorts": egress },
        "podDisruptionBudget": { "enabled": true },
    })
}

async fn render(helm: &Path, chart: Chart, values: Value) -> anyhow::Result<Vec<Value>> {
    let helm = helm.to_owned();
    let version = components::KUBERNETES;
    tokio::task::spawn_blocking(move || chart.objects(&helm, version, &values)).await?
}

/// Makes `name` in a cluster and waits until pods can be made in it.
pub(crate) async fn create_namespace(cluster: &Cluster, name: &str) -> anyhow::Result<()> {
    apply::apply(&cluster.client(), &namespace(name)).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client(), name);
    wait::until(&format!("namespace {name} to be usable"), NAMESPACE_DEADLINE, async || {
        accounts.get("default").await?;
        Ok(())
    })
    .await
}

/// Gives the hub its rights in one namespace of members: what the chart renders for it.
pub(crate) async fn grant(
    members: &[&Cluster],
    helm: &Path,
    namespace: &str,
) -> anyhow::Result<()> {
    apply_in_all(members, helm, json!({ "namespaces": [namespace] })).await
}

/// The same, and the right to measure by Jobs.
pub(crate) async fn grant_jobs(
    members: &[&Cluster],
    helm: &Path,
    namespace: &str,
) -> anyhow::Result<()> {
    let values = json!({ "namespaces": [namespace], "jobs": { "enabled": true } });
    apply_in_all(members, helm, values).await
}

/// Lets the hub reach one Service of a member through its API server, as a request names it:
/// `http:prometheus:9090`.
pub(crate) async fn grant_metrics(
    members: &[&Cluster],
    helm: &Path,
    namespace: &str,
    service: &str,
) -> anyhow::Result<()> {
    let metrics = json!({ "enabled": true, "namespace": namespace, "services": [service] });
    apply_in_all(members, helm, json!({ "metrics": metrics })).await
}

async fn apply_in_all(members: &[&Cluster], helm: &Path, values: Value) -> anyhow::Result<()> {
    let rights = render(helm, Chart::Member, values).await?;
    try_join_all(
        members.iter().map(async |member| apply::apply_all(&member.client(), &rights).await),
    )
    .await
    .map(drop)
}

/// Issues a token for the member and stores it in the hub, where the controller looks for it.
pub(crate) async fn issue_member_token(hub: &Cluster, member: &Cluster) -> anyhow::Result<()> {
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": TOKEN_BINDING, "namespace": NAMESPACE },
    });
    let binding = apply::apply(&member.client(), &binding).await?;
    let token = request_token(
        member,
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "name": TOKEN_BINDING,
            "uid": binding.metadata.uid,
        }),
    )
    .await?;
    let credentials = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": member.name(), "namespace": NAMESPACE },
        "data": { "ca.crt": STANDARD.encode(member.ca()), "token": STANDARD.encode(token) },
    });
    apply::apply(&hub.client(), &credentials).await.map(drop)
}

/// Makes the hub's token for the member void, and waits until the member refuses it.
pub(crate) async fn revoke_member_token(hub: &Cluster, member: &Cluster) -> anyhow::Result<()> {
    let stored: Api<Secret> = Api::namespaced(hub.client(), NAMESPACE);
    let data = stored.get(member.name()).await?.data.unwrap_or_default();
    let token = data.get("token").context("the hub holds no token for this member")?;
    let credential = Credential::Token(String::from_utf8(token.0.clone())?);
    let old = kubeconfig::client(&Context { credential, ..own_context(member) }).await?;

    let bindings: Api<Secret> = Api::namespaced(member.client(), NAMESPACE);
    bindings.delete(TOKEN_BINDING, &DeleteParams::default()).await?;
    let what = format!("{} to refuse the revoked token", member.name());
    wait::until(&what, REVOKED_DEADLINE, async || match old.apiserver_version().await {
        Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
        other => anyhow::bail!("the answer was {other:?}"),
    })
    .await
}

/// Writes the kubeconfig with which the controller itself runs: its account, nothing more.
pub(crate) async fn write_own_kubeconfig(hub: &Cluster) -> anyhow::Result<PathBuf> {
    let path = hub.dir().join("lockflight.kubeconfig");
    let credential = Credential::Token(request_token(hub, Value::Null).await?);
    kubeconfig::write(&path, &[Context { credential, ..own_context(hub) }])?;
    Ok(path)
}

fn own_context(cluster: &Cluster) -> Context {
    cluster.admin_context(format!(
        "https://{}:{}",
        addresses::control_plane(cluster.index()),
        addresses::APISERVER_PORT
    ))
}

async fn request_token(cluster: &Cluster, bound_to: Value) -> anyhow::Result<String> {
    let request: TokenRequest = serde_json::from_value(json!({
        "metadata": {},
        "spec": {
            "audiences": [],
            "expirationSeconds": TOKEN_SECONDS,
            "boundObjectRef": bound_to,
        },
    }))?;
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client(), NAMESPACE);
    let answer = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await?;
    answer.status.and_then(|s| s.token).context("a TokenRequest was answered without a token")
}

fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}
