//! What the API servers' audit logs say that the hub did.

use chrono::{DateTime, Utc};
use lockflight_e2e::audit::{Event, LOCKFLIGHT, Log};
use lockflight_e2e::cluster::Cluster;
use lockflight_e2e::service::DemoService;
use serde_json::Value;

use crate::bed::Bed;

/// The canary's weight, as it was written into a member's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// When the write was accepted.
    pub(crate) at: DateTime<Utc>,
    /// In per cent.
    pub(crate) percent: u64,
}

/// The hub's accepted writes in a namespace of a cluster.
pub(crate) fn writes(
    cluster: &Cluster,
    namespace: &str,
    since: DateTime<Utc>,
) -> anyhow::Result<Log> {
    let log = cluster.audit()?.by_user(LOCKFLIGHT).writes().since(since);
    Ok(log.only(|event| event.namespace() == Some(namespace) && is_accepted(event)))
}

/// The weights that the hub wrote into the service's route in a member, in their order.
pub(crate) fn weights(
    bed: &Bed,
    service: &DemoService,
    member: &str,
    since: DateTime<Utc>,
) -> anyhow::Result<Vec<Weight>> {
    let cluster = &bed.fleet.member(member)?.cluster;
    let log = writes(cluster, service.namespace(), since)?;
    let routes = log.iter().filter(|event| event.resource() == "httproutes");
    Ok(routes
        .filter_map(|event| Some(Weight { at: event.stage_timestamp, percent: canary(event)? }))
        .collect())
}

/// Weights above 0 that were written more than once.
pub(crate) fn raised_twice(weights: &[Weight]) -> Vec<u64> {
    let raised = |percent: u64| weights.iter().filter(|weight| weight.percent == percent).count();
    (1..=100).filter(|percent| raised(*percent) > 1).collect()
}

/// Scale-downs and deletions of a Deployment.
pub(crate) fn removals(log: &Log, deployment: &str) -> Vec<DateTime<Utc>> {
    let of_it = log
        .iter()
        .filter(|event| event.resource() == "deployments" && event.name() == Some(deployment));
    of_it
        .filter(|event| {
            let replicas =
                event.request_object.as_ref().and_then(|body| body.pointer("/spec/replicas"));
            event.verb == "delete" || replicas.and_then(Value::as_u64) == Some(0)
        })
        .map(|event| event.request_received_timestamp)
        .collect()
}

fn is_accepted(event: &Event) -> bool {
    event.code().is_some_and(|code| (200..300).contains(&code))
}

/// The canary's backend stands second in the route.
fn canary(event: &Event) -> Option<u64> {
    let patch = event.request_object.as_ref()?.as_array()?;
    let written = patch.iter().find(|op| op["path"] == "/spec/rules/0/backendRefs/1/weight")?;
    written["value"].as_u64()
}
