//! (b) From a changed template to the first weight.

use chrono::Utc;

use super::ground::{Ground, SOON};
use super::row::{Findings, Row, Target};
use super::{MEMBER, incumbents};
use crate::witness::{RouteWatch, canary_weight, first_write, seconds};

const FIRST: u8 = 50;

pub(super) async fn measure(ground: &Ground, runs: u32) -> anyhow::Result<Findings> {
    let mut lone = ground.lone_service("bench-first", &[(FIRST, 0), (100, 0)]).await?;
    let mut row = Row::new("(b) template changed → first weight written", incumbents::FIRST_WEIGHT)
        .target(Target::median(0.5));
    for _ in 0..runs {
        let mut route = RouteWatch::start(&lone.service, MEMBER)?;
        let changed = Utc::now();
        lone.release_next().await?;
        route.acknowledged(FIRST.into(), changed, SOON).await?;
        let first = |event: &crate::audit::Event| canary_weight(event) == Some(FIRST.into());
        let written = first_write("the first weight", [ground.member()?], changed, first).await?;
        row.spread.push(seconds(changed, written));
        lone.at_rest().await?;
    }
    let note = "(b), (c), (d): one replica in one cluster, no gates, no readiness probe (a pod is \
                ready when its process has started); from just before the change is sent until the \
                member's API server has answered the write (its audit log)";
    Ok(Findings { rows: vec![row], notes: vec![note.to_owned()] })
}
