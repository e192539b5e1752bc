//! (a) A metric turns bad in a step that bakes.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::Condition;
use lockflight_crds::{Rollout, VerdictState};
use serde_json::json;

use super::ground::{Ground, LoneService, RELEASE, SOON};
use super::row::{Findings, Row, Target};
use super::{MEMBER, incumbents};
use crate::load::Load;
use crate::witness::{Question, RouteWatch, canary_weight, first_write, seconds};
use crate::{addresses, apply};

const NAMESPACE: &str = "bench-reaction";
const TEMPLATE: &str = "errors";
const WEIGHT: u8 = 50;
/// Longer than any run.
const BAKE_SECONDS: u32 = 600;
const RPS: u32 = 100;
/// Of the gate's condition; the observer's is the same.
const PASS: &str = "result[0] < 0.05";
const FAULTS: &str = "error_rate=0.5";
/// What the hub lets pass after an acknowledgement before evidence counts.
const SETTLE: TimeDelta = TimeDelta::seconds(1);
/// One scrape: the fault comes at any time within it.
const SCRAPE_MS: u64 = 1000;

pub(super) async fn measure(ground: &Ground, runs: u32) -> anyhow::Result<Findings> {
    let mut lone = ground.lone_service(NAMESPACE, &[(100, 0)]).await?;
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
        let (to_write, to_router) = react(ground, &mut lone).await?;
        written.spread.push(to_write);
        accepted.spread.push(to_router);
    }
    let report = load.stop().await;
    let note = format!(
        "(a): a threshold on the share of errors since the step began, scrape interval 1 s, {RPS} \
         requests/s, half of them to the canary, faults switched on at a random time in a \
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
async fn react(ground: &Ground, lone: &mut LoneService) -> anyhow::Result<(f64, f64)> {
    let mut route = RouteWatch::start(&lone.service, MEMBER)?;
    lone.release_next().await?;
    let rollout = lone.service.wait_for("a verdict of the healthy canary", SOON, passing).await?;
    let acknowledged_at = acknowledged_at(&rollout).context("a step without acknowledgement")?;
    let version = lone.version();
    let canary = lone.pods(|other| other == version).await?;
    let pods: Vec<&str> = canary.iter().map(String::as_str).collect();
    let question = Question {
        prometheus: (addresses::prometheus(ground.member()?.index()), addresses::PROMETHEUS_PORT)
            .into(),
        query: query(&pods.join("|")),
        condition: Condition::compile(PASS)?,
        opened_at: acknowledged_at + SETTLE,
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

/// The share of errors of some pods since the evidence opened.
fn query(pods: &str) -> String {
    let sum = |code: &str| {
        format!(
            "sum(rate(http_requests_total{{namespace=\"{NAMESPACE}\",pod=~\"{pods}\"{code}}}[{{{{window}}}}]))"
        )
    };
    format!("({} or vector(0)) / {}", sum(",code=~\"5..\""), sum(""))
}

fn template() -> serde_json::Value {
    json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": TEMPLATE, "namespace": NAMESPACE },
        "spec": { "metrics": [{
            "name": "errors",
            "threshold": { "query": query("{{canaryPods}}"), "pass": PASS, "interval": "100ms" },
        }]},
    })
}
