//! Releases that are taken back by kubectl alone, by the commands of the page, with the hub dead.

use anyhow::{Context as _, ensure};
use lockflight_crds::Rollout;
use lockflight_e2e::console::steps;
use lockflight_e2e::service::{Release, ServiceLoad, Settings};
use lockflight_e2e::{demo, wait};
use serde_json::json;

use crate::bed::{Bed, RELEASE, SOON};
use crate::pages::{follow, page, shell};

/// A canary with half of the traffic loses it.
pub(crate) async fn break_glass_takes_the_traffic_off_without_the_hub(
    bed: &Bed,
) -> anyhow::Result<()> {
    let mut settings = demo::settings().only(&["m1"]);
    settings.steps = json!([{ "weight": 50, "approval": "After" }, { "weight": 100 }]);
    by_hand(bed, settings, "Where the release is a canary").await
}

/// A member that has promoted the release, while another still waits, serves the old one again.
pub(crate) async fn break_glass_brings_back_what_was_promoted_over(
    bed: &Bed,
) -> anyhow::Result<()> {
    let mut settings = demo::settings().only(&["m1", "m2"]);
    for wave in settings.waves.as_array_mut().into_iter().flatten().skip(1) {
        wave["approval"] = json!("Before");
    }
    by_hand(bed, settings, "Where it was promoted already").await
}

/// Releases v2 until it waits for approval, kills the hub, and follows a section of the page for
/// m1; then the one for the hub's return.
async fn by_hand(bed: &Bed, settings: Settings, section: &str) -> anyhow::Result<()> {
    let service = bed.checkout(settings).await?;
    service.establish(&Release::new("v1"), SOON).await?;
    let load = service.load_in(&["m1"], demo::RPS)?;
    service.release(&Release::new("v2")).await?;
    let waits = |rollout: &Rollout| waits_for(rollout, "AwaitingApproval");
    service.wait_for("v2 to wait for approval", RELEASE, waits).await?;
    bed.hub.kill9().await?;

    let (shell, folder) = shell(bed)?;
    let text = page("how-to/break-glass.md")?;
    follow(&shell, &steps(part(&text, section)?)?, &folder).await?;
    only_v1_serves(&load).await?;
    bed.hub.start().await?;
    bed.hub.wait_ready().await?;
    let conflict = |rollout: &Rollout| waits_for(rollout, "TrafficConflict");
    let rollout = service.wait_for("the hub to notice", SOON, conflict).await?;
    let said = rollout.status.unwrap_or_default().waiting;
    ensure!(said.iter().any(|waiting| waiting.message.contains("kubectl-patch")), "{said:?}");
    ensure!(service.weights("m1").await? == (100, 0), "the hub fights over the weights");
    follow(&shell, &steps(part(&text, "When the hub returns")?)?, &folder).await?;
    only_v1_serves(&load).await?;
    let after = load.stop().await;
    ensure!(after.failed() == 0, "requests were lost: {after}");
    Ok(())
}

async fn only_v1_serves(load: &ServiceLoad) -> anyhow::Result<()> {
    wait::until("v2 to get no more requests", SOON, async || {
        let before = load.snapshot().in_member("m1", "v2");
        let served = load.snapshot().in_member("m1", "v1");
        wait::until("more requests", SOON, async || {
            ensure!(load.snapshot().in_member("m1", "v1") > served + 50, "not yet");
            Ok(())
        })
        .await?;
        ensure!(load.snapshot().in_member("m1", "v2") == before, "v2 still serves");
        Ok(())
    })
    .await
}

fn waits_for(rollout: &Rollout, reason: &str) -> bool {
    let waiting = rollout.status.iter().flat_map(|status| &status.waiting);
    waiting.into_iter().any(|waiting| waiting.reason == reason)
}

/// What stands under a heading of a page.
fn part<'p>(page: &'p str, heading: &str) -> anyhow::Result<&'p str> {
    let (_, rest) = page
        .split_once(&format!("\n## {heading}\n"))
        .with_context(|| format!("the page has no part {heading:?}"))?;
    Ok(rest.split("\n## ").next().unwrap_or(rest))
}
