//! `aa` predicts what happens: over many rollouts that change nothing, the evidence against them
//! reaches 4 about as often as stable against itself did in a history of the same fleet.
//!
//! Simulated fleets of several kinds. Bad events may come in batches, now and then a pod has five
//! bad minutes, and pods differ for as long as they live. The rollouts have pods of their own,
//! which `aa` has never seen.
//!
//! A source that does not tell pods apart is none of them: nobody can play the canary in its
//! history, and `aa` says so.

#![expect(clippy::cast_precision_loss, reason = "small numbers of a test")]

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use lockflight_analysis::{
    judge::{
        Arm, ArmCounts, Calibration, Cell, ClusterName, Counts, Evidence, Judge, Margins,
        MetricName, MetricPlan, Observation, Window, calibrate,
    },
    trust::{Fleet, NoTrial, Stage, Trials, stable_against_stable},
};

/// Least number of crossings that are worth a comparison.
const EVENTS_MIN: usize = 50;

/// Evidence that counts as a crossing.
const BAR: f64 = 4.0;

/// Windows of 15 s in the history, four days, and in the hour before a rollout.
const HISTORY: i64 = 23_040;
const HOUR: i64 = 240;

/// Windows of each step: ten minutes.
const STEP: i64 = 40;

/// Windows that a pod of the history lives: three hours.
const LIFE: i64 = 720;

/// Windows of a bad spell: five minutes.
const SPELL: i64 = 20;

/// A kind of fleet.
#[derive(Debug, Clone, Copy)]
struct Kind {
    clusters: usize,
    /// Pods of a cluster, and of the canary in each step.
    pods: usize,
    steps: &'static [usize],
    /// Requests of a pod in a window, and their bad share.
    requests: u64,
    share: f64,
    /// Mean size of a batch of bad events.
    batch_mean: f64,
    /// Standard deviation of the logarithm of a pod's own rate.
    pod_sd: f64,
    /// Chance of a pod to have a bad spell begin in a window, and how much worse it is then.
    spell: f64,
    worse: f64,
    /// Rollouts that are tried, with labels drawn and with pods of their own.
    rollouts: usize,
}

/// 20 requests per second and pod, 1 % of them bad in batches of three.
const USUAL: Kind = Kind {
    clusters: 1,
    pods: 6,
    steps: &[1, 2],
    requests: 300,
    share: 0.01,
    batch_mean: 3.0,
    pod_sd: 0.2,
    spell: 0.004,
    worse: 8.0,
    rollouts: 1500,
};

/// A pod of the simulated fleet.
struct Pod {
    name: Arc<str>,
    factor: f64,
    bad_until: i64,
}

impl Pod {
    /// A pod from this window on, which may be in a bad spell as well as at any other time.
    fn new(kind: &Kind, name: String, from: i64, random: &mut Rng) -> Self {
        let factor = (kind.pod_sd * normal(random)).exp();
        let began = (1..SPELL).find(|_| random.f64() < kind.spell).unwrap_or(SPELL);
        Self { name: name.into(), factor, bad_until: from - began + SPELL }
    }

    fn cell(&mut self, kind: &Kind, number: i64, arm: Arm, random: &mut Rng) -> Cell {
        if random.f64() < kind.spell {
            self.bad_until = number + SPELL;
        }
        let worse = if number < self.bad_until { kind.worse } else { 1.0 };
        let mean = kind.requests as f64 * kind.share * self.factor * worse;
        let bad = batches(mean, kind.batch_mean, random).min(kind.requests);
        Cell { arm, pod: self.name.clone(), bad, events: kind.requests }
    }
}

/// By Box and Muller.
fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// So many events on average, in geometric batches of this mean that come independently of each
/// other.
fn batches(mean: f64, batch_mean: f64, random: &mut Rng) -> u64 {
    let mut events = 0;
    let mut left = mean / batch_mean;
    loop {
        left += (1.0 - random.f64()).ln();
        if left < 0.0 {
            return events;
        }
        events += 1;
        while random.f64() >= 1.0 / batch_mean {
            events += 1;
        }
    }
}

