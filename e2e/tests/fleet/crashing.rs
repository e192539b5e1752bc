//! A release whose pods crash under traffic, as real processes do.

use anyhow::{Context as _, ensure};
use lockflight_e2e::service::{Release, ServiceLoad, Settings};
use lockflight_e2e::wait;

use crate::bed::{Bed, RELEASE, RPS, SOON};
use crate::look;

/// Requests that each process of the bad release lives for: a second at half of the load.
const REQUESTS: u64 = 25;
/// Requests in a second.
const UNDER_WAY: u64 = 150;
/// Requests after it that show where the traffic goes.
const AFTERWARDS: u64 = 200;

async fn until_sent(load: &ServiceLoad, requests: u64) -> anyhow::Result<()> {
    wait::until("more requests", SOON, async || {
        let sent = load.snapshot().sent();
        ensure!(sent >= requests, "{sent} requests were sent, not {requests}");
        Ok(())
    })
    .await
}

/// The application's own metrics show no error: what has died counts nothing. The status of the
/// pods tells. The release is taken back in the first cluster; the others never see it.
pub(crate) async fn release_whose_pods_crash_under_traffic_is_taken_back(
    bed: &Bed,
) -> anyhow::Result<()> {
    // A bake that outlives the crashes, and a deadline that does not decide.
    let mut settings = Settings::default().steps(&[(50, 60), (100, 1)]);
    settings.failure_policy["progressDeadline"] = "120s".into();
    let service = bed.running("crashing", settings).await?;
    let load = service.load(RPS)?;
    let v1 = look::revision(&service.rollout().await?);
    service.release(&Release::new("v2").start_delay_ms(0).crash_after_requests(REQUESTS)).await?;
    let rollout = service.aborted(RELEASE).await?;
    let v2 = look::revision(&rollout);
    let ended = load.snapshot().sent();
    // What was under way at the end has its answer by then.
    until_sent(&load, ended + UNDER_WAY).await?;
    let back = load.snapshot();
    until_sent(&load, ended + UNDER_WAY + AFTERWARDS).await?;
    let report = load.stop().await;

    let abort = rollout.status.unwrap_or_default().abort.context("status.abort is missing")?;
    ensure!(abort.reason == "CanaryCrashing", "status.abort is {abort:?}");
    let named = (abort.cluster.as_deref(), abort.step, abort.metric.as_deref());
    ensure!(named == (Some("m1"), Some(1), None), "status.abort is {abort:?}");
    for words in ["of 1 canary pods crashed", "container app: Error, exit code 1", "stable: 0 of 2"]
    {
        ensure!(abort.message.contains(words), "{words} is not in {:?}", abort.message);
    }
    look::event_that_names(&service, "ClusterFailed", &["canary pods crashed"]).await?;
    look::event(&service, "RolloutAborted").await?;
    look::services_select(&service, service.place("m1")?, &v1).await?;
    let weights = service.weights("m1").await?;
    ensure!(weights == (100, 0), "the weights in m1 are {weights:?}");
    ensure!(report.of_version("v2") == back.of_version("v2"), "v2 still answers: {report}");
    ensure!(report.failed() == back.failed(), "requests fail after the end: {report}");
    ensure!(back.in_member("m1", "v2") >= REQUESTS, "m1 hardly tried v2: {back}");
    for member in ["m2", "m3"] {
        let seen = look::has_deployment(&service, service.place(member)?, &v2).await?;
        ensure!(!seen, "{member} has a Deployment of v2");
    }
    eprintln!(
        "        crashing: {} of {} requests failed, {}",
        report.failed(),
        report.sent(),
        abort.message
    );
    Ok(())
}
