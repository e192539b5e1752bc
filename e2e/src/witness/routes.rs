//! A member's route under watch: what the router has accepted, and when that was seen.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::apply;
use crate::service::DemoService;

/// What the route said at some time, on this machine's clock.
#[derive(Clone, Copy, Debug)]
struct Sight {
    at: DateTime<Utc>,
    canary_weight: u64,
    acknowledged: bool,
}

/// Everything that a route has said since the watch began.
pub(crate) struct RouteWatch {
    seen: watch::Receiver<Vec<Sight>>,
    // Dropping it ends the watch.
    _task: JoinSet<()>,
}

impl RouteWatch {
    /// Watches the service's route in a member.
    pub(crate) fn start(service: &DemoService, member: &str) -> anyhow::Result<Self> {
        let object = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": { "name": service.name(), "namespace": service.namespace() },
        });
        let routes = apply::api_for(&service.place(member)?.client, &object)?;
        let config =
            watcher::Config::default().fields(&format!("metadata.name={}", service.name()));
        let (sender, seen) = watch::channel(Vec::new());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut changes =
                std::pin::pin!(watcher(routes, config).default_backoff().applied_objects());
            while let Some(change) = changes.next().await {
                let at = Utc::now();
                let route = change.ok().and_then(|route| serde_json::to_value(route).ok());
                sender.send_modify(|seen| seen.extend(route.as_ref().map(|r| sight(at, r))));
            }
        });
        Ok(Self { seen, _task: task })
    }

    /// When the router was first seen to have accepted `weight` for the canary, since `from`, if it
    /// was seen.
    pub(crate) fn seen(&self, weight: u64, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let seen = self.seen.borrow();
        let mut later = seen.iter().filter(|sight| sight.at >= from);
        later.find(|sight| sight.canary_weight == weight && sight.acknowledged).map(|s| s.at)
    }

    /// The same, waiting for it.
    pub(crate) async fn acknowledged(
        &mut self,
        weight: u64,
        from: DateTime<Utc>,
        deadline: Duration,
    ) -> anyhow::Result<DateTime<Utc>> {
        let wanted = |sight: &&Sight| {
            sight.at >= from && sight.canary_weight == weight && sight.acknowledged
        };
        let reached = self.seen.wait_for(|seen| seen.iter().any(|sight| wanted(&sight)));
        let seen = tokio::time::timeout(deadline, reached).await.with_context(|| {
            format!("waited {deadline:?} for the router to accept {weight} %")
        })??;
        seen.iter().find(wanted).map(|sight| sight.at).context("the sight is gone")
    }
}

fn sight(at: DateTime<Utc>, route: &Value) -> Sight {
    let weight = route.pointer("/spec/rules/0/backendRefs/1/weight").and_then(Value::as_u64);
    let generation = route["metadata"]["generation"].as_i64().unwrap_or(i64::MAX);
    let accepts = |parent: &Value| {
        ["Accepted", "ResolvedRefs"].into_iter().all(|kind| {
            parent["conditions"].as_array().into_iter().flatten().any(|condition| {
                condition["type"] == kind
                    && condition["status"] == "True"
                    && condition["observedGeneration"]
                        .as_i64()
                        .is_some_and(|seen| seen >= generation)
            })
        })
    };
    let parents = route.pointer("/status/parents").and_then(Value::as_array);
    let acknowledged = parents.is_some_and(|p| !p.is_empty() && p.iter().all(accepts));
    Sight { at, canary_weight: weight.unwrap_or(1), acknowledged }
}
