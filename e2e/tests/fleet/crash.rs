//! The hub killed at random moments.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockflight_e2e::service::{self, DemoService, Release, Settings};

use crate::bed::{Bed, RELEASE, RPS, now};
use crate::{evidence, look};

const KILLS: u32 = 21;
/// In one release; after them it may come to its end.
const KILLS_PER_RELEASE: u32 = 7;
/// Longest time between two kills: longer than a step takes, so that every moment is hit.
const LIFE_MS: u64 = 2500;
/// Set to repeat a run.
const SEED: &str = "LOCKFLIGHT_SEED";

/// Whatever is cut short, it ends as if it had not been: the same end states, no share raised
/// twice in an attempt, and no request lost.
pub(crate) async fn killing_the_hub_at_any_moment_changes_no_outcome(
    bed: &Bed,
) -> anyhow::Result<()> {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().with_context(|| format!("{SEED} must be a number"))?,
        Err(_) => fastrand::u64(..),
    };
    let mut random = fastrand::Rng::with_seed(seed);
    let service = bed.running("crash", Settings::default()).await?;
    let load = service.load(RPS)?;
    let mut stable = look::revision(&service.rollout().await?);
    let mut kills = 0;
    for number in 2.. {
        if kills >= KILLS {
            break;
        }
        let good = number % 2 == 0;
        let version = format!("v{number}");
        let release = Release::new(&version).error_rate(if good { 0.0 } else { 0.3 });
        let played = play(bed, &service, &release, &mut random).await;
        kills += played.with_context(|| format!("{SEED}={seed}, {version}, {kills} kills"))?;
        if good {
            stable = look::revision(&service.rollout().await?);
        }
        for place in service.places() {
            look::services_select(&service, place, &stable).await?;
            let weights = service.weights(&place.name).await?;
            ensure!(weights == (100, 0), "the weights in {} are {weights:?}", place.name);
        }
        let counts = load.snapshot();
        ensure!(counts.failed() == 0, "{SEED}={seed}, {version}: requests were lost: {counts}");
    }
    let report = load.stop().await;
    ensure!(report.failed() == 0, "{SEED}={seed}: requests were lost: {report}");
    eprintln!("        {kills} kills, {SEED}={seed}, {} requests", report.sent());
    Ok(())
}

/// One release under kills; how many there were.
async fn play(
    bed: &Bed,
    service: &DemoService,
    release: &Release,
    random: &mut fastrand::Rng,
) -> anyhow::Result<u32> {
    let begun = now();
    let before = service.status().await?.attempt.map_or(0, |attempt| attempt.number);
    service.release(release).await?;
    let mut kills = 0;
    while kills < KILLS_PER_RELEASE {
        let life = Duration::from_millis(random.u64(0..LIFE_MS));
        let end = service.wait_for("the end", life, |rollout| service::ended(rollout).is_some());
        if end.await.is_ok() {
            break;
        }
        bed.hub.kill9().await?;
        bed.hub.start().await?;
        kills += 1;
    }
    let rollout = if release.error_rate > 0.0 {
        service.aborted(RELEASE).await?
    } else {
        service.completed(RELEASE).await?
    };
    let status = rollout.status.unwrap_or_default();
    let attempt = status.attempt.context("no attempt")?;
    ensure!(attempt.number == before + 1, "attempt {before} was followed by {attempt:?}");
    for place in service.places() {
        let written = evidence::weights(bed, service, &place.name, begun)?;
        let twice = evidence::raised_twice(&written);
        ensure!(twice.is_empty(), "{twice:?} % twice in {}: {written:?}", place.name);
        if release.error_rate > 0.0 && place.name != "m1" {
            ensure!(written.is_empty(), "{} saw the bad release: {written:?}", place.name);
        }
    }
    Ok(kills)
}
