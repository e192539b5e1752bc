//! What each member's route says, and when: the router acknowledges in its status.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::apply;
use crate::service::DemoService;

/// A route as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sight {
    member: String,
    at: DateTime<Utc>,
    canary_weight: i64,
    acknowledged: bool,
}

/// Watches the service's route in every member until it is dropped.
pub(super) struct Routes {
    sights: Arc<Mutex<Vec<Sight>>>,
    // Dropping it ends the watches.
    _watches: JoinSet<()>,
}

impl Routes {
    pub(super) async fn watch(service: &DemoService) -> anyhow::Result<Self> {
        let sights = Arc::<Mutex<Vec<Sight>>>::default();
        let mut watches = JoinSet::new();
        for place in service.places() {
            let route = service.route(&place.name).await?;
            let api = apply::api_for(&place.client, &route)?;
            let config =
                watcher::Config::default().fields(&format!("metadata.name={}", service.name()));
            let (member, sights) = (place.name.clone(), Arc::clone(&sights));
            watches.spawn(async move {
                let mut changes =
                    std::pin::pin!(watcher(api, config).default_backoff().applied_objects());
                // An error is followed by a new attempt.
                while let Some(change) = changes.next().await {
                    if let Ok(route) = change {
                        let sight = look(&member, &route, Utc::now());
                        sights.lock().unwrap_or_else(PoisonError::into_inner).push(sight);
                    }
                }
            });
        }
        Ok(Self { sights, _watches: watches })
    }

    /// When the router of `member` was first seen, from `since` on, to have accepted that the
    /// canary gets nothing.
    pub(super) fn acknowledged_zero(
        &self,
        member: &str,
        since: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let sights = self.sights.lock().unwrap_or_else(PoisonError::into_inner);
        let mut later = sights.iter().filter(|sight| sight.member == member && sight.at >= since);
        let found = later.find(|sight| sight.canary_weight == 0 && sight.acknowledged)?;
        Some(found.at)
    }
}

fn look(member: &str, route: &DynamicObject, at: DateTime<Utc>) -> Sight {
    let weight = route.data.pointer("/spec/rules/0/backendRefs/1/weight").and_then(Value::as_i64);
    let parents = route.data.pointer("/status/parents").and_then(Value::as_array);
    let generation = route.metadata.generation;
    let accepts = |parent: &Value| {
        ["Accepted", "ResolvedRefs"].iter().all(|wanted| {
            let conditions = parent["conditions"].as_array().into_iter().flatten();
            conditions.into_iter().any(|condition| {
                condition["type"] == *wanted
                    && condition["status"] == "True"
                    && condition["observedGeneration"].as_i64() == generation
            })
        })
    };
    Sight {
        member: member.to_owned(),
        at,
        canary_weight: weight.unwrap_or(1),
        acknowledged: parents.is_some_and(|all| !all.is_empty() && all.iter().all(accepts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_acknowledged_at_its_own_generation_only() {
        let route = |observed: i64| -> DynamicObject {
            let condition = |name: &str| serde_json::json!({ "type": name, "status": "True", "observedGeneration": observed });
            serde_json::from_value(serde_json::json!({
                "metadata": { "name": "checkout", "generation": 7 },
                "spec": { "rules": [{ "backendRefs": [{ "weight": 100 }, { "weight": 0 }] }] },
                "status": { "parents": [
                    { "conditions": [condition("Accepted"), condition("ResolvedRefs")] },
                ]},
            }))
            .unwrap()
        };
        let sight = |observed| look("m1", &route(observed), DateTime::UNIX_EPOCH);
        assert!(sight(7).acknowledged && sight(7).canary_weight == 0);
        assert!(!sight(6).acknowledged);
    }
}