fn judge(clusters: usize) -> Judge {
    Judge {
        metrics: vec![MetricPlan {
            name: "web/errors".into(),
            weight: 1.0,
            promotes: true,
            margins: Margins::default(),
            streams: 1,
        }],
        clusters: (0..clusters).map(|cluster| format!("c{cluster}").into()).collect(),
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

fn end_of(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + 15 * (number + 1))
}

fn observation(cluster: &ClusterName, number: i64, counts: Counts) -> Observation {
    let (ends_at, length) = (end_of(number), TimeDelta::seconds(15));
    Observation {
        metric: "web/errors".into(),
        stream: 0,
        cluster: cluster.clone(),
        window: Window { ends_at, length, counts },
    }
}

/// Four days of stable pods; each is replaced at the end of its life.
fn history(kind: &Kind, judge: &Judge, random: &mut Rng) -> Vec<Observation> {
    let mut found = Vec::new();
    for cluster in &judge.clusters {
        let mut pods: Vec<Pod> = Vec::new();
        for number in 0..HISTORY {
            if number % LIFE == 0 {
                let names = (0..kind.pods).map(|pod| format!("{cluster}-{number}-{pod}"));
                pods = names.map(|name| Pod::new(kind, name, number, random)).collect();
            }
            let cells = pods.iter_mut().map(|pod| pod.cell(kind, number, Arm::Stable, random));
            found.push(observation(cluster, number, Counts::Cells(cells.collect())));
        }
    }
    found
}

/// The most evidence, as a logarithm, against a rollout whose pods are all alike: calibrated and
/// begun as the hub does it.
fn rollout(kind: &Kind, judge: &Judge, random: &mut Rng) -> f64 {
    let mut fleet: Vec<(ClusterName, Vec<Pod>, Vec<Pod>)> = Vec::new();
    let mut calibrations: BTreeMap<(MetricName, ClusterName), Calibration> = BTreeMap::new();
    let mut past: Vec<Observation> = Vec::new();
    for cluster in &judge.clusters {
        let mut of = |name: &str, count: usize, from: i64| -> Vec<Pod> {
            (0..count).map(|pod| Pod::new(kind, format!("{name}-{pod}"), from, random)).collect()
        };
        let most = kind.steps.iter().copied().max().unwrap_or(0);
        let (canary, mut stable) = (of("new", most, 0), of("old", kind.pods, -HOUR));
        let before = (-HOUR..0).map(|number| {
            let cells = stable.iter_mut().map(|pod| pod.cell(kind, number, Arm::Stable, random));
            observation(cluster, number, Counts::Cells(cells.collect()))
        });
        let before: Vec<Observation> = before.collect();
        let windows: Vec<Window> = before.iter().map(|one| one.window.clone()).collect();
        let found = calibrate(&windows, kind.steps.first().copied().unwrap_or(1));
        past.extend(before);
        calibrations.insert(("web/errors".into(), cluster.clone()), found);
        fleet.push((cluster.clone(), canary, stable));
    }
    let (mut evidence, mut most) = (Evidence::default(), f64::NEG_INFINITY);
    judge.observe(&mut evidence, &calibrations, past);
    for (step, canaries) in (0..).zip(kind.steps) {
        for number in step * STEP..(step + 1) * STEP {
            let round = fleet.iter_mut().map(|(cluster, new, old)| {
                let new = new.iter_mut().take(*canaries).map(|pod| (pod, Arm::Canary));
                let old = old.iter_mut().take(kind.pods - canaries).map(|pod| (pod, Arm::Stable));
                let cells = new.chain(old).map(|(pod, arm)| pod.cell(kind, number, arm, random));
                observation(cluster, number, Counts::Cells(cells.collect()))
            });
            let round = round.collect();
            judge.observe(&mut evidence, &calibrations, round);
            most = most.max(judge.standing(&evidence).against_ln);
        }
    }
    most
}

/// Compares what `aa` predicts with what happens.
#[expect(clippy::unwrap_used, reason = "a test may fail loudly")]
fn check(name: &str, kind: Kind, seed: u64) {
    let (judge, mut random) = (judge(kind.clusters), Rng::with_seed(seed));
    let history = history(&kind, &judge, &mut random);
    let length = TimeDelta::seconds(15 * STEP);
    let stage = |pods: &usize| Stage { share: *pods as f64 / kind.pods as f64, length };
    let stages: Vec<Stage> = kind.steps.iter().map(stage).collect();
    let trials = Trials { stages: &stages, trials: kind.rollouts, seed: 4 };
    let fleet = Fleet { judge: &judge, history: &history };
    let predicted = stable_against_stable(fleet, trials).unwrap();
    // Held out: another seed, and pods of their own.
    let mut random = Rng::with_seed(seed + 1_000_000);
    let crossings = (0..kind.rollouts).filter(|_| rollout(&kind, &judge, &mut random) >= BAR.ln());
    let (crossed, above) = (crossings.count(), predicted.above_four);
    let said = format!("{name}: predicted {above}, crossed {crossed} of {}", kind.rollouts);
    println!("{said}; {predicted:?}");
    assert!(crossed >= EVENTS_MIN && above >= EVENTS_MIN, "{said}");
    assert!(crossed <= 2 * above && above <= 2 * crossed, "{said}");
}

/// Each kind is a test of its own, so that they run beside each other.
#[test]
fn with_errors_in_batches() {
    check("errors in batches", USUAL, 20_261_126);
}

#[test]
fn with_errors_one_by_one() {
    check("errors one by one", Kind { batch_mean: 1.0, ..USUAL }, 20_261_127);
}

#[test]
fn with_three_pods_and_one() {
    check("3 + 1 pods", Kind { pods: 4, steps: &[1, 1], ..USUAL }, 20_261_128);
}

#[test]
fn with_twenty_pods() {
    check(
        "20 pods",
        Kind { pods: 20, steps: &[1, 5, 10], spell: 0.008, rollouts: 1100, ..USUAL },
        20_261_129,
    );
}

#[test]
fn with_pods_that_differ_for_good() {
    check("pods that differ", Kind { pod_sd: 0.5, ..USUAL }, 20_261_130);
}

#[test]
fn with_two_clusters() {
    check("two clusters", Kind { clusters: 2, pods: 4, rollouts: 1300, ..USUAL }, 20_261_131);
}

#[test]
fn sums_without_pods_are_refused() {
    let judge = judge(1);
    let sums = ArmCounts { bad: 3, events: 300 };
    let counts = Counts::Arms { canary: ArmCounts::default(), stable: sums };
    let history: Vec<Observation> = (0..HISTORY)
        .map(|number| observation(&judge.clusters[0], number, counts.clone()))
        .collect();
    let stages = [Stage { share: 0.5, length: TimeDelta::minutes(10) }];
    let trials = Trials { stages: &stages, trials: 10, seed: 1 };
    let found = stable_against_stable(Fleet { judge: &judge, history: &history }, trials);
    assert_eq!(found, Err(NoTrial::Pods));
}
