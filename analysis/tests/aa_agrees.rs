//! `aa` predicts what happens: over many rollouts that change nothing, the evidence against them
//! reaches 4 about as often as stable against itself did in a history of the same fleet.
//!
//! A simulated cluster of six pods. Bad events come in batches, now and then a pod has five
//! bad minutes, and pods differ for as long as they live. The rollouts have pods of their own, which
//! `aa` has never seen.

#![expect(clippy::cast_precision_loss, reason = "small numbers of a test")]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use lockflight_analysis::{
    judge::{
        Arm, Calibration, Cell, ClusterName, Counts, Evidence, Judge, Margins, MetricName,
        MetricPlan, Observation, Window, calibrate,
    },
    trust::{Fleet, Stage, Trials, stable_against_stable},
};

/// Rollouts that are tried either way.
const ROLLOUTS: usize = 1500;

/// Least number of crossings that are worth a comparison.
const EVENTS_MIN: usize = 50;

/// Evidence that counts as a crossing.
const BAR: f64 = 4.0;

/// Windows of 15 s in the history, four days, and in the hour before a rollout.
const HISTORY: i64 = 23_040;
const HOUR: i64 = 240;

/// Windows of each step, ten minutes, and the canary's pods in it.
const STEP: i64 = 40;
const STEPS: [usize; 2] = [1, 2];

/// Pods of a cluster.
const PODS: usize = 6;

/// Requests of a pod in a window, and their bad share.
const REQUESTS: u64 = 300;
const SHARE: f64 = 0.01;

/// Mean size of a batch of bad events.
const BATCH: f64 = 3.0;

/// Standard deviation of the logarithm of a pod's own rate, and windows that it lives.
const POD_SD: f64 = 0.2;
const LIFE: i64 = 720;

/// Chance of a pod to have a bad spell of five minutes in a window, its windows, and how much worse it is then.
const BAD_SPELL: f64 = 0.004;
const SPELL: i64 = 20;
const WORSE: f64 = 8.0;

/// A pod of the simulated fleet.
struct Pod {
    name: String,
    factor: f64,
    bad_until: i64,
}

impl Pod {
    fn new(name: String, random: &mut Rng) -> Self {
        let factor = (POD_SD * normal(random)).exp();
        Self { name, factor, bad_until: i64::MIN }
    }

    fn cell(&mut self, number: i64, arm: Arm, random: &mut Rng) -> Cell {
        if random.f64() < BAD_SPELL {
            self.bad_until = number + SPELL;
        }
        let worse = if number < self.bad_until { WORSE } else { 1.0 };
        let mean = REQUESTS as f64 * SHARE * self.factor * worse;
        let bad = batches(mean, random).min(REQUESTS);
        Cell { arm, pod: self.name.as_str().into(), bad, events: REQUESTS }
    }
}

/// By Box and Muller.
fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// So many events on average, in geometric batches that come independently of each other.
fn batches(mean: f64, random: &mut Rng) -> u64 {
    let mut events = 0;
    let mut left = mean / BATCH;
    loop {
        left += (1.0 - random.f64()).ln();
        if left < 0.0 {
            return events;
        }
        let size = (1.0 - random.f64()).ln() / (1.0 - 1.0 / BATCH).ln();
        events += 1 + (0..1000).take_while(|n| f64::from(*n) + 1.0 < size).count() as u64;
    }
}

fn judge() -> Judge {
    Judge {
        metrics: vec![MetricPlan {
            name: "web/errors".into(),
            weight: 1.0,
            promotes: true,
            margins: Margins::default(),
            streams: 1,
        }],
        clusters: vec!["eu".into()],
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

fn end_of(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + 15 * (number + 1))
}

fn observation(cluster: &ClusterName, number: i64, cells: Vec<Cell>) -> Observation {
    let (ends_at, length) = (end_of(number), TimeDelta::seconds(15));
    Observation {
        metric: "web/errors".into(),
        stream: 0,
        cluster: cluster.clone(),
        window: Window { ends_at, length, counts: Counts::Cells(cells) },
    }
}

/// Four days of stable pods; each is replaced at the end of its life.
fn history(random: &mut Rng) -> Vec<Observation> {
    let mut found = Vec::new();
    for cluster in judge().clusters {
        let mut pods: Vec<Pod> = Vec::new();
        for number in 0..HISTORY {
            if number % LIFE == 0 {
                let names = (0..PODS).map(|pod| format!("{cluster}-{number}-{pod}"));
                pods = names.map(|name| Pod::new(name, random)).collect();
            }
            let cells = pods.iter_mut().map(|pod| pod.cell(number, Arm::Stable, random));
            found.push(observation(&cluster, number, cells.collect()));
        }
    }
    found
}

/// The most evidence, as a logarithm, against a rollout whose pods are all alike.
fn rollout(judge: &Judge, random: &mut Rng) -> f64 {
    let mut fleet: Vec<(ClusterName, Vec<Pod>, Vec<Pod>)> = Vec::new();
    let mut calibrations: BTreeMap<(MetricName, ClusterName), Calibration> = BTreeMap::new();
    for cluster in &judge.clusters {
        let mut of = |kind: &str, count: usize| -> Vec<Pod> {
            (0..count).map(|pod| Pod::new(format!("{kind}-{pod}"), random)).collect()
        };
        let (canary, mut stable) = (of("new", PODS), of("old", PODS));
        let before = (-HOUR..0).map(|number| {
            let cells = stable.iter_mut().map(|pod| pod.cell(number, Arm::Stable, random));
            observation(cluster, number, cells.collect()).window
        });
        let found = calibrate(&before.collect::<Vec<_>>(), 1);
        calibrations.insert(("web/errors".into(), cluster.clone()), found);
        fleet.push((cluster.clone(), canary, stable));
    }
    let (mut evidence, mut most) = (Evidence::default(), f64::NEG_INFINITY);
    for (step, canaries) in (0..).zip(STEPS) {
        for number in step * STEP..(step + 1) * STEP {
            let round = fleet.iter_mut().map(|(cluster, new, old)| {
                let new = new.iter_mut().take(canaries).map(|pod| (pod, Arm::Canary));
                let old = old.iter_mut().take(PODS - canaries).map(|pod| (pod, Arm::Stable));
                let cells = new.chain(old).map(|(pod, arm)| pod.cell(number, arm, random));
                observation(cluster, number, cells.collect())
            });
            let round = round.collect();
            judge.observe(&mut evidence, &calibrations, round);
            most = most.max(judge.standing(&evidence).against_ln);
        }
    }
    most
}

#[test]
fn rollouts_that_change_nothing_cross_as_often_as_predicted() {
    let (judge, mut random) = (judge(), Rng::with_seed(20_261_126));
    let history = history(&mut random);
    let length = TimeDelta::seconds(15 * STEP);
    let stages = STEPS.map(|pods| Stage { share: pods as f64 / PODS as f64, length });
    let trials = Trials { stages: &stages, trials: ROLLOUTS, seed: 4 };
    let fleet = Fleet { judge: &judge, history: &history };
    let predicted = stable_against_stable(fleet, trials).unwrap();
    let crossed = (0..ROLLOUTS).filter(|_| rollout(&judge, &mut random) >= BAR.ln()).count();
    let said = format!("predicted {predicted:?}, crossed {crossed} of {ROLLOUTS}");
    println!("{said}");
    assert!(crossed >= EVENTS_MIN && predicted.above_four >= EVENTS_MIN, "{said}");
    assert!(crossed <= 2 * predicted.above_four && predicted.above_four <= 2 * crossed, "{said}");
}
