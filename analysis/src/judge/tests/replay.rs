//! Determinism, restarts, size, and inputs that nobody should send.

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::world::{Site, judge, observation, run};
use crate::judge::random::Random;
use crate::judge::{
    Arm, ArmCounts, Calibration, Cell, ClusterName, Counts, Evidence, Observation,
    UnreadableEvidence,
};

#[test]
fn a_restart_after_every_window_changes_nothing() {
    let judge = judge(3);
    let site = Site { ratio: 1.6, batch_mean: 2.5, ..Site::usual() };
    let mut random = Random::new(11);
    let factors = site.factors(&mut random);
    let (mut kept, mut restarted) = (Evidence::default(), Evidence::default());
    for number in 0..60 {
        for name in &judge.clusters {
            let window = site.window(name, number, &factors, &mut random);
            judge.observe(&mut kept, &[].into(), vec![window.clone()]);
            judge.observe(&mut restarted, &[].into(), vec![window]);
            restarted = Evidence::decode(&restarted.encode()).unwrap();
            assert_eq!(kept.encode(), restarted.encode());
            assert_eq!(judge.standing(&kept), judge.standing(&restarted));
        }
    }
}

#[test]
fn a_metric_in_a_cluster_takes_at_most_250_bytes() {
    let clusters = 20;
    let judge = judge(clusters);
    let site = Site { ratio: 1.3, batch_mean: 2.5, share: 0.05, ..Site::usual() };
    let outcome =
        run(&judge, &vec![site; clusters], Calibration::default(), 100, &mut Random::new(1));
    let bytes = outcome.evidence.encode().len();
    println!("{} bytes per metric and cluster", bytes / clusters);
    assert!(bytes <= 250 * clusters, "{} per metric and cluster", bytes / clusters);
}

#[test]
fn other_versions_and_damage_are_told_apart() {
    let mut bytes = Evidence::default().encode();
    assert!(matches!(Evidence::decode(&[]), Err(UnreadableEvidence::Damaged(_))));
    if let Some(first) = bytes.first_mut() {
        *first = 250;
    }
    assert!(matches!(Evidence::decode(&bytes), Err(UnreadableEvidence::Version(250))));
}

fn counts() -> impl Strategy<Value = ArmCounts> {
    let number = prop_oneof![0..5_u64, 0..100_000_u64, Just(u64::MAX), any::<u64>()];
    (number.clone(), number).prop_map(|(bad, events)| ArmCounts { bad, events })
}

fn any_counts() -> impl Strategy<Value = Counts> {
    let cell = (any::<bool>(), counts()).prop_map(|(canary, ArmCounts { bad, events })| Cell {
        arm: if canary { Arm::Canary } else { Arm::Stable },
        pod: "p".into(),
        bad,
        events,
    });
    prop_oneof![
        prop::collection::vec(cell, 0..12).prop_map(Counts::Cells),
        (counts(), counts()).prop_map(|(canary, stable)| Counts::Arms { canary, stable }),
    ]
}

fn any_window() -> impl Strategy<Value = Observation> {
    let time = prop_oneof![0..10_000_i64, Just(0), Just(-1), Just(8_000_000_000_000)];
    let length = prop_oneof![Just(15_000_i64), Just(0), Just(-5), Just(1), 0..100_000_000_i64];
    (any_counts(), time, length, 0..5_usize, 0..3_usize).prop_map(
        |(counts, seconds, length, cluster, stream)| {
            let name: ClusterName = format!("c{cluster}").into();
            let mut observation = observation(&name, 0, counts);
            observation.stream = stream;
            observation.window.ends_at = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
            observation.window.length = TimeDelta::milliseconds(length);
            observation
        },
    )
}

fn any_calibration() -> impl Strategy<Value = Calibration> {
    let number = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), 0.0..10.0];
    (number.clone(), number.clone(), number).prop_map(|(pod_sd, batch_mean, batch_mean_upper)| {
        Calibration { pod_sd, batch_mean, batch_mean_upper }
    })
}

proptest! {
    #[test]
    fn any_windows_are_judged(
        rounds in prop::collection::vec(prop::collection::vec(any_window(), 0..8), 0..8),
        calibration in any_calibration(),
    ) {
        let mut judge = judge(3);
        judge.metrics[0].streams = 2;
        let calibrations = judge
            .clusters
            .iter()
            .map(|name| (("errors".into(), name.clone()), calibration))
            .collect();
        let mut evidence = Evidence::default();
        for round in rounds {
            let sent = round.len();
            let report = judge.observe(&mut evidence, &calibrations, round);
            prop_assert_eq!(report.counted + report.late + report.foreign + report.silent, sent);
            let standing = judge.standing(&evidence);
            prop_assert!(standing.against_ln.is_finite() && standing.in_favour_ln.is_finite());
            let again = Evidence::decode(&evidence.encode());
            prop_assert_eq!(again.map_err(|error| error.to_string()), Ok(evidence.clone()));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Ok(evidence) = Evidence::decode(&bytes) {
            prop_assert!(judge(2).standing(&evidence).against_ln.is_finite());
        }
    }
}
