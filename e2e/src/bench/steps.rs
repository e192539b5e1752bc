//! (c) Ten steps.

use chrono::Utc;

use super::ground::{Ground, RELEASE, SOON};
use super::row::{Findings, Row, Target};
use super::{MEMBER, incumbents};
use crate::witness::{RouteWatch, canary_weight, first_write, of_hub, seconds};

/// Ten steps without bakes.
pub(super) const TEN: [(u8, u32); 10] =
    [(10, 0), (20, 0), (30, 0), (40, 0), (50, 0), (60, 0), (70, 0), (80, 0), (90, 0), (100, 0)];

pub(super) async fn measure(ground: &Ground, runs: u32) -> anyhow::Result<Findings> {
    let mut lone = ground.lone_service("bench-steps", &TEN).await?;
    let mut from_change =
        Row::new("(c) template changed → ten steps acknowledged", incumbents::TEN_STEPS)
            .target(Target::median(2.0));
    let mut from_weight = Row::new("    of that from the first weight on", incumbents::NONE);
    let mut promotion = Row::new("    then: promotion, with a settle of 1 s", incumbents::NONE);
    let mut reads = Row::new("    reads until 100 % is acknowledged", incumbents::TEN_STEPS_READS);
    let mut writes =
        Row::new("    writes until 100 % is acknowledged", incumbents::TEN_STEPS_WRITES);
    let mut kinds = String::new();
    for _ in 0..runs {
        let mut route = RouteWatch::start(&lone.service, MEMBER)?;
        let changed = Utc::now();
        lone.release_next().await?;
        let all = route.acknowledged(100, changed, SOON).await?;
        let first = |event: &crate::audit::Event| canary_weight(event) == Some(TEN[0].0.into());
        let begun = first_write("the first weight", [ground.member()?], changed, first).await?;
        from_change.spread.push(seconds(changed, all));
        from_weight.spread.push(seconds(begun, all));
        let completed = lone.service.completed(RELEASE).await?;
        let ended = completed.status.and_then(|status| status.attempt?.ended_at);
        promotion.spread.push(ended.map_or(f64::NAN, |ended| seconds(all, ended)));

        let asked = of_hub(ground.concerned()?, changed, all)?;
        reads.spread.push(count(asked.reads));
        writes.spread.push(count(asked.writes));
        kinds = asked.text();
        lone.at_rest().await?;
    }
    let note = format!(
        "(c): acknowledged as seen in a watch of the route; the router alone needs about 0.13 s \
         for each of the ten. Requests of the last run, hub and member: {kinds}"
    );
    Ok(Findings {
        rows: vec![from_change, from_weight, promotion, reads, writes],
        notes: vec![note],
    })
}

/// Counts are shown beside times.
pub(super) fn count(requests: usize) -> f64 {
    u32::try_from(requests).map_or(f64::INFINITY, f64::from)
}
