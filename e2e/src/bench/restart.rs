//! (d) The hub is killed in the middle of a rollout and started again.

use std::time::Duration;

use chrono::Utc;

use super::ground::{Ground, SOON};
use super::row::{Findings, Row, Target};
use super::steps::TEN;
use super::{MEMBER, incumbents};
use crate::witness::{RouteWatch, canary_weight, first_write, seconds};

/// The hub dies within so many milliseconds after a step was acknowledged.
const WITHIN_MS: u64 = 200;

pub(super) async fn measure(ground: &Ground, runs: u32) -> anyhow::Result<Findings> {
    let mut lone = ground.lone_service("bench-restart", &TEN).await?;
    let mut any = Row::new("(d) hub started after SIGKILL → its next write", incumbents::NONE)
        .target(Target::median(0.5));
    let mut weight = Row::new("    → next weight written", incumbents::RESTART);
    for run in 0..runs {
        let mut route = RouteWatch::start(&lone.service, MEMBER)?;
        let changed = Utc::now();
        lone.release_next().await?;
        // Another step in every run: 10, 20, … 80 %.
        let step = 10 * (1 + u64::from(run % 8));
        route.acknowledged(step, changed, SOON).await?;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..WITHIN_MS))).await;
        ground.hub.kill9().await?;
        let started = Utc::now();
        ground.hub.start().await?;
        route.acknowledged(100, changed, SOON).await?;
        // Its own state and Events come from the same writer, but move nothing.
        let moves = |event: &crate::audit::Event| {
            event.resource() == "rollouts" || event.resource() == "httproutes"
        };
        let next = first_write("the next write", ground.concerned()?, started, moves).await?;
        any.spread.push(seconds(started, next));
        let raised = |event: &crate::audit::Event| canary_weight(event).is_some();
        let next = first_write("the next weight", [ground.member()?], started, raised).await?;
        weight.spread.push(seconds(started, next));
        lone.at_rest().await?;
    }
    let note = "(d): no election; from just before the new process is started until the API server \
                has answered its first write of the Rollout or of the route (audit logs)";
    Ok(Findings { rows: vec![any, weight], notes: vec![note.to_owned()] })
}
