//! (f) A release through many members, and one that is taken back from all of them.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::Utc;
use serde_json::json;
use tokio::sync::oneshot;

use super::ground::Ground;
use super::idle::mebibytes;
use super::row::{Findings, Row};
use super::{incumbents, memory_available};
use crate::hub_process::HubProcess;
use crate::service::{DemoService, Release, Settings};
use crate::witness;

const RPS: u32 = 20;
/// Many members on two cores: twenty times what three of them take.
const DEADLINE: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_millis(200);

/// `free_before`: what the machine had to spare before the fleet was started, in bytes.
pub(super) async fn measure(
    ground: &Ground,
    started_in: Duration,
    free_before: u64,
) -> anyhow::Result<Findings> {
    let members = ground.fleet.members.len();
    let settings = Settings::default().waves(json!([
        {
            "name": "first",
            "clusterSelector": { "matchLabels": { "member": "m1" } },
            "bake": { "time": "0s", "samples": 0 },
        },
        { "name": "rest", "maxConcurrent": "100%", "bake": { "time": "0s", "samples": 0 } },
    ]));
    let service = DemoService::create(&ground.fleet, "bench-wide", "shop", settings).await?;
    service.establish(&Release::new("v1"), DEADLINE).await?;
    let load = service.load(RPS)?;
    let from = Utc::now();

    let mut peak = Row::new("    RSS of the hub meanwhile, MiB (each 0.2 s)", incumbents::MEMORY);
    let (stop, stopped) = oneshot::channel();
    let releases = async {
        let begun = Instant::now();
        service.release(&Release::new("v2")).await?;
        service.completed(DEADLINE).await?;
        let through = begun.elapsed();
        let back = take_back(&service).await?;
        // Nobody listens any more only if the other side has failed, which says so itself.
        stop.send(()).ok();
        anyhow::Ok((through, back))
    };
    let ((through, back), sizes) = tokio::try_join!(releases, sizes(&ground.hub, stopped))?;
    let report = load.stop().await;
    peak.spread = sizes.into_iter().collect();

    let row = |name, incumbents, value: Duration| {
        let mut row = Row::new(name, incumbents);
        row.spread.push(value.as_secs_f64());
        row
    };
    let taken = free_before.saturating_sub(memory_available()?);
    let asked = witness::of_hub(ground.fleet.clusters(), from, Utc::now())?;
    let note = format!(
        "(f): {members} members, two replicas each, three gated steps with bakes of 1 s, wave 1 of \
         one and wave 2 of all others at once; then a release that is bad in the last member alone \
         and goes back everywhere, the first wave included. {} requests, {} lost or failed at a \
         gateway. {} writes and {} reads of the hub. The fleet was up after {:.1} s and takes {:.0} MiB of the machine",
        report.sent(),
        report.failed(),
        asked.writes,
        asked.reads,
        started_in.as_secs_f64(),
        mebibytes(taken),
    );
    anyhow::ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(Findings {
        rows: vec![
            row("(f) release through all members, s", incumbents::WHOLE_FLEET, through),
            row("    abort decided → all back, s", incumbents::WHOLE_FLEET_BACK, back),
            peak,
        ],
        notes: vec![note],
    })
}

/// A release that is bad in the last member only; from the decision until all is back.
async fn take_back(service: &DemoService) -> anyhow::Result<Duration> {
    let last = service.places().last().context("a fleet without members")?.name.clone();
    let faulty = service.keep_faulty(&last, "v3", "error_rate=0.5")?;
    service.release(&Release::new("v3")).await?;
    let aborted = service.aborted(DEADLINE).await?;
    drop(faulty);
    let status = aborted.status.context("a Rollout without status")?;
    let decided = status.abort.context("an abort without a reason")?;
    let ended = status.attempt.and_then(|attempt| attempt.ended_at).context("without an end")?;
    anyhow::ensure!(
        decided.cluster.as_deref() == Some(last.as_str()),
        "{:?} was blamed, not {last}",
        decided.cluster
    );
    Ok((ended - decided.at).to_std()?)
}

/// The hub's memory until it is told to stop.
async fn sizes(hub: &HubProcess, mut stop: oneshot::Receiver<()>) -> anyhow::Result<Vec<f64>> {
    let mut sizes = Vec::new();
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = &mut stop => return Ok(sizes),
            _ = ticks.tick() => sizes.push(mebibytes(hub.rss_bytes()?)),
        }
    }
}
