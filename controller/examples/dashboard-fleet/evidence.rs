//! Evidence of the scene `checkout`: one cluster without harm, one that gets worse slowly.

use chrono::{DateTime, TimeDelta, Utc};
use lockflight::{
    dashboard::{
        AgainstBar, Arm, Balance, EvidenceFeed, EvidencePoint, Seen, SeriesFacts, SeriesKey,
        view::SeriesKind,
    },
    shelf::Key,
};
use lockflight_analysis::judge::{ArmCounts, ClusterStanding, MetricStanding, Rates, Standing};
use lockflight_crds::VerdictState;

use crate::world::{World, cluster_name};

/// Number of the attempt in every scene.
const ATTEMPT: i64 = 3;
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
/// A threshold: its name and its bound.
const MEMORY: (&str, f64) = ("memory", 0.8);

/// Points up to now, as if the gates had been open for half an hour.
pub(crate) fn backfill(world: &World, feed: &EvidenceFeed) {
    let start = Utc::now() - TimeDelta::seconds(i64::from(POINTS * PERIOD));
    for number in 0..POINTS {
        push(world, feed, start + TimeDelta::seconds(i64::from(number * PERIOD)), number);
    }
    leave(feed, "checkout", start);
    leave(feed, "search", start);
}

/// A series of a metric that the present attempt has not.
fn leave(feed: &EvidenceFeed, rollout: &str, at: DateTime<Utc>) {
    let key = SeriesKey {
        namespace: "shop".to_owned(),
        rollout: rollout.to_owned(),
        cluster: cluster_name(1),
        metric: "golden-signals/retired".to_owned(),
    };
    let facts = SeriesFacts { attempt: ATTEMPT - 1, ..compared("retired") };
    let (canary, stable) = totals(1, 0.01, 1.0);
    let seen = Seen::Compared { canary, stable, balance: balance(1, 1.0) };
    feed.push(key, facts, Some(EvidencePoint { at, step: 1, verdict: VerdictState::Pass, seen }));
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
        let key = |metric: &str| SeriesKey {
            namespace: "shop".to_owned(),
            rollout: "checkout".to_owned(),
            cluster: cluster_name(cluster),
            metric: metric.to_owned(),
        };
        let point =
            |verdict, seen| Some(EvidencePoint { at, step: step_at(number).0, verdict, seen });
        let mut worst: Option<Balance> = None;
        for (metric, base, worse) in METRICS {
            let harm = if cluster == 2 { worse + 0.4 } else { worse };
            let balance = balance(number, harm);
            let (canary, stable) = totals(number, base, harm);
            let seen = Seen::Compared { canary, stable, balance };
            let name = format!("golden-signals/{metric}");
            feed.push(key(&name), compared(metric), point(VerdictState::Pass, seen));
            worst = worst.filter(|worst| against(worst) > against(&balance)).or(Some(balance));
        }
        let all = Seen::Together(worst.unwrap_or_default());
        feed.push(key("all comparisons"), together(), point(VerdictState::Pass, all));
        let (verdict, used) = memory(number);
        let name = format!("golden-signals/{}", MEMORY.0);
        feed.push(key(&name), threshold(verdict), point(verdict, Seen::Measured(used)));
    }
    for rollout in ["checkout", "payments"] {
        let (standing, key) = (standing(number, clusters), Key::new("shop", rollout));
        feed.stand(&key, ATTEMPT, at, &standing);
    }
}

