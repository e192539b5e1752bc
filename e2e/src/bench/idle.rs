//! (e) At rest: memory and requests.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;

use super::ground::{Ground, RELEASE};
use super::incumbents;
use super::row::{Findings, Row, Target};
use super::steps::count;
use crate::service::{DemoService, Release, Settings};
use crate::witness;

/// Old pods go and Events are merged for so long after a release.
const QUIET_AFTER: Duration = Duration::from_secs(15);
const WATCHED_FOR: Duration = Duration::from_mins(1);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

pub(super) async fn measure(ground: &Ground, runs: u32) -> anyhow::Result<Findings> {
    let settings = Settings { replicas: 1, analysis: json!([]), ..Settings::default() };
    let service =
        DemoService::create(&ground.fleet, "bench-rest", "shop", settings.ungated()).await?;
    service.release(&Release::new("v1").start_delay_ms(0)).await?;
    service.completed(RELEASE).await?;
    // Nothing can be watched for here: what is waited for is that nothing happens any more.
    tokio::time::sleep(QUIET_AFTER).await;

    let mut memory = Row::new("(e) RSS of the hub at rest, MiB", incumbents::MEMORY)
        .target(Target::median(40.0));
    let from = Utc::now();
    let pause = WATCHED_FOR / runs.max(1);
    for _ in 0..runs {
        memory.spread.push(mebibytes(ground.hub.rss_bytes()?));
        tokio::time::sleep(pause).await;
    }
    let asked = witness::of_hub(ground.fleet.clusters(), from, Utc::now())?;
    let mut writes = Row::new("    writes in 60 s at rest", incumbents::REQUESTS_AT_REST)
        .target(Target::median(0.0));
    writes.spread.push(count(asked.writes));
    let mut reads = Row::new("    reads in 60 s at rest", incumbents::REQUESTS_AT_REST);
    reads.spread.push(count(asked.reads));
    let members = ground.fleet.members.len();
    let note = format!(
        "(e): {members} members, after everything above; requests at rest: {}. Beside these, one \
         GET /version to each member every 2 s (its heartbeat), which the audit policy leaves out; \
         watches opened again: {}",
        asked.text(),
        asked.watches
    );
    Ok(Findings { rows: vec![memory, writes, reads], notes: vec![note] })
}

#[expect(clippy::cast_precision_loss, reason = "no process has that much memory")]
pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / MEBIBYTE
}
