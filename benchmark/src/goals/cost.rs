//! G12: time and memory of a large fleet. Timings, unlike everything else, depend on the machine.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use lockflight_analysis::judge::{Evidence, Judge, Observation};

use super::Settings;
use crate::{
    noise::Noise,
    number::size,
    ours::{Reader, Rules},
    report::{Bar, Line, Unit},
    scenario::{CLUSTERS, Scenario, Traffic},
    statistics::Estimate,
    world::World,
};

/// Milliseconds of a round, and bytes per metric and cluster.
const BAR_ROUND_MS: f64 = 200.0;
const BAR_STATE_B: f64 = 250.0;

const FLEET: usize = 1000;
const METRICS: usize = 10;
const ROUNDS: usize = 12;

/// Bets per window: eight of the abort side, each in its cluster's process and the fleet's.
const COMPONENTS: f64 = 8.0;

pub(super) fn measure(_: &Settings) -> Vec<Line> {
    let scenario = Scenario::new(Traffic::A, Noise::ROUGH);
    let reader = Reader::new(&scenario, Rules::default(), &[]);
    let metrics: Vec<Arc<str>> = (0..METRICS).map(|m| format!("metric-{m}").into()).collect();
    let clusters: Vec<Arc<str>> = (0..FLEET).map(|c| format!("cluster-{c}").into()).collect();
    let judge = fleet_judge(&reader.judge, &metrics, &clusters);
    let mut worlds: Vec<World> = (0..FLEET.div_ceil(CLUSTERS) as u64)
        .map(|number| World::new(scenario, &[number]))
        .collect();
    let mut evidence = Evidence::default();
    let (mut rounds_ms, mut standings_ms) = (Vec::new(), Vec::new());
    for window in 0..ROUNDS + 6 {
        let round = round(&reader, &mut worlds, &metrics, &clusters, window);
        if round.is_empty() {
            continue;
        }
        let begun = Instant::now();
        judge.observe(&mut evidence, &BTreeMap::new(), round);
        rounds_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
        let begun = Instant::now();
        let standing = judge.standing(&evidence);
        standings_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
        debug_assert_eq!(standing.metrics.len(), METRICS, "every metric stands somewhere");
    }
    let windows = size(FLEET * METRICS);
    let middle = |mut numbers: Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        Estimate::median(&numbers)
    };
    let round = middle(rounds_ms);
    let scale = |found: Estimate, by: f64| Estimate {
        value: found.value * by,
        low: found.low * by,
        high: found.high * by,
    };
    let bytes = size(evidence.encode().len()) / windows;
    let line = |what: &str, bar, found, unit, note: &str| Line {
        goal: "G12",
        what: what.to_owned(),
        bar,
        found,
        unit,
        note: note.to_owned(),
    };
    let exact = Estimate { value: bytes, low: bytes, high: bytes };
    let each = scale(round, 1e6 / windows / COMPONENTS);
    vec![
        line(
            "a round, 1000 clusters x 10 metrics",
            Bar::AtMost(BAR_ROUND_MS),
            round,
            Unit::Milliseconds,
            "20 pods; one core",
        ),
        line("the standing after it", Bar::Free, middle(standings_ms), Unit::Milliseconds, ""),
        line(
            "one component of one window",
            Bar::Free,
            each,
            Unit::Nanoseconds,
            "a round over windows and bets",
        ),
        line(
            "state per metric and cluster",
            Bar::AtMost(BAR_STATE_B),
            exact,
            Unit::Bytes,
            "encoded, names included",
        ),
    ]
}

fn fleet_judge(of: &Judge, metrics: &[Arc<str>], clusters: &[Arc<str>]) -> Judge {
    let plan = |name: &Arc<str>| {
        let first = of.metrics.first().cloned();
        first.map(|mut plan| {
            plan.name = name.clone();
            plan.weight = 1.0 / size(metrics.len());
            plan
        })
    };
    Judge {
        metrics: metrics.iter().filter_map(plan).collect(),
        clusters: clusters.to_vec(),
        ..of.clone()
    }
}

fn round(
    reader: &Reader,
    worlds: &mut [World],
    metrics: &[Arc<str>],
    clusters: &[Arc<str>],
    window: usize,
) -> Vec<Observation> {
    let mut round = Vec::with_capacity(metrics.len() * clusters.len());
    for (number, cluster) in clusters.iter().enumerate() {
        let Some(world) = worlds.get_mut(number / CLUSTERS) else { continue };
        let seen = world.step(number % CLUSTERS, 0.25, 0.0);
        let Some(read) = reader.read(number % CLUSTERS, window, seen.pods) else { continue };
        round.extend(metrics.iter().map(|metric| Observation {
            metric: metric.clone(),
            cluster: cluster.clone(),
            ..read.clone()
        }));
    }
    round
}
