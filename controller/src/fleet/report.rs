//! What a Cluster's status says.

use kube::{Api, Client, Resource, ResourceExt, api::PostParams};
use lockflight_crds::{Cluster, ClusterStatus, conditions::types, names::MANAGED_BY};

use super::{Health, client::CALL_TIMEOUT};
use crate::conditions::{Draft, merge};

/// The status that a Cluster should have, if it has another one.
pub(super) fn status(cluster: &Cluster, state: &Result<Health, String>) -> Option<ClusterStatus> {
    let old = cluster.status.clone().unwrap_or_default();
    let (ready, reason, message, version) = match state {
        Ok(Health::Up { version }) => {
            (true, "Reachable", "the API server answers".to_owned(), Some(version.clone()))
        }
        Ok(Health::Down { since, why }) => (
            false,
            "Unreachable",
            format!("unknown since {} UTC: {why}", since.format("%Y-%m-%d %H:%M:%S")),
            None,
        ),
        Ok(Health::Connecting) => return None,
        Err(why) => (false, "InvalidCredentials", why.clone(), None),
    };
    let draft = Draft { type_: types::READY, status: Some(ready), reason, message };
    let generation = cluster.meta().generation;
    let conditions = merge(&old.conditions, vec![draft], generation);
    let next = ClusterStatus {
        conditions,
        kubernetes_version: version.or(old.kubernetes_version.clone()),
    };
    (next != old).then_some(next)
}

/// Writes it, on the condition that nothing has changed since.
pub(super) async fn write(
    client: &Client,
    cluster: &Cluster,
    status: ClusterStatus,
) -> Option<Cluster> {
    let mut next = cluster.clone();
    next.status = Some(status);
    let api: Api<Cluster> = Api::all(client.clone());
    let params = PostParams { field_manager: Some(MANAGED_BY.to_owned()), ..PostParams::default() };
    let name = cluster.name_any();
    match tokio::time::timeout(CALL_TIMEOUT, api.replace_status(&name, &params, &next)).await {
        Ok(Ok(written)) => Some(written),
        Ok(Err(error)) => {
            tracing::debug!(cluster = name, %error, "status not written");
            None
        }
        Err(_) => None,
    }
}
