//! (a) A metric turns bad in a step that bakes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::ComparisonRule;
use lockflight_crds::{Rollout, VerdictState};
use serde_json::json;

use super::ground::{Ground, LoneService, RELEASE, SOON};
use super::observer::Question;
use super::requests::{canary_weight, first_write, seconds};
use super::routes::RouteWatch;
use super::row::{Findings, Row, Target};
use super::{MEMBER, incumbents};
use crate::load::Load;
use crate::{addresses, apply};

const NAMESPACE: &str = "bench-reaction";
const TEMPLATE: &str = "errors";
const WEIGHT: u8 = 50;
/// Longer than any run.
const BAKE_SECONDS: u32 = 600;
const RPS: u32 = 100;
const MIN_SAMPLES: u32 = 10;
/// Of the metric's rule; the observer's must be the same.
const MAX_RATIO: f64 = 2.0;
const TOLERATED_SHARE: f64 = 0.01;
const FAULTS: &str = "error_rate=0.5";
/// What the hub lets pass after an acknowledgement before evidence counts.
const SETTLE: TimeDelta = TimeDelta::seconds(1);
/// One scrape: the fault comes at any time within it.
const SCRAPE_MS: u64 = 1000;

pub(super) async fn measure(ground: &Ground, runs: u32) -> anyhow::Result<Findings> {
    let mut lone = ground.lone_service(NAMESPACE, &[(100, 0)]).await?;
    let stable = lone.pods(|_| true).await?;
    lone.ready_at_once = false;
    apply::apply(&ground.fleet.hub.client(), &template()).await?;
    let settings = lone.service.settings_mut();
    *settings = settings.clone().steps(&[(WEIGHT, BAKE_SECONDS), (100, 0)]);
    settings.analysis = json!([{ "template": TEMPLATE }]);
    let gateway = (addresses::envoy(ground.member()?.index()), addresses::GATEWAY_PORT);
    let load = Load::builder(SocketAddr::from(gateway), &lone.service.host()).rps(RPS).start()?;

    let mut written =
        Row::new("(a) gate fails in Prometheus → weight 0 written", incumbents::REACTION)
            .target(Target { median: 0.3, max: Some(1.0) });
    let mut accepted = Row::new("    → acknowledged by the router", incumbents::NOT_WAITED_FOR);
    for _ in 0..runs {
        let (to_write, to_router) = react(ground, &mut lone, &stable).await?;
        written.spread.push(to_write);
        accepted.spread.push(to_router);
    }
    let report = load.stop().await;
    let note = format!(
        "(a): comparison of errors by pod, scrape interval 1 s, {MIN_SAMPLES} samples at least, \
         {RPS} requests/s, half of them to the canary, faults switched on at a random time in a \
         step that bakes. The first instant is when an observer with the gate's own query and rule, \
         asking every 50 ms, *sent* the question that was answered with a failure; the write is \
         when the member's API server had answered it (audit log); the acknowledgement is its \
         arrival in a watch of the route. One machine, one clock. {} requests, {} lost",
        report.sent,
        report.failed()
    );
    Ok(Findings { rows: vec![written, accepted], notes: vec![note] })
}

/// One release that goes bad.
async fn react(
    ground: &Ground,
    lone: &mut LoneService,
    stable: &BTreeSet<String>,
) -> anyhow::Result<(f64, f64)> {
    let mut route = RouteWatch::start(&lone.service, MEMBER)?;
    lone.release_next().await?;
    let rollout = lone.service.wait_for("a verdict of the healthy canary", SOON, passing).await?;
    let acknowledged_at = acknowledged_at(&rollout).context("a step without acknowledgement")?;
    let version = lone.version();
    let question = Question {
        prometheus: (addresses::prometheus(ground.member()?.index()), addresses::PROMETHEUS_PORT)
            .into(),
        bad: selector(",code=~\"5..\""),
        total: selector(""),
        canary: lone.pods(|other| other == version).await?,
        stable: stable.clone(),
        opened_at: acknowledged_at + SETTLE,
        rule: ComparisonRule::new(MAX_RATIO, TOLERATED_SHARE, MIN_SAMPLES.into())
            .context("a rule of constants")?,
    };
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..SCRAPE_MS))).await;
    let fault = Utc::now();
    let faulty = async {
        let pods = lone.service.control(MEMBER, &version, FAULTS).await?;
        anyhow::ensure!(pods > 0, "there is no pod of {version}");
        Ok(())
    };
    let (bad, ()) = tokio::try_join!(question.first_failure(SOON), faulty)?;
    let accepted = route.acknowledged(0, fault, SOON).await?;
    let back = |event: &crate::audit::Event| canary_weight(event) == Some(0);
    let written = first_write("weight 0", [ground.member()?], fault, back).await?;
    lone.service.aborted(RELEASE).await?;
    Ok((seconds(bad, written), seconds(bad, accepted)))
}

fn passing(rollout: &Rollout) -> bool {
    let members = rollout.status.iter().flat_map(|status| &status.members);
    rollout.status.as_ref().and_then(|s| s.observed_generation) == rollout.metadata.generation
        && members.into_iter().any(|member| {
            member.acknowledged_weight == WEIGHT
                && member.verdict.as_ref().is_some_and(|v| v.state == VerdictState::Pass)
        })
}

fn acknowledged_at(rollout: &Rollout) -> Option<DateTime<Utc>> {
    rollout.status.as_ref()?.members.iter().find(|member| member.name == MEMBER)?.acknowledged_at
}

fn selector(code: &str) -> String {
    format!("http_requests_total{{namespace=\"{NAMESPACE}\"{code}}}")
}

fn template() -> serde_json::Value {
    json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": TEMPLATE, "namespace": NAMESPACE },
        "spec": { "metrics": [{
            "name": "errors",
            "compare": {
                "bad": selector(",code=~\"5..\""),
                "total": selector(""),
                "by": { "pod": {} },
                "warmUp": "0s",
            },
        }]},
    })
}
