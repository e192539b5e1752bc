//! How fast the bad release was caught, by witnesses other than the hub itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use lockflight_crds::{AbortStatus, RolloutStatus};

use crate::audit::Event;
use crate::fleet::Fleet;
use crate::service::DemoService;
use crate::witness::{RouteWatch, canary_weight, first_write};

/// The decision is written down a moment after it was made.
const BEFORE_DECISION: TimeDelta = TimeDelta::milliseconds(500);

/// An abort and when it took effect in the cluster that failed.
pub(super) struct Caught {
    /// What the hub says of it.
    pub(super) abort: AbortStatus,
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
    pub(super) async fn gather(
        fleet: &Fleet,
        service: &DemoService,
        status: &RolloutStatus,
        routes: &BTreeMap<String, RouteWatch>,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(abort), Some(attempt)) = (&status.abort, &status.attempt) else {
            return Ok(None);
        };
        let abort = abort.clone();
        let (mut written, mut acknowledged) = (None, None);
        if let Some(cluster) = abort.cluster.as_deref() {
            let api = &fleet.member(cluster)?.cluster;
            let own = |event: &Event| {
                event.namespace() == Some(service.namespace()) && canary_weight(event) == Some(0)
            };
            written = Some(first_write("weight 0", [api], attempt.started_at, own).await?);
            let watch = routes.get(cluster).context("a route that nobody watched")?;
            // The write is answered before the router can have seen it.
            acknowledged = watch.seen(0, attempt.started_at.max(abort.at - BEFORE_DECISION));
        }
        Ok(Some(Self { abort, written, acknowledged, clock: Clock::now() }))
    }

    /// The times, as text that ends with a line break. `answered` is when the version was first
    /// and last seen to answer.
    pub(super) fn describe(&self, version: &str, answered: Option<(Instant, Instant)>) -> String {
        let abort = &self.abort;
        let place = abort.cluster.as_deref().unwrap_or("nowhere");
        let metric = abort.metric.as_deref().unwrap_or("none");
        let mut text = format!("How fast {version} was taken back ({place}, metric {metric})\n");
        let answered = answered.map(|(first, last)| (self.clock.at(first), self.clock.at(last)));
        let start = answered.map_or(abort.at, |(first, _)| first);
        let mut rows = [
            ("first answer by the bad version", answered.map(|a| a.0), "load generator"),
            ("hub decides", Some(abort.at), "status of the Rollout"),
            ("weight 0 written", self.written, "audit log of the cluster's API server"),
            ("weight 0 acknowledged by the router", self.acknowledged, "status of the HTTPRoute"),
            ("last answer by the bad version", answered.map(|a| a.1), "load generator"),
        ];
        // Witnesses see the same moment a little apart; what nobody saw comes last.
        rows.sort_by_key(|(_, at, _)| (at.is_none(), *at));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_in_the_order_of_time_and_what_nobody_saw_is_last() {
        let (first, clock) = (Instant::now(), Utc::now());
        let last = first + Duration::from_secs(2);
        let abort = json!({ "reason": "AnalysisFailed", "message": "errors", "at": clock,
                            "revision": "bbbb", "fleet": true });
        let caught = Caught {
            abort: serde_json::from_value(abort).unwrap(),
            written: None,
            acknowledged: Some(clock + TimeDelta::milliseconds(783)),
            clock: Clock(last, clock + TimeDelta::milliseconds(680)),
        };
        let text = caught.describe("v3", Some((first, last)));
        let row = |line: &str| line.split("  ").find(|part| !part.is_empty()).map(str::to_owned);
        let rows: Vec<_> = text.lines().skip(1).filter_map(row).collect();
        let expected = [
            "first answer by the bad version",
            "hub decides",
            "last answer by the bad version",
            "weight 0 acknowledged by the router",
            "weight 0 written",
        ];
        assert_eq!(rows, expected, "{text}");
    }

    #[test]
    fn times_have_a_sign() {
        assert_eq!(after(TimeDelta::milliseconds(1234)), "+1.234 s");
        assert_eq!(after(TimeDelta::milliseconds(-7)), "-0.007 s");
    }
}
