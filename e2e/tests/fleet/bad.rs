//! A release that is bad.

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use lockflight_crds::{MemberPhase, names};
use lockflight_e2e::service::{Release, Settings};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::{evidence, look};

/// A rollback that has begun: writes, endpoints, and the router's acknowledgement.
const AT_ONCE: TimeDelta = TimeDelta::seconds(1);

/// Aborted in the first cluster; the others never see it; the traffic goes before any pod does.
pub(crate) async fn bad_release_is_taken_back_where_it_began(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("bad-first", Settings::default()).await?;
    let load = service.load(RPS)?;
    let v1 = look::revision(&service.rollout().await?);
    let begun = now();
    service.release(&Release::new("v2").error_rate(0.3)).await?;
    let rollout = service.aborted(RELEASE).await?;
    let v2 = look::revision(&rollout);
    look::until_replicas_in(&service, service.place("m1")?, &v2, 0, SOON).await?;
    let report = load.stop().await;

    let abort = rollout.status.unwrap_or_default().abort.context("status.abort is missing")?;
    let named = (abort.cluster.as_deref(), abort.step, abort.metric.as_deref());
    ensure!(named == (Some("m1"), Some(1), Some("errors")), "status.abort is {abort:?}");
    ensure!(abort.observed.is_some() && abort.limit.is_some(), "status.abort is {abort:?}");
    look::event(&service, "RolloutAborted").await?;
    look::event(&service, "AnalysisFailed").await?;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    ensure!(report.in_member("m1", "v2") > 0, "m1 never tried v2: {report}");
    for member in ["m2", "m3"] {
        ensure!(report.in_member(member, "v2") == 0, "{member} saw v2: {report}");
        let seen = look::has_deployment(&service, service.place(member)?, &v2).await?;
        ensure!(!seen, "{member} has a Deployment of v2");
    }
    look::services_select(&service, service.place("m1")?, &v1).await?;
    let written = evidence::weights(bed, &service, "m1", begun)?;
    let back = written.last().filter(|weight| weight.percent == 0);
    let back = back.with_context(|| format!("the weights written are {written:?}"))?;
    let log = evidence::writes(&bed.fleet.member("m1")?.cluster, service.namespace(), begun)?;
    let removed = evidence::removals(&log, &names::deployment(service.name(), &v2));
    ensure!(
        removed.first().is_some_and(|removed| *removed > back.at),
        "weight 0 was written at {}, pods were removed at {removed:?}",
        back.at
    );
    Ok(())
}

/// Bad only in the second wave: the finished cluster goes back too, at once, to pods that stand.
pub(crate) async fn failure_in_the_second_wave_takes_the_finished_cluster_back(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.running("bad-second", Settings::default()).await?;
    let load = service.load(RPS)?;
    let v1 = look::revision(&service.rollout().await?);
    let begun = now();
    let _faulty = service.keep_faulty("m2", "v2", "error_rate=0.5")?;
    service.release(&Release::new("v2").start_delay_ms(1000)).await?;
    let promoted = |rollout: &_| look::is_in(rollout, "m1", MemberPhase::Promoted);
    service.wait_for("m1 to be promoted", RELEASE, promoted).await?;
    let rollout = service.aborted(RELEASE).await?;
    let report = load.stop().await;

    let abort = rollout.status.clone().unwrap_or_default().abort.context("no status.abort")?;
    ensure!(abort.cluster.as_deref() == Some("m2"), "status.abort is {abort:?}");
    ensure!(abort.fleet && abort.owed.is_empty(), "status.abort is {abort:?}");
    ensure!(report.failed() == 0, "requests were lost: {report}");
    for place in service.places() {
        look::services_select(&service, place, &v1).await?;
        let weights = service.weights(&place.name).await?;
        ensure!(weights == (100, 0), "the weights in {} are {weights:?}", place.name);
    }
    ensure!(look::is_in(&rollout, "m1", MemberPhase::RolledBack), "m1 is not rolled back");
    let log = evidence::writes(&bed.fleet.member("m1")?.cluster, service.namespace(), begun)?;
    let back = log.iter().filter(|event| event.request_received_timestamp >= abort.at);
    let first = back.map(|event| event.request_received_timestamp).next();
    let first = first.context("nothing was written in m1 after the abort")?;
    ensure!(first - abort.at < AT_ONCE, "aborted at {}, first write in m1 at {first}", abort.at);
    let removed = evidence::removals(&log, &names::deployment(service.name(), &v1));
    ensure!(removed.is_empty(), "the old pods in m1 were taken away at {removed:?}");
    Ok(())
}

/// A finished cluster that cannot be reached is owed its rollback: its first write on return.
pub(crate) async fn unreachable_cluster_is_owed_its_rollback(bed: &Bed) -> anyhow::Result<()> {
    let mut settings = Settings::default();
    settings.waves[1]["approval"] = json!("Before");
    let service = bed.running("bad-owed", settings).await?;
    let load = service.load(RPS)?;
    let _faulty = service.keep_faulty("m2", "v2", "error_rate=0.5")?;
    service.release(&Release::new("v2").start_delay_ms(1000)).await?;
    let awaits = |rollout: &_| {
        look::is_in(rollout, "m1", MemberPhase::Promoted) && !look::tokens(rollout).is_empty()
    };
    let rollout = service.wait_for("the second wave to await approval", RELEASE, awaits).await?;
    let cut = &bed.fleet.member("m1")?.reach;
    let outcome = async {
        cut.partition().await?;
        let unknown = |rollout: &_| {
            look::member(rollout, "m1").is_some_and(|member| member.unknown_since.is_some())
        };
        service.wait_for("m1 to be unknown", SOON, unknown).await?;
        let tokens: Vec<String> = look::tokens(&rollout).into_values().collect();
        service.annotate(names::PROMOTE_ANNOTATION, &tokens.join(",")).await?;
        let rollout = service.aborted(RELEASE).await?;
        let abort = rollout.status.unwrap_or_default().abort.context("no status.abort")?;
        ensure!(abort.owed == ["m1"], "status.abort is {abort:?}");
        let seen = load.snapshot();
        ensure!(seen.in_member("m1", "v2") > 0, "m1 does not serve v2: {seen}");
        Ok(())
    }
    .await;
    let healed = now();
    cut.heal().await?;
    outcome?;
    let back = |rollout: &_| look::is_in(rollout, "m1", MemberPhase::RolledBack);
    let rollout = service.wait_for("m1 to be rolled back", SOON, back).await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    let log = evidence::writes(&bed.fleet.member("m1")?.cluster, service.namespace(), healed)?;
    let first = log.iter().next().context("nothing was written in m1")?;
    let aborted = first.request_object.as_ref().and_then(|body| {
        body["metadata"]["annotations"][names::ABORTED_ANNOTATION].as_str().map(str::to_owned)
    });
    ensure!(
        aborted.as_deref() == Some(&look::revision(&rollout)),
        "the first write after the return is {first:?}"
    );
    Ok(())
}
