//! What happens in the demo, in its order.

use std::sync::Arc;
use std::time::Duration;

use lockflight_crds::{AttemptPhase, Rollout, revision_of};
use serde_json::json;

use super::follow::Follower;
use super::measure::Caught;
use super::outcome::{Bad, Outcome};
use super::stage::Stage;
use crate::fleet::Fleet;
use crate::service::{DemoService, Place, Release, ServiceReport, Settings, ended};
use crate::wait;
use crate::witness::RouteWatch;

/// Namespace of the demo's service.
pub const NAMESPACE: &str = "shop";
/// Name of the demo's service, and of its Rollout and routes.
pub const SERVICE: &str = "checkout";
/// Requests per second on each member's gateway.
pub const RPS: u32 = 60;
/// More than ten times what each of them takes on an idle machine.
const DEPLOY_DEADLINE: Duration = Duration::from_mins(1);
const RELEASE_DEADLINE: Duration = Duration::from_mins(5);
const TRAFFIC_DEADLINE: Duration = Duration::from_secs(30);
/// Requests per cluster that show who serves.
const ENOUGH: u64 = 100;

/// A demo that was played to its end.
pub(super) struct Told {
    /// The service, which still runs.
    pub(super) service: DemoService,
    /// Whether all went as it should.
    pub(super) as_it_should_be: bool,
}

/// Plays it. With `hold` another load follows, so that none is said to have ended.
pub(super) async fn tell(fleet: &Fleet, stage: &Arc<Stage>, hold: bool) -> anyhow::Result<Told> {
    let service = DemoService::create(fleet, NAMESPACE, SERVICE, settings()).await?;
    let follower = Follower::start(&service, stage);
    let (v1, v2) = (Release::new("v1"), Release::new("v2"));

    name(&follower, &service, &v1)?;
    stage.tell("v1", &format!("applied: the Rollout {SERVICE} in the namespace {NAMESPACE}"));
    service.establish(&v1, DEPLOY_DEADLINE).await?;
    follower.carry(service.load(RPS)?);
    let gateways = service.places().len();
    stage
        .tell("load", &format!("{RPS} requests/s on each of {gateways} gateways, without a pause"));
    until_served(&follower, &service, "v1").await?;

    name(&follower, &service, &v2)?;
    stage.tell("v2", "released: a healthy version");
    let promoted = release(&service, &v2).await?;
    // Without a good v2 there is nothing to go back to.
    let bad = if ended(&promoted) == Some(AttemptPhase::Completed) {
        until_served(&follower, &service, "v2").await?;
        Some(release_bad(fleet, stage, &follower, &service).await?)
    } else {
        None
    };
    let report = match follower.put_down() {
        Some(load) => load.stop().await,
        None => ServiceReport::default(),
    };
    if !hold {
        stage.tell("load", "ended");
    }
    stage.leave_tree();
    let outcome = Outcome { promoted, bad, report };
    stage.print(&outcome.describe(stage.begun().elapsed()));
    Ok(Told { service, as_it_should_be: outcome.differences().is_empty() })
}

/// Releases v3 under the eyes of witnesses, until it has come to its end.
async fn release_bad(
    fleet: &Fleet,
    stage: &Stage,
    follower: &Follower,
    service: &DemoService,
) -> anyhow::Result<Bad> {
    let v3 = bad_release("v3");
    name(follower, service, &v3)?;
    stage.tell("v3", "released: 10 % of its answers are errors, all are 150 ms slower");
    let watch = |place: &Place| Ok((place.name.clone(), RouteWatch::start(service, &place.name)?));
    let routes = service.places().iter().map(watch).collect::<anyhow::Result<_>>()?;
    let rollout = release(service, &v3).await?;
    let v2_serves = until_served(follower, service, "v2").await.is_ok();
    if v2_serves {
        stage.tell("v2", &format!("has answered {ENOUGH} more requests in every cluster"));
    }
    let status = rollout.status.clone().unwrap_or_default();
    let caught = Caught::gather(fleet, service, &status, &routes).await?;
    Ok(Bad { rollout, v2_serves, caught })
}

/// A release that is caught: a tenth of its answers are errors, and all are slower.
#[must_use]
pub fn bad_release(version: &str) -> Release {
    Release::new(version).error_rate(0.1).latency_ms(150)
}

/// Short bakes; what ends a step is its evidence.
#[must_use]
pub fn settings() -> Settings {
    let step = |weight: u8, time: &str| json!({ "weight": weight, "bake": { "time": time } });
    Settings {
        steps: json!([step(20, "3s"), step(50, "3s"), step(100, "2s")]),
        ..Settings::default()
    }
}

/// Lets the timeline call the revision of a release by its version.
fn name(follower: &Follower, service: &DemoService, release: &Release) -> anyhow::Result<()> {
    let rollout: Rollout = serde_json::from_value(service.manifest(release))?;
    let revision = revision_of(&rollout.spec);
    follower.name(revision, &release.version);
    Ok(())
}

/// Applies a release and waits for its end, whatever that is.
async fn release(service: &DemoService, release: &Release) -> anyhow::Result<Rollout> {
    service.release(release).await?;
    let what = format!("{} to be promoted or aborted", release.version);
    service.wait_for(&what, RELEASE_DEADLINE, |rollout| ended(rollout).is_some()).await
}

/// Waits until a version has answered enough requests, from now on, in every member.
async fn until_served(
    follower: &Follower,
    service: &DemoService,
    version: &str,
) -> anyhow::Result<()> {
    let before = follower.counts();
    wait::until(&format!("{version} to serve everywhere"), TRAFFIC_DEADLINE, async || {
        let now = follower.counts();
        for place in service.places() {
            let of = |report: &ServiceReport| report.in_member(&place.name, version);
            let answers = of(&now).saturating_sub(of(&before));
            anyhow::ensure!(answers >= ENOUGH, "{answers} answers in {}", place.name);
        }
        Ok(())
    })
    .await
}