/// What all clusters together have shown: the first is through, the next two are on their way.
fn standing(number: u32, clusters: usize) -> Standing {
    let seen = 0..3_usize.min(clusters);
    let metrics = METRICS.map(|(metric, base, worse)| {
        let rates = seen.clone().map(|cluster| {
            let (canary, stable) = totals(number, base, worse);
            (cluster_name(cluster), Rates { canary: counts(canary), stable: counts(stable) })
        });
        let rates: Vec<(String, Rates)> = rates.collect();
        let sum = |of: fn(&Rates) -> ArmCounts| {
            let arms = rates.iter().map(|(_, rates)| of(rates));
            arms.fold(ArmCounts::default(), |sum, one| ArmCounts {
                bad: sum.bad + one.bad,
                events: sum.events + one.events,
            })
        };
        let balance = balance(number, worse);
        MetricStanding {
            name: format!("golden-signals/{metric}").into(),
            weight: 0.5,
            against_ln: against(&balance),
            in_favour_ln: balance.promote.map_or(0.0, |promote| promote.ln_e),
            promotes: true,
            rates: Rates { canary: sum(|rates| rates.canary), stable: sum(|rates| rates.stable) },
            needed_events: 1_900,
            clusters: rates
                .into_iter()
                .map(|(name, rates)| ClusterStanding { name: name.into(), against_ln: 0.0, rates })
                .collect(),
        }
    });
    Standing {
        against_ln: against(&balance(number, 1.15)),
        against_bar_ln: ABORT_BAR,
        crossed: None,
        in_favour_ln: 2.1,
        in_favour_bar_ln: PROMOTE_BAR,
        metrics: metrics.into(),
        sentence: together().message,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and small")]
fn counts(arm: Arm) -> ArmCounts {
    ArmCounts { bad: arm.bad as u64, events: arm.total as u64 }
}

fn against(balance: &Balance) -> f64 {
    balance.abort.map_or(0.0, |abort| abort.ln_e)
}

fn compared(metric: &str) -> SeriesFacts {
    let selector = |what: &str| format!("http_{metric}_{what}{{service=\"checkout\"}}");
    SeriesFacts {
        attempt: ATTEMPT,
        query: Some(format!("{}\n{}", selector("bad_total"), selector("total"))),
        verdict: VerdictState::Pass,
        ..SeriesFacts::default()
    }
}

fn together() -> SeriesFacts {
    SeriesFacts {
        attempt: ATTEMPT,
        kind: SeriesKind::Together,
        verdict: VerdictState::Pass,
        message: "golden-signals/latency: 1.1 % of the canary's events are bad, 1 % of stable's"
            .to_owned(),
        ..SeriesFacts::default()
    }
}

fn threshold(verdict: VerdictState) -> SeriesFacts {
    let limit = format!("result[0] < {}", MEMORY.1);
    SeriesFacts {
        attempt: ATTEMPT,
        kind: SeriesKind::Threshold,
        query: Some(
            "max(container_memory_working_set_bytes{pod=~\"checkout-7a1b2c3d4e-.*\"} / \
             on (pod) kube_pod_container_resource_limits{resource=\"memory\"})"
                .to_owned(),
        ),
        bounds: vec![MEMORY.1],
        verdict,
        message: match verdict {
            VerdictState::Pass => format!("memory: {limit} holds"),
            _ => {
                format!("memory: {limit} does not hold (0.86): failure 1 of 3 tolerated in a row")
            }
        },
        limit,
        ..SeriesFacts::default()
    }
}

/// Part of the memory in use; a source that says nothing for a while, and one peak.
fn memory(number: u32) -> (VerdictState, Option<f64>) {
    match number {
        130..140 => (VerdictState::NoData, None),
        250..253 => (VerdictState::Watch, Some(0.86)),
        _ => (VerdictState::Pass, Some(0.55 + 0.12 * (f64::from(number) / 23.0).sin())),
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

fn balance(number: u32, harm: f64) -> Balance {
    let time = f64::from(number);
    let good = (time / (130.0 * harm)).min(2.6) - 0.8 * (harm - 1.0);
    Balance {
        abort: Some(AgainstBar { ln_e: (harm - 1.0) * time / 60.0 - 1.2, bar: ABORT_BAR }),
        promote: Some(AgainstBar { ln_e: good, bar: PROMOTE_BAR }),
    }
}
