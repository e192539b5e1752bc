//! Evidence of the scene `checkout`: one cluster without harm, one that gets worse slowly.

use chrono::{DateTime, TimeDelta, Utc};
use lockflight::dashboard::{AgainstBar, Arm, EvidenceFeed, EvidencePoint, SeriesFacts, SeriesKey};

use crate::world::{World, cluster_name};

/// Seconds between points.
const PERIOD: u32 = 5;
/// Events of a cluster between two points.
const EVENTS: f64 = 4_000.0;
/// Points at the start.
const POINTS: u32 = 360;
/// Evidence of 100 to 1 takes the release back; 20 to 1 opens the gate.
const ABORT_BAR: f64 = 4.605;
const PROMOTE_BAR: f64 = 2.996;

/// Metrics: name, share of bad events, how much worse the new revision is.
const METRICS: [(&str, f64, f64); 2] = [("errors", 0.002, 1.0), ("latency", 0.01, 1.15)];

/// Points up to now, as if the gates had been open for half an hour.
pub(crate) fn backfill(world: &World, feed: &EvidenceFeed) {
    let start = Utc::now() - TimeDelta::seconds(i64::from(POINTS * PERIOD));
    for number in 0..POINTS {
        push(world, feed, start + TimeDelta::seconds(i64::from(number * PERIOD)), number);
    }
}

/// The next point; called so many seconds after the start.
pub(crate) fn grow(world: &World, feed: &EvidenceFeed, seconds: u64) {
    if seconds.is_multiple_of(u64::from(PERIOD)) {
        let more = u32::try_from(seconds).unwrap_or(0) / PERIOD;
        push(world, feed, Utc::now(), POINTS + more);
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

/// Step at a point, and the share of the traffic that it gives the new revision.
fn step_at(number: u32) -> (u32, f64) {
    match number {
        0..90 => (1, 0.05),
        90..220 => (2, 0.10),
        _ => (3, 0.33),
    }
}

/// Events of both arms between two points, added up.
fn totals(number: u32, base: f64, harm: f64) -> (Arm, Arm) {
    let (mut canary, mut stable) = (Arm::default(), Arm::default());
    for one in 0..=number {
        let share = step_at(one).1;
        let bad = base * (1.0 + 0.4 * (f64::from(one) / 17.0).sin());
        canary.total += EVENTS * share;
        canary.bad += EVENTS * share * bad * harm;
        stable.total += EVENTS * (1.0 - share);
        stable.bad += EVENTS * (1.0 - share) * bad;
    }
    let whole = |arm: Arm| Arm { bad: arm.bad.round(), total: arm.total.round() };
    (whole(canary), whole(stable))
}

fn point(at: DateTime<Utc>, number: u32, base: f64, worse: f64, cluster: usize) -> EvidencePoint {
    let harm = if cluster == 2 { worse + 0.4 } else { worse };
    let (canary, stable) = totals(number, base, harm);
    let time = f64::from(number);
    EvidencePoint {
        at,
        step: step_at(number).0,
        canary,
        stable,
        abort: AgainstBar { ln_e: (harm - 1.0) * time / 60.0 - 1.2, bar: ABORT_BAR },
        promote: AgainstBar {
            ln_e: (time / (130.0 * harm)).min(2.6) - 0.8 * (harm - 1.0),
            bar: PROMOTE_BAR,
        },
    }
}
