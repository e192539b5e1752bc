//! A member that the hub cannot reach.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use lockflight_crds::{MemberPhase, Rollout, conditions::types, names};
use lockflight_e2e::service::{self, DemoService, Release, Settings};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::{evidence, look};

/// Longer than two steps of a ramp that is allowed to go on.
const WATCHED: Duration = Duration::from_secs(6);
/// From the command to the weight written, whoever is cut off.
const ABORT_TIME: TimeDelta = TimeDelta::milliseconds(1000);

/// m1 and m2 at once, then m3.
fn settings(budget: u32) -> Settings {
    Settings::default()
        .steps(&[(30, 2), (100, 0)])
        .ungated()
        .waves(json!([
            {
                "name": "pair",
                "clusterSelector": {
                    "matchExpressions": [{ "key": "member", "operator": "In", "values": ["m1", "m2"] }],
                },
                "maxConcurrent": 2,
                "bake": { "time": "0s" },
            },
            { "name": "rest", "bake": { "time": "0s" } },
        ]))
        .failure_policy(json!({ "maxUnreachableClusters": budget, "progressDeadline": "60s" }))
}

fn is_unknown(rollout: &Rollout, member: &str) -> bool {
    look::member(rollout, member).is_some_and(|member| member.unknown_since.is_some())
}

/// v2 has traffic in m1 and m2, and m1 is cut off.
async fn cut_in_mid_ramp(bed: &Bed, service: &DemoService) -> anyhow::Result<()> {
    service.release(&Release::new("v2")).await?;
    let ramping = |rollout: &Rollout| {
        look::is_current(rollout)
            && look::has_share(rollout, "m1", 30)
            && look::has_share(rollout, "m2", 30)
    };
    service.wait_for("v2 to have traffic in m1 and m2", RELEASE, ramping).await?;
    bed.fleet.member("m1")?.reach.partition().await?;
    Ok(())
}

/// Without a budget the ramp waits, says since when m1 is unknown, and goes on when it is back.
pub(crate) async fn cut_off_cluster_holds_the_ramp_without_a_budget(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.running("cut-held", settings(0)).await?;
    let load = service.load(RPS)?;
    let outcome = async {
        cut_in_mid_ramp(bed, &service).await?;
        let unknown = |rollout: &Rollout| is_unknown(rollout, "m1");
        let rollout = service.wait_for("m1 to be unknown", SOON, unknown).await?;
        let reason = look::condition(&rollout, types::READY);
        ensure!(
            reason.is_some_and(|(reason, _)| reason == "ClusterUnreachable"),
            "Ready says {reason:?}"
        );
        let note = look::event(&service, "ClusterUnreachable").await?;
        ensure!(note.contains("m1"), "the Event says {note:?}");
        let step = look::member(&rollout, "m2").map_or(0, |member| member.step);
        let moved = |rollout: &Rollout| {
            look::member(rollout, "m2").is_none_or(|member| member.step > step)
                || look::member(rollout, "m3")
                    .is_none_or(|member| member.phase != MemberPhase::Pending)
        };
        service.never("the others went on", WATCHED, moved).await
    }
    .await;
    bed.fleet.member("m1")?.reach.heal().await?;
    outcome?;
    service.completed(RELEASE).await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}

/// With a budget of one the others finish; m1 gets the release when it is back.
pub(crate) async fn cut_off_cluster_is_passed_within_the_budget(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("cut-passed", settings(1)).await?;
    let load = service.load(RPS)?;
    let outcome = async {
        cut_in_mid_ramp(bed, &service).await?;
        let passed = |rollout: &Rollout| {
            is_unknown(rollout, "m1")
                && ["m2", "m3"].iter().all(|name| look::is_in(rollout, name, MemberPhase::Promoted))
        };
        let rollout = service.wait_for("m2 and m3 to be promoted", RELEASE, passed).await?;
        ensure!(service::ended(&rollout).is_none(), "completed although m1 is unknown");
        let done = |rollout: &Rollout| service::ended(rollout).is_some();
        service.never("it was completed without m1", Duration::from_secs(2), done).await
    }
    .await;
    bed.fleet.member("m1")?.reach.heal().await?;
    outcome?;
    service.completed(RELEASE).await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    ensure!(report.in_member("m1", "v2") > 0, "m1 never got v2: {report}");
    Ok(())
}

/// A black hole slows nothing down: an abort of this rollout in its other members, and of
/// another rollout, is as fast as ever. m1 is owed its rollback and gets it.
pub(crate) async fn abort_is_as_fast_with_a_cluster_cut_off(bed: &Bed) -> anyhow::Result<()> {
    let mut held = settings(1);
    held.steps[0]["approval"] = json!("After");
    let service = bed.running("cut-abort", held.clone()).await?;
    let other = bed.running("cut-other", held.only(&["m2", "m3"])).await?;
    other.release(&Release::new("v2")).await?;
    let ramping =
        |rollout: &Rollout| look::is_current(rollout) && look::has_share(rollout, "m2", 30);
    other.wait_for("v2 of the other service to have traffic", RELEASE, ramping).await?;
    let outcome = async {
        cut_in_mid_ramp(bed, &service).await?;
        let unknown = |rollout: &Rollout| is_unknown(rollout, "m1");
        service.wait_for("m1 to be unknown", SOON, unknown).await?;
        for aborted in [&service, &other] {
            let commanded = now();
            aborted.annotate(names::ABORT_ANNOTATION, "take it back").await?;
            let rollout = aborted.aborted(SOON).await?;
            let written = evidence::weights(bed, aborted, "m2", commanded)?;
            let back = written.iter().find(|weight| weight.percent == 0).context("no weight 0")?;
            let took = back.at - commanded;
            eprintln!("        weight 0 written {} ms after the command", took.num_milliseconds());
            ensure!(took < ABORT_TIME, "{took} from the command to weight 0 in m2");
            let owed = rollout.status.unwrap_or_default().abort.context("no status.abort")?.owed;
            let expected: &[&str] = if aborted.namespace() == "cut-abort" { &["m1"] } else { &[] };
            ensure!(owed == expected, "owed is {owed:?}");
        }
        Ok(())
    }
    .await;
    bed.fleet.member("m1")?.reach.heal().await?;
    outcome?;
    let back = |rollout: &Rollout| look::is_in(rollout, "m1", MemberPhase::RolledBack);
    service.wait_for("m1 to be rolled back", SOON, back).await?;
    ensure!(service.weights("m1").await? == (100, 0), "{:?}", service.weights("m1").await?);
    Ok(())
}
