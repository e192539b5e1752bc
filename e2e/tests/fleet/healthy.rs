//! A release that is good.

use anyhow::ensure;
use lockflight_e2e::service::{Release, Settings};

use crate::bed::{Bed, RELEASE, RPS, SOON};
use crate::look;

/// Three clusters in two waves reach 100 %, the old revision goes last, and no request is lost.
pub(crate) async fn healthy_release_reaches_every_cluster_without_a_lost_request(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.running("healthy", Settings::default()).await?;
    let load = service.load(RPS)?;
    let v1 = look::revision(&service.rollout().await?);
    service.release(&Release::new("v2").start_delay_ms(1000)).await?;
    let rollout = service.completed(RELEASE).await?;
    let v2 = look::revision(&rollout);
    let before = load.snapshot();
    look::until_replicas(&service, &v1, 0, SOON).await?;
    let after = load.stop().await;

    ensure!(after.failed() == 0, "requests were lost: {after}");
    ensure!(after.application_errors() == 0, "requests failed: {after}");
    for place in service.places() {
        let member = &place.name;
        ensure!(after.in_member(member, "v1") > 0, "v1 never served in {member}: {after}");
        let (old, new) = (after.in_member(member, "v1"), after.in_member(member, "v2"));
        ensure!(new > 0, "v2 never served in {member}: {after}");
        ensure!(
            old == before.in_member(member, "v1"),
            "v1 still serves in {member} after the end: {after}"
        );
        ensure!(
            service.weights(member).await? == (100, 0),
            "at rest the weights in {member} are {:?}",
            service.weights(member).await?
        );
        look::services_select(&service, place, &v2).await?;
    }
    let status = rollout.status.unwrap_or_default();
    ensure!(status.clusters.as_deref() == Some("3/3"), "status.clusters is {:?}", status.clusters);
    Ok(())
}
