//! What must hold of the judge as a whole.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{
    Arm, Calibration, Cell, Counts, Evidence, Judge, Margins, MetricPlan, Observation, Standing,
    Window,
};

/// Cells of canary and stable pods with so many bad of `events` events each.
pub(super) fn cells(canary: &[u64], stable: &[u64], events: u64) -> Counts {
    let of = |arm: Arm, name: &'static str, bad: &[u64]| {
        let cells = bad.iter().enumerate();
        cells
            .map(|(n, bad)| Cell { arm, pod: format!("{name}{n}").into(), bad: *bad, events })
            .collect::<Vec<_>>()
    };
    Counts::Cells([of(Arm::Canary, "c", canary), of(Arm::Stable, "s", stable)].concat())
}

/// A judge of one metric in some clusters, and its evidence.
pub(super) struct Fleet {
    pub(super) judge: Judge,
    pub(super) evidence: Evidence,
    pub(super) calibration: Calibration,
    pub(super) length: TimeDelta,
    /// Clusters that have started.
    pub(super) started: usize,
    /// Hands the windows of a round over in reverse order.
    pub(super) reverse: bool,
    now: DateTime<Utc>,
}

impl Fleet {
    pub(super) fn of(clusters: usize) -> Self {
        let metric = MetricPlan {
            name: "errors".into(),
            weight: 1.0,
            promotes: true,
            margins: Margins::default(),
            streams: 1,
        };
        Self {
            judge: Judge {
                metrics: vec![metric],
                clusters: (0..clusters).map(|n| format!("c{n}").into()).collect(),
                false_abort: 0.05,
                missed: 0.05,
                episode: TimeDelta::seconds(60),
            },
            evidence: Evidence::default(),
            calibration: Calibration { pod_sd: 0.1, batch_mean: 2.5 },
            length: TimeDelta::seconds(15),
            started: clusters,
            reverse: false,
            now: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
        }
    }

    /// One window of every cluster.
    pub(super) fn round(&mut self, counts: impl Fn(usize) -> Counts) {
        self.now += self.length;
        let window = |counts| Window { ends_at: self.now, length: self.length, counts };
        let clusters = self.judge.clusters.clone();
        let mut round: Vec<Observation> = clusters
            .iter()
            .enumerate()
            .take(self.started)
            .map(|(n, cluster)| Observation {
                metric: "errors".into(),
                stream: 0,
                cluster: cluster.clone(),
                window: window(counts(n)),
            })
            .collect();
        if self.reverse {
            round.reverse();
        }
        let calibrations: BTreeMap<_, _> = clusters
            .into_iter()
            .map(|cluster| (("errors".into(), cluster), self.calibration))
            .collect();
        self.judge.observe(&mut self.evidence, &calibrations, round);
    }

    pub(super) fn standing(&self) -> Standing {
        self.judge.standing(&self.evidence)
    }
}

/// Counts that no program would have, and those that some do.
fn any_counts() -> impl Strategy<Value = Counts> {
    let count = prop_oneof![Just(0), 1..20_u64, Just(u64::MAX)];
    let cell = (any::<bool>(), count.clone(), count.clone(), 0..6_u8).prop_map(
        |(canary, bad, events, pod)| Cell {
            arm: if canary { Arm::Canary } else { Arm::Stable },
            pod: format!("p{pod}").into(),
            bad,
            events,
        },
    );
    let arm = (count.clone(), count).prop_map(|(bad, events)| super::ArmCounts { bad, events });
    prop_oneof![
        prop::collection::vec(cell, 0..12).prop_map(Counts::Cells),
        (arm.clone(), arm).prop_map(|(canary, stable)| Counts::Arms { canary, stable }),
    ]
}

proptest! {
    /// A restart after every window changes nothing, a window counts once, and whatever the
    /// counts are, the evidence is a number.
    #[test]
    fn evidence_survives_restarts_and_anything(
        rounds in prop::collection::vec((any_counts(), any_counts()), 1..12),
        pod_sd in 0.0..2.0_f64,
        batch_mean in 0.0..50.0_f64,
    ) {
        let (mut steady, mut restarted) = (Fleet::of(2), Fleet::of(2));
        for (one, other) in rounds {
            for fleet in [&mut steady, &mut restarted] {
                fleet.calibration = Calibration { pod_sd, batch_mean };
                fleet.round(|cluster| if cluster == 0 { one.clone() } else { other.clone() });
            }
            restarted.evidence = Evidence::decode(&restarted.evidence.encode())?;
            // The same windows again, from a hub that forgot that it has sent them.
            restarted.now -= restarted.length;
            restarted.round(|_| one.clone());
            prop_assert_eq!(steady.evidence.encode(), restarted.evidence.encode());
            let standing = steady.standing();
            prop_assert_eq!(&standing, &restarted.standing());
            prop_assert!(!standing.against_ln.is_nan() && !standing.in_favour_ln.is_nan());
            prop_assert!(standing.against_ln < f64::INFINITY, "{}", standing.against_ln);
        }
    }
}

/// Equal releases under noise that both arms share are hardly ever taken back.
#[test]
fn equal_releases_stay() {
    let taken_back = (0..200)
        .filter(|seed| {
            let mut noise = fastrand::Rng::with_seed(*seed);
            let mut fleet = Fleet::of(3);
            fleet.calibration = Calibration::default();
            (0..120).any(|_| {
                // A shared rate that changes from window to window, and batches.
                let rate = 0.05 + 0.5 * noise.f64() * noise.f64();
                let mut draw = |pods: usize| -> Vec<u64> {
                    let bad =
                        (0..pods).map(|_| u64::from(noise.f64() < rate) * (1 + noise.u64(0..4)));
                    bad.collect()
                };
                let windows: Vec<Counts> = (0..3).map(|_| cells(&draw(2), &draw(6), 300)).collect();
                fleet.round(|cluster| windows[cluster].clone());
                fleet.standing().crossed.is_some()
            })
        })
        .count();
    assert!(taken_back <= 4, "{taken_back} of 200, where 10 are allowed");
}

/// Every verdict says what was seen and what is still needed.
#[test]
fn a_verdict_is_a_sentence() {
    let mut fleet = Fleet::of(2);
    let empty = fleet.standing().sentence;
    assert!(empty.contains("has had no events yet"), "{empty}");
    for _ in 0..10 {
        fleet.round(|_| cells(&[1], &[1, 0, 1], 300));
    }
    let open = fleet.standing().sentence;
    for part in ["errors: 0.33 %", "6000 events", "0.22 % of stable's", "more canary events"] {
        assert!(open.contains(part), "{open}");
    }
    while fleet.standing().crossed.is_none() {
        fleet.round(|_| cells(&[40], &[1, 0, 1], 300));
    }
    let crossed = fleet.standing().sentence;
    assert!(crossed.contains("evidence that it is worse"), "{crossed}");
}
