//! A small world: clusters with pods, requests and bad events, the same for the same seed.

use chrono::{DateTime, TimeDelta, Utc};

use crate::judge::random::Random;
use crate::judge::{
    Arm, Calibration, Cell, ClusterName, Counts, Evidence, Judge, Margins, MetricName, MetricPlan,
    Observation, Standing, Window,
};

/// A cluster's part of a rollout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    pub(super) canary_pods: usize,
    pub(super) stable_pods: usize,
    /// The canary's part of the requests.
    pub(super) weight: f64,
    /// Requests per window.
    pub(super) requests: f64,
    /// Stable's bad share, and the canary's as a multiple of it.
    pub(super) share: f64,
    pub(super) ratio: f64,
    /// Mean batch, and lasting differences of pods.
    pub(super) batch_mean: f64,
    pub(super) pod_sd: f64,
}

impl Site {
    /// 50 requests per second on 20 pods, 0.5 % of them bad, a canary of 5 pods with a quarter of
    /// them that is as good.
    pub(super) fn usual() -> Self {
        Self {
            canary_pods: 5,
            stable_pods: 15,
            weight: 0.25,
            requests: 750.0,
            share: 0.005,
            ratio: 1.0,
            batch_mean: 1.0,
            pod_sd: 0.0,
        }
    }

    /// Factors of its pods: canary first.
    pub(super) fn factors(&self, random: &mut Random) -> Vec<f64> {
        (0..self.canary_pods + self.stable_pods)
            .map(|_| (self.pod_sd * random.normal() - self.pod_sd * self.pod_sd / 2.0).exp())
            .collect()
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small numbers of a test"
    )]
    fn cells(&self, factors: &[f64], random: &mut Random) -> Vec<Cell> {
        let cell = |(pod, factor): (usize, &f64)| {
            let own = pod < self.canary_pods;
            let (weight, pods, ratio) = if own {
                (self.weight, self.canary_pods, self.ratio)
            } else {
                (1.0 - self.weight, self.stable_pods, 1.0)
            };
            let events = (self.requests * weight / pods as f64).round();
            let mean = events * (self.share * ratio * factor).min(1.0);
            let bad = random.batches(mean, self.batch_mean).min(events as u64);
            let arm = if own { Arm::Canary } else { Arm::Stable };
            Cell { arm, pod: format!("p{pod}").into(), bad, events: events as u64 }
        };
        factors.iter().enumerate().map(cell).collect()
    }

    /// Its window of a round.
    pub(super) fn window(
        &self,
        cluster: &ClusterName,
        number: i64,
        factors: &[f64],
        random: &mut Random,
    ) -> Observation {
        observation(cluster, number, Counts::Cells(self.cells(factors, random)))
    }
}

pub(super) fn end_of(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + 15 * (number + 1), 0).unwrap()
}

pub(super) fn observation(cluster: &ClusterName, number: i64, counts: Counts) -> Observation {
    let window = Window { ends_at: end_of(number), length: TimeDelta::seconds(15), counts };
    Observation { metric: "errors".into(), stream: 0, cluster: cluster.clone(), window }
}

/// A window of `c0` in which each of so many canary pods has this many bad events of so many, and
/// no stable pod has any.
pub(super) fn outage_of(
    number: i64,
    (canary, stable): (u32, u32),
    (bad, events): (u64, u64),
) -> Observation {
    let cell = |arm: Arm, pod: u32, bad: u64| Cell {
        arm,
        pod: format!("{arm:?}{pod}").into(),
        bad,
        events,
    };
    let cells = (0..canary).map(|pod| cell(Arm::Canary, pod, bad));
    let cells = cells.chain((0..stable).map(|pod| cell(Arm::Stable, pod, 0)));
    observation(&"c0".into(), number, Counts::Cells(cells.collect()))
}

/// The same with three canary and twelve stable pods, and 40 events per pod.
pub(super) fn outage(number: i64, bad: u64) -> Observation {
    outage_of(number, (3, 12), (bad, 40))
}

/// Pods that are all alike, and bad events that come one by one.
pub(super) const EVEN: Calibration =
    Calibration { pod_sd: 0.0, batch_mean: 1.0, batch_mean_upper: 1.0 };

/// A judge of one metric in this many clusters.
pub(super) fn judge(clusters: usize) -> Judge {
    Judge {
        metrics: vec![MetricPlan {
            name: MetricName::from("errors"),
            weight: 1.0,
            promotes: true,
            margins: Margins::default(),
            streams: 1,
        }],
        clusters: (0..clusters).map(|number| format!("c{number}").into()).collect(),
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

/// What a rollout came to: the rounds after which either bar was first reached, and its end.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) aborted: Option<i64>,
    pub(super) promoted: Option<i64>,
    pub(super) evidence: Evidence,
    pub(super) last: Standing,
}

/// Runs one site per cluster of the judge for this many windows.
pub(super) fn run(
    judge: &Judge,
    sites: &[Site],
    calibration: Calibration,
    windows: i64,
    random: &mut Random,
) -> Outcome {
    let calibrations =
        judge.clusters.iter().map(|name| (("errors".into(), name.clone()), calibration)).collect();
    let factors: Vec<Vec<f64>> = sites.iter().map(|site| site.factors(random)).collect();
    let mut evidence = Evidence::default();
    let (mut aborted, mut promoted) = (None, None);
    let mut last = judge.standing(&evidence);
    for number in 0..windows {
        let places = judge.clusters.iter().zip(sites).zip(&factors);
        let round =
            places.map(|((name, site), factors)| site.window(name, number, factors, random));
        judge.observe(&mut evidence, &calibrations, round.collect());
        last = judge.standing(&evidence);
        aborted = aborted.or_else(|| last.crossed.is_some().then_some(number));
        let favoured = last.in_favour_ln >= last.in_favour_bar_ln;
        promoted = promoted.or_else(|| favoured.then_some(number));
    }
    Outcome { aborted, promoted, evidence, last }
}
