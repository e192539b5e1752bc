//! How fast the bad release was caught, by witnesses other than the hub itself.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use lockflight_crds::{AbortStatus, RolloutStatus};
use serde_json::Value;

use super::observer::Observer;
use super::routes::Routes;
use crate::audit::{self, LOCKFLIGHT};
use crate::fleet::Fleet;
use crate::service::DemoService;

/// An abort and when it took effect in the cluster that failed.
pub(super) struct Caught {
    /// What the hub says of it.
    pub(super) abort: AbortStatus,
    /// When the observer first saw the gate's own evidence fail.
    pub(super) bad: Option<DateTime<Utc>>,
    /// When the API server of the cluster had taken the weight 0.
    pub(super) written: Option<DateTime<Utc>>,
    /// When the router was seen to have accepted it.
    pub(super) acknowledged: Option<DateTime<Utc>>,
    /// From the load generator's clock to the others'.
    pub(super) clock: Clock,
}

/// One moment on two clocks.
pub(super) struct Clock(Instant, DateTime<Utc>);

impl Clock {
    fn now() -> Self {
        Self(Instant::now(), Utc::now())
    }

    /// A moment before this one.
    pub(super) fn at(&self, moment: Instant) -> DateTime<Utc> {
        let ago = self.0.saturating_duration_since(moment);
        self.1 - TimeDelta::from_std(ago).unwrap_or_default()
    }
}

impl Caught {
    /// Gathers the witnesses; none of `status` if nothing was aborted.
    pub(super) fn gather(
        fleet: &Fleet,
        service: &DemoService,
        status: &RolloutStatus,
        observer: &Observer,
        routes: &Routes,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(abort), Some(attempt)) = (&status.abort, &status.attempt) else {
            return Ok(None);
        };
        let abort = abort.clone();
        let (mut bad, mut written, mut acknowledged) = (None, None, None);
        if let Some(cluster) = abort.cluster.as_deref() {
            bad = abort.metric.as_deref().and_then(|metric| observer.first_bad(cluster, metric));
            let patch = zero_patch(fleet, service, cluster, attempt.started_at)?;
            written = patch.as_ref().map(|patch| patch.stage_timestamp);
            acknowledged = patch.and_then(|patch| {
                routes.acknowledged_zero(cluster, patch.request_received_timestamp)
            });
        }
        Ok(Some(Self { abort, bad, written, acknowledged, clock: Clock::now() }))
    }

    /// The times, as text that ends with a line break.
    pub(super) fn describe(&self, version: &str, last_answer: Option<Instant>) -> String {
        let abort = &self.abort;
        let place = abort.cluster.as_deref().unwrap_or("nowhere");
        let metric = abort.metric.as_deref().unwrap_or("none");
        let mut text = format!("How fast {version} was taken back ({place}, metric {metric})\n");
        let start = self.bad.or(self.written).unwrap_or(abort.at);
        let last_answer = last_answer.map(|moment| self.clock.at(moment));
        let rows = [
            (
                "evidence in Prometheus is bad enough",
                self.bad,
                "an observer that asks it every 50 ms",
            ),
            ("hub decides", Some(abort.at), "status of the Rollout"),
            ("weight 0 written", self.written, "audit log of the cluster's API server"),
            ("weight 0 acknowledged by the router", self.acknowledged, "status of the HTTPRoute"),
            ("last answer by the bad version", last_answer, "load generator"),
        ];
        for (what, at, witness) in rows {
            let time = at.map_or("not seen".to_owned(), |at| after(at - start));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {what:<42}{time:>10}   {witness}");
        }
        text
    }
}

fn after(delta: TimeDelta) -> String {
    let millis = delta.num_milliseconds();
    let sign = if millis < 0 { '-' } else { '+' };
    format!("{sign}{}.{:03} s", millis.abs() / 1000, millis.abs() % 1000)
}

/// The hub's first successful write of the weight 0 since `since`.
fn zero_patch(
    fleet: &Fleet,
    service: &DemoService,
    cluster: &str,
    since: DateTime<Utc>,
) -> anyhow::Result<Option<audit::Event>> {
    let log = fleet.member(cluster)?.cluster.audit().context("reading the audit log")?;
    let writes = log.by_user(LOCKFLIGHT).writes().since(since);
    Ok(writes.into_iter().find(|event| {
        event.resource() == "httproutes"
            && event.namespace() == Some(service.namespace())
            && event.name() == Some(service.name())
            && event.code() == Some(200)
            && event.request_object.as_ref().is_some_and(takes_all_away)
    }))
}

/// Whether a JSON Patch sets the weight of the second backend, the canary, to 0.
fn takes_all_away(request: &Value) -> bool {
    request.as_array().into_iter().flatten().any(|operation| {
        let path = operation["path"].as_str().unwrap_or_default();
        operation["op"] != "test" && path.ends_with("/1/weight") && operation["value"] == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canary_at_zero_counts() {
        let patch = |backend: u8, value: u8| {
            serde_json::json!([
                { "op": "test", "path": "/metadata/resourceVersion", "value": "7" },
                {
                    "op": "add",
                    "path": format!("/spec/rules/0/backendRefs/{backend}/weight"),
                    "value": value,
                },
            ])
        };
        assert!(takes_all_away(&patch(1, 0)));
        assert!(!takes_all_away(&patch(1, 10)));
        assert!(!takes_all_away(&patch(0, 0)));
    }

    #[test]
    fn times_have_a_sign() {
        assert_eq!(after(TimeDelta::milliseconds(1234)), "+1.234 s");
        assert_eq!(after(TimeDelta::milliseconds(-7)), "-0.007 s");
    }
}
