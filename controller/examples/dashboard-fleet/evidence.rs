//! Evidence of the scene `checkout`: one cluster without harm, one that gets worse slowly.

use chrono::{DateTime, TimeDelta, Utc};
use lockflight::dashboard::{AgainstBar, Arm, EvidenceFeed, EvidencePoint, SeriesFacts, SeriesKey};

use crate::world::{World, cluster_name};

/// Seconds between points.
const PERIOD: u32 = 5;
/// Points at the start.
const POINTS: u32 = 360;
/// Evidence of 100 to 1 takes the release back; 20 to 1 opens the gate.
const ABORT_BAR: f64 = 4.605;
const PROMOTE_BAR: f64 = 2.996;

/// Metrics: name, share of bad events, how much worse the new revision is.
const METRICS: [(&str, f64, f64); 2] = [("errors", 0.002, 1.0), ("latency", 0.01, 1.15)];

pub(crate) fn backfill(world: &World, feed: &EvidenceFeed) {
    let start = Utc::now() - TimeDelta::seconds(i64::from(POINTS * PERIOD));
    for number in 0..POINTS {
        let at = start + TimeDelta::seconds(i64::from(number * PERIOD));
        push(world, feed, at, number);
    }
}

/// The points of a moment; called once a second.
pub(crate) fn grow(world: &World, feed: &EvidenceFeed) {
    let now = Utc::now();
    if now.timestamp() % i64::from(PERIOD) == 0 {
        push(
            world,
            feed,
            now,
            POINTS + u32::try_from(now.timestamp() % 3_600).unwrap_or(0) / PERIOD,
        );
    }
}

fn push(world: &World, feed: &EvidenceFeed, at: DateTime<Utc>, number: u32) {
    let clusters = world.clusters.select(|_| true).len();
    for cluster in 1..3_usize.min(clusters) {
        for (metric, base, worse) in METRICS {
            let key = SeriesKey {
                namespace: "shop".to_owned(),
                rollout: "checkout".to_owned(),
                cluster: cluster_name(cluster),
                metric: metric.to_owned(),
            };
            feed.push(key, facts(metric), point(at, number, base, worse, cluster));
        }
    }
}

fn facts(metric: &str) -> SeriesFacts {
    SeriesFacts {
        attempt: 3,
        query: Some(format!(
            "sum by (pod) (increase(http_{metric}_total{{service=\"checkout\"}}[1m]))"
        )),
        verdict: "Watch".to_owned(),
        message: format!("{metric}: no sign of harm, 61 of 100 samples"),
    }
}

fn point(at: DateTime<Utc>, number: u32, base: f64, worse: f64, cluster: usize) -> EvidencePoint {
    let step = if number < 90 {
        1
    } else if number < 220 {
        2
    } else {
        3
    };
    let share = [0.05, 0.10, 0.33][usize::try_from(step).unwrap_or(1) - 1];
    let events = f64::from(number + 1) * 400.0;
    let wave = 1.0 + 0.3 * (f64::from(number) / 17.0).sin();
    let canary = (events * share).floor();
    let stable = (events - canary).floor();
    let harm = if cluster == 2 { worse + 0.4 } else { worse };
    EvidencePoint {
        at,
        step,
        canary: Arm { bad: (canary * base * wave * harm).round(), total: canary },
        stable: Arm { bad: (stable * base * wave).round(), total: stable },
        abort: AgainstBar {
            ln_e: (harm - 1.0) * f64::from(number) / 60.0 - 1.2 + 0.4 * wave,
            bar: ABORT_BAR,
        },
        promote: AgainstBar {
            ln_e: f64::from(number) / (110.0 * harm) - 0.8 * (harm - 1.0) + 0.2 * wave,
            bar: PROMOTE_BAR,
        },
    }
}
