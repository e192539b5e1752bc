//! What the hub asked the API servers, by their audit logs.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::audit::{Event, LOCKFLIGHT};
use crate::cluster::Cluster;
use crate::wait;

/// A line is in the log a moment after its request was answered.
const LOG_DEADLINE: Duration = Duration::from_secs(5);

/// Requests in a span of time. Watches are counted apart: they are opened once and stay open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    /// Watches that were opened, or opened again.
    pub(crate) watches: usize,
    pub(crate) kinds: BTreeMap<String, usize>,
}

/// All requests of the hub to these clusters that arrived in a span of time.
pub(crate) fn of_hub<'a>(
    clusters: impl IntoIterator<Item = &'a Cluster>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> anyhow::Result<Requests> {
    let mut requests = Requests::default();
    for cluster in clusters {
        for event in cluster.audit()?.by_user(LOCKFLIGHT).since(from) {
            if event.request_received_timestamp > to {
                continue;
            }
            if event.verb == "watch" {
                requests.watches += usize::from(event.stage == "ResponseStarted");
                continue;
            }
            let count = if event.is_write() { &mut requests.writes } else { &mut requests.reads };
            *count += 1;
            let subresource = event.subresource().map(|s| format!("/{s}")).unwrap_or_default();
            let kind = format!("{} {}{subresource}", event.verb, event.resource());
            *requests.kinds.entry(kind).or_default() += 1;
        }
    }
    Ok(requests)
}

impl Requests {
    pub(crate) fn text(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
    }
}

/// When the first accepted write of the hub since `from` was answered, for which `wanted` holds.
pub(crate) async fn first_write<'a>(
    what: &str,
    clusters: impl IntoIterator<Item = &'a Cluster> + Clone,
    from: DateTime<Utc>,
    wanted: impl Fn(&Event) -> bool,
) -> anyhow::Result<DateTime<Utc>> {
    wait::until(what, LOG_DEADLINE, async || {
        let mut times = Vec::new();
        for cluster in clusters.clone() {
            let log = cluster.audit()?.by_user(LOCKFLIGHT).writes().since(from);
            let log = log.only(|event| event.code().is_some_and(|code| code < 300));
            times.extend(log.only(&wanted).into_iter().map(|event| event.stage_timestamp));
        }
        times.into_iter().min().context("no such write in the audit logs")
    })
    .await
}

/// The share that a write of a route gives the canary, in the routes of the demo service.
pub(crate) fn canary_weight(event: &Event) -> Option<u64> {
    if event.resource() != "httproutes" || event.subresource().is_some() {
        return None;
    }
    let operations = event.request_object.as_ref()?.as_array()?;
    operations
        .iter()
        .filter(|operation| operation["op"] != "test")
        .find(|operation| {
            operation["path"].as_str().is_some_and(|path| path.ends_with("/backendRefs/1/weight"))
        })
        .and_then(|operation| operation.get("value").and_then(Value::as_u64))
}

/// From one instant to another, in seconds.
pub(crate) fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64()
}
