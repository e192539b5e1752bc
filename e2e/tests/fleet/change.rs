//! The spec, or what the hub knows, changes under way.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::api::{Patch, PatchParams};
use lockflight_crds::{MemberPhase, Rollout};
use lockflight_e2e::apply;
use lockflight_e2e::service::{DemoService, Release, ServiceReport, Settings};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::{evidence, look};

fn settings() -> Settings {
    let settings = Settings::default().only(&["m1", "m2"]).steps(&[(40, 1), (100, 0)]).ungated();
    settings.waves(json!([{ "name": "both", "maxConcurrent": 2, "bake": { "time": "0s" } }]))
}

async fn serves_everywhere(service: &DemoService, revision: &str) -> anyhow::Result<()> {
    for member in ["m1", "m2"] {
        let place = service.place(member)?;
        look::services_select(service, place, revision).await?;
        let weights = service.weights(member).await?;
        ensure!(weights == (100, 0), "the weights in {member} are {weights:?}");
    }
    Ok(())
}

fn nothing_lost(report: &ServiceReport) -> anyhow::Result<()> {
    ensure!(report.failed() == 0, "requests were lost: {report}");
    ensure!(report.application_errors() == 0, "requests failed: {report}");
    Ok(())
}

/// Releases v3 when v2 has got as far as `far` says.
async fn supersede(
    bed: &Bed,
    namespace: &str,
    what: &str,
    far: impl Fn(&Rollout) -> bool,
) -> anyhow::Result<()> {
    let service = bed.running(namespace, settings()).await?;
    let load = service.load_in(&["m1", "m2"], RPS)?;
    service.release(&Release::new("v2")).await?;
    let far = |rollout: &Rollout| look::is_current(rollout) && far(rollout);
    service.wait_for(what, RELEASE, far).await?;
    service.release(&Release::new("v3")).await?;
    let rollout = service.completed(RELEASE).await?;
    let report = load.stop().await;
    nothing_lost(&report)?;
    ensure!(report.of_version("v3") > 0, "v3 never served: {report}");
    serves_everywhere(&service, &look::revision(&rollout)).await
}

/// A newer revision in mid-rollout.
pub(crate) async fn newer_revision_in_mid_rollout_loses_nothing(bed: &Bed) -> anyhow::Result<()> {
    let far = |rollout: &Rollout| look::has_share(rollout, "m1", 40);
    supersede(bed, "mid-rollout", "v2 to have traffic", far).await
}

/// A newer revision in mid-promotion.
pub(crate) async fn newer_revision_in_mid_promotion_loses_nothing(bed: &Bed) -> anyhow::Result<()> {
    let far = |rollout: &Rollout| look::is_in(rollout, "m1", MemberPhase::Promoting);
    supersede(bed, "mid-promotion", "v2 to be promoted", far).await
}

/// The spec goes back to what is stable: v2 is taken back, and v1 is not tried against itself.
pub(crate) async fn spec_reverted_to_stable_takes_the_release_back(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.running("reverted", settings()).await?;
    let load = service.load_in(&["m1", "m2"], RPS)?;
    service.release(&Release::new("v2")).await?;
    let far = |rollout: &Rollout| look::is_current(rollout) && look::has_share(rollout, "m1", 40);
    service.wait_for("v2 to have traffic", RELEASE, far).await?;
    let reverted = now();
    service.release(&Release::new("v1")).await?;
    let rollout = service.completed(SOON).await?;
    let report = load.stop().await;
    nothing_lost(&report)?;
    for member in ["m1", "m2"] {
        let written = evidence::weights(bed, &service, member, reverted)?;
        let raised = written.iter().any(|weight| weight.percent > 0);
        ensure!(!raised, "v1 was tried against itself in {member}: {written:?}");
    }
    serves_everywhere(&service, &look::revision(&rollout)).await
}

/// The same manifest again is no new revision and no write.
pub(crate) async fn same_manifest_applied_again_starts_nothing(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("reapplied", settings().only(&["m1"])).await?;
    // Events wait in a queue while the status is there already; this is the last of them.
    look::event(&service, "RolloutCompleted").await?;
    let before = service.rollout().await?;
    let begun = now();
    service.release(&Release::new("v1")).await?;
    // Something that cannot be told from a change by its resourceVersion alone.
    service.annotate("example.com/touched", "yes").await?;
    let moved = |rollout: &Rollout| {
        rollout.status.as_ref().and_then(|status| status.attempt.clone())
            != before.status.as_ref().and_then(|status| status.attempt.clone())
    };
    service.never("another attempt began", Duration::from_secs(3), moved).await?;
    for cluster in bed.fleet.clusters() {
        let written = evidence::writes(cluster, service.namespace(), begun)?;
        ensure!(written.is_empty(), "the hub wrote in {}: {written:?}", cluster.name());
    }
    Ok(())
}

/// A Rollout deleted in the middle leaves every cluster serving what was stable.
pub(crate) async fn deleted_rollout_leaves_stable_serving(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("deleted", settings()).await?;
    let v1 = look::revision(&service.rollout().await?);
    let load = service.load_in(&["m1", "m2"], RPS)?;
    service.release(&Release::new("v2")).await?;
    let far = |rollout: &Rollout| look::is_current(rollout) && look::has_share(rollout, "m1", 40);
    service.wait_for("v2 to have traffic", RELEASE, far).await?;
    service.delete(SOON).await?;
    serves_everywhere(&service, &v1).await?;
    let report = load.stop().await;
    nothing_lost(&report)
}

/// A status wiped by hand is noticed: first the traffic goes back, then the release starts over.
pub(crate) async fn wiped_status_is_never_a_first_deployment(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("wiped", settings()).await?;
    let load = service.load_in(&["m1", "m2"], RPS)?;
    service.release(&Release::new("v2")).await?;
    let far = |rollout: &Rollout| look::is_current(rollout) && look::has_share(rollout, "m1", 40);
    let before = service.wait_for("v2 to have traffic", RELEASE, far).await?;
    let number = before.status.and_then(|status| status.attempt).context("no attempt")?.number;
    let wiped = now();
    // A patch to null leaves nothing of the status.
    let patch = Patch::Merge(json!({ "status": null }));
    let params = PatchParams {
        field_manager: Some(apply::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    service.api().patch_status(service.name(), &params, &patch).await?;
    let rollout = service.completed(RELEASE).await?;
    let report = load.stop().await;
    look::event(&service, "StatusLost").await?;
    nothing_lost(&report)?;
    let attempt = rollout.status.clone().and_then(|status| status.attempt).context("no attempt")?;
    ensure!(attempt.number > number, "attempt {number} was followed by {attempt:?}");
    let written = evidence::weights(bed, &service, "m1", wiped)?;
    ensure!(
        written.first().is_some_and(|weight| weight.percent == 0),
        "the first weight after the loss is not 0: {written:?}"
    );
    serves_everywhere(&service, &look::revision(&rollout)).await
}
