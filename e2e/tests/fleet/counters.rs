//! Failures that a gate has counted outlive the hub.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockflight_e2e::service::{self, Release, Settings};
use serde_json::json;

use crate::bed::{Bed, RELEASE};

const TEMPLATE: &str = "counting";
/// Failures that take the release back, one every three seconds.
const FAILURES: u32 = 6;
/// How long a hub lives: enough for two or three measurements, and far too short for all.
const LIFE: Duration = Duration::from_secs(8);
/// Lives after which the counters must have come together, twice as many as it takes.
const LIVES: u32 = 6;

/// A hub that never lives long enough to see a limit passed passes it all the same.
pub(crate) async fn failures_are_counted_over_the_hubs_restarts(bed: &Bed) -> anyhow::Result<()> {
    let namespace = "counting";
    let mut settings = Settings::default().only(&["m1"]).steps(&[(50, 0), (100, 0)]);
    settings.analysis = json!([{ "template": TEMPLATE }]);
    let run = json!({
        "successCondition": "result[0] >= 1",
        "interval": "3s",
        "count": 100,
        "failureLimit": FAILURES - 1,
    });
    let template = json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": TEMPLATE, "namespace": namespace },
        "spec": { "metrics": [
            { "name": "never", "threshold": { "query": "vector(0)", "argo": run } },
        ]},
    });
    let service = bed.running_with(namespace, settings, &template).await?;
    service.release(&Release::new("v2")).await?;
    let counting = |rollout: &lockflight_crds::Rollout| {
        let evidence = rollout.status.as_ref().and_then(|status| status.evidence.as_ref());
        evidence.is_some_and(|evidence| evidence.counters.contains_key("m1"))
    };
    service.wait_for("the first failure in status", RELEASE, counting).await?;
    let mut kills = 0;
    loop {
        bed.hub.kill9().await?;
        bed.hub.start().await?;
        kills += 1;
        let end = service.wait_for("the end", LIFE, |rollout| service::ended(rollout).is_some());
        if end.await.is_ok() {
            break;
        }
        ensure!(kills < LIVES, "{kills} lives of {LIFE:?}, and the failures do not add up");
    }
    let aborted = service.aborted(RELEASE).await?;
    let abort = aborted.status.unwrap_or_default().abort.context("status.abort is missing")?;
    let limit = format!("{FAILURES} failed measurements, failureLimit is {}", FAILURES - 1);
    ensure!(
        abort.metric.as_deref() == Some("never") && abort.message.contains(&limit),
        "status.abort is {abort:?}"
    );
    ensure!(kills > 1, "one life was enough: nothing was to be counted on");
    eprintln!("        {kills} kills");
    Ok(())
}
