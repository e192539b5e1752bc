//! Measurements that are missing, and the hub at rest.

use std::time::Duration;

use anyhow::ensure;
use lockflight_crds::Rollout;
use lockflight_crds::conditions::types;
use lockflight_e2e::audit::{LOCKFLIGHT, Log};
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::{apply, service};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::look;

/// Several rounds of a gate.
const WATCHED: Duration = Duration::from_secs(5);
/// So long nothing may be written at rest.
const REST: Duration = Duration::from_mins(1);

fn settings() -> Settings {
    let mut settings = Settings::default().only(&["m1"]);
    let bake = json!({ "time": "1s", "samples": 10 });
    settings.steps = json!([{ "weight": 40, "bake": bake }, { "weight": 100, "bake": bake }]);
    settings
}

/// Waits until the release says that it has no measurements, and watches that it stays.
async fn holds(service: &DemoService, reasons: &[&str]) -> anyhow::Result<()> {
    let says = |rollout: &Rollout| {
        look::is_current(rollout)
            && look::condition(rollout, types::READY)
                .is_some_and(|(seen, message)| reasons.contains(&seen) && message.contains("m1"))
    };
    let what = format!("Ready to say one of {reasons:?}");
    let rollout = service.wait_for(&what, SOON, says).await?;
    let reason =
        look::condition(&rollout, types::READY).map_or("", |(reason, _)| reason).to_owned();
    look::event(service, &reason).await?;
    let step = look::member(&rollout, "m1").map_or(0, |member| member.step);
    let moved = |rollout: &Rollout| {
        service::ended(rollout).is_some()
            || look::member(rollout, "m1").is_none_or(|member| member.step != step)
    };
    service.never("it moved without measurements", WATCHED, moved).await
}

/// Prometheus is down: the release holds, and goes on when it is back.
pub(crate) async fn metric_source_down_holds_and_says_so(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("source-down", settings()).await?;
    let load = service.load_in(&["m1"], RPS)?;
    service.release(&Release::new("v2")).await?;
    let ramping =
        |rollout: &Rollout| look::is_current(rollout) && look::has_share(rollout, "m1", 40);
    service.wait_for("v2 to have traffic", RELEASE, ramping).await?;
    let prometheus = &bed.fleet.member("m1")?.prometheus;
    prometheus.stop().await?;
    let held = holds(&service, &["AnalysisError", "NoData"]).await;
    prometheus.start().await?;
    held?;
    service.completed(RELEASE).await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}

/// A query without a result, and one whose result is not a number.
pub(crate) async fn empty_results_and_nan_hold_and_say_so(bed: &Bed) -> anyhow::Result<()> {
    let mut settings = settings().ungated();
    settings.analysis = json!([{ "template": "odd" }]);
    let service = bed.service("no-data", settings).await?;
    let load = service.load_in(&["m1"], RPS)?;
    let template = |query: &str| {
        json!({
            "apiVersion": "lockflight.dev/v1alpha1",
            "kind": "AnalysisTemplate",
            "metadata": { "name": "odd", "namespace": "no-data" },
            "spec": { "metrics": [{
                "name": "odd",
                "threshold": { "query": query, "pass": "result[0] < 1.0" },
            }]},
        })
    };
    let hub = bed.fleet.hub.client();
    apply::apply(&hub, &template("nobody_has_this_metric")).await?;
    service.establish(&Release::new("v1"), SOON).await?;
    service.release(&Release::new("v2")).await?;
    holds(&service, &["NoData"]).await?;
    apply::apply(&hub, &template("vector(0) / vector(0)")).await?;
    holds(&service, &["NoData"]).await?;
    apply::apply(&hub, &template("vector(0.5)")).await?;
    service.completed(RELEASE).await?;
    load.stop().await;
    Ok(())
}

/// At rest nothing is written anywhere, and hardly anything is read.
pub(crate) async fn nothing_is_written_at_rest(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("rest", Settings::default().steps(&[(100, 0)]).ungated()).await?;
    let v1 = look::revision(&service.rollout().await?);
    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await?;
    look::until_replicas(&service, &v1, 0, SOON).await?;
    // The last answer to that write is the last thing that is written.
    let settled = |rollout: &Rollout| look::condition(rollout, types::RECONCILING).is_some();
    service.never("it is not at rest", Duration::from_secs(2), settled).await?;
    let begun = now();
    let touched = |rollout: &Rollout| service::ended(rollout).is_none();
    service.never("it began again", REST, touched).await?;

    let (mut reads, mut writes) = (0, Vec::new());
    for cluster in bed.fleet.clusters() {
        let log: Log = cluster.audit()?.by_user(LOCKFLIGHT).since(begun);
        let (asked, wrote): (Vec<_>, Vec<_>) = log.into_iter().partition(|event| !event.is_write());
        reads += asked.len();
        let wrote = wrote.into_iter();
        writes.extend(
            wrote.map(|event| format!("{} {} {}", cluster.name(), event.verb, event.request_uri)),
        );
    }
    eprintln!(
        "        {REST:?} at rest: {} writes, {reads} reads of objects (a request for /version every 2 s and member is not in the logs)",
        writes.len()
    );
    ensure!(writes.is_empty(), "at rest the hub wrote {writes:#?}");
    Ok(())
}
