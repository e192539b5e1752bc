//! One test per correction that changed the method; those of single windows are in `edges`.

use super::world::{Outcome, Site, end_of, judge, observation, run};
use crate::judge::change_point::{left, weight};
use crate::judge::random::Random;
use crate::judge::{
    Arm, ArmCounts, Calibration, Catastrophe, Cell, Counts, Evidence, Observation, Scope,
};

const EVEN: Calibration = Calibration { pod_sd: 0.0, batch_mean: 1.0, batch_mean_upper: 1.0 };

fn share_of(runs: u64, mut found: impl FnMut(u64) -> bool) -> f64 {
    let count = (0..runs).filter(|seed| found(*seed)).count();
    f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(runs).unwrap())
}

/// A window in which every canary pod has this many bad events of 40, and stable none.
fn outage(number: i64, bad: u64) -> Observation {
    let cell = |arm: Arm, pod: u32, bad: u64| Cell {
        arm,
        pod: format!("{arm:?}{pod}").into(),
        bad,
        events: 40,
    };
    let cells = (0..3).map(|pod| cell(Arm::Canary, pod, bad));
    let cells = cells.chain((0..12).map(|pod| cell(Arm::Stable, pod, 0)));
    observation(&"c0".into(), number, Counts::Cells(cells.collect()))
}

#[test]
fn row_02_an_outage_after_an_hour_without_errors_is_found() {
    let judge = judge(1);
    let mut evidence = Evidence::default();
    for number in 0..240 {
        judge.observe(&mut evidence, &[].into(), vec![outage(number, 0)]);
    }
    assert_eq!(judge.standing(&evidence).crossed, None);
    let found = (240..260).find(|number| {
        judge.observe(&mut evidence, &[].into(), vec![outage(*number, 20)]);
        judge.standing(&evidence).crossed.is_some()
    });
    assert!(found.is_some_and(|number| number < 258), "{found:?}");
}

#[test]
fn row_06_lasting_differences_of_pods_do_not_abort() {
    let site = Site { canary_pods: 2, stable_pods: 1, weight: 0.67, pod_sd: 0.5, ..Site::usual() };
    let aborts = |pod_sd: f64| {
        share_of(120, |seed| {
            let calibration = Calibration { pod_sd, ..EVEN };
            run(&judge(1), &[site], calibration, 160, &mut Random::new(seed)).aborted.is_some()
        })
    };
    let (allowed_for, uncorrected) = (aborts(0.5), aborts(0.0));
    assert!(allowed_for <= 0.01 && uncorrected > 0.03, "{allowed_for} {uncorrected}");
    let bad = Site { ratio: 10.0, pod_sd: 0.3, ..site };
    let outcome = |seed| {
        let calibration = Calibration { pod_sd: 0.3, ..EVEN };
        run(&judge(1), &[bad], calibration, 160, &mut Random::new(seed))
    };
    assert!(share_of(20, |seed| outcome(seed).aborted.is_some()) >= 0.9);
}

#[test]
fn row_06_the_fleet_allows_for_the_mean_of_its_clusters() {
    let site = Site { canary_pods: 1, stable_pods: 19, weight: 0.05, pod_sd: 0.3, ..Site::usual() };
    let outcome = |ratio: f64, windows: i64, seed: u64| {
        let sites = [Site { ratio, ..site }; 6];
        let calibration = Calibration { pod_sd: 0.3, ..EVEN };
        run(&judge(6), &sites, calibration, windows, &mut Random::new(seed))
    };
    let healthy = share_of(40, |seed| outcome(1.0, 120, seed).aborted.is_some());
    assert!(healthy <= 0.05, "{healthy}");
    let detected = share_of(20, |seed| outcome(3.0, 120, seed).aborted.is_some());
    assert!(detected >= 0.9, "{detected}");
}

#[test]
fn row_07_retries_carry_what_speaks_for_the_release_and_pay_for_the_rest() {
    let judge = judge(1);
    let site = Site { ratio: 2.0, weight: 0.5, canary_pods: 10, stable_pods: 10, ..Site::usual() };
    let Outcome { evidence, last, .. } = run(&judge, &[site], EVEN, 40, &mut Random::new(3));
    let mut next = evidence.next_attempt();
    let again = judge.standing(&next);
    assert!(again.in_favour_ln < 0.0 && (again.in_favour_ln - last.in_favour_ln).abs() < 1e-12);
    assert!(again.against_ln.abs() < 1e-9, "{}", again.against_ln);
    assert!((last.against_bar_ln - 25.0_f64.ln()).abs() < 1e-9);
    assert!((again.against_bar_ln - 125.0_f64.ln()).abs() < 1e-9);
    // Windows of the attempt before do not count again.
    let report = judge.observe(&mut next, &[].into(), vec![outage(39, 5)]);
    assert_eq!((report.late, report.counted), (1, 0));
}

#[test]
fn row_08_clusters_that_have_not_started_count_as_one() {
    let site = Site { ratio: 10.0, ..Site::usual() };
    let one = run(&judge(1), &[site], EVEN, 8, &mut Random::new(1));
    let eight = run(&judge(8), &[site], EVEN, 8, &mut Random::new(1));
    let alone = one.last.against_ln.exp();
    let expect = 0.75 * alone + 0.25 * (alone + 7.0) / 8.0;
    assert!((eight.last.against_ln.exp() / expect - 1.0).abs() < 1e-9);
}

#[test]
fn row_09_order_within_a_round_is_nothing_and_late_windows_are_counted_as_late() {
    let judge = judge(4);
    let mut random = Random::new(5);
    let site = Site { ratio: 1.5, ..Site::usual() };
    let factors = site.factors(&mut random);
    let round: Vec<Observation> = (0..6)
        .flat_map(|number| judge.clusters.iter().map(move |name| (number, name)))
        .map(|(number, name)| site.window(name, number, &factors, &mut random))
        .collect();
    let evidence = |round: Vec<Observation>| {
        let mut evidence = Evidence::default();
        let report = judge.observe(&mut evidence, &[].into(), round);
        assert_eq!(report.counted, 24);
        evidence.encode()
    };
    let forwards = evidence(round.clone());
    let mut shuffled = round.clone();
    for seed in 0..20 {
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        assert_eq!(evidence(shuffled.clone()), forwards);
    }
    let mut again = Evidence::default();
    judge.observe(&mut again, &[].into(), round.clone());
    let before = again.clone();
    let report = judge.observe(&mut again, &[].into(), round);
    assert_eq!((report.late, report.counted), (24, 0));
    assert_eq!(again, before);
}

#[test]
fn row_10_the_weights_of_later_moments_never_run_out() {
    let spent: f64 = (0..10_000).map(|t| weight(t, t + 1)).sum();
    assert!(spent < 0.3 && (spent + left(10_000) - 0.3).abs() < 1e-12);
    assert!(left(u32::MAX) > 0.0 && weight(3, 3).abs() < f64::MIN_POSITIVE);
}

#[test]
fn row_11_an_episode_across_two_blocks_gains_no_more_than_one_block() {
    // Ten times worse for exactly 60 s, from the middle of one minute to that of the next.
    let judge = judge(1);
    let mut evidence = Evidence::default();
    let mut most = f64::NEG_INFINITY;
    for number in 0..8 {
        let bad = if (2..6).contains(&number) { 4 } else { 0 };
        judge.observe(&mut evidence, &[].into(), vec![outage(number, bad)]);
        most = most.max(judge.standing(&evidence).against_ln);
    }
    assert!(most > 1.0 && most <= 2.3, "{most}");
}

#[test]
fn row_12_a_catastrophe_needs_a_stable_that_is_fine() {
    let counts = |bad, events| ArmCounts { bad, events };
    assert_eq!(Catastrophe::look(counts(30, 50), counts(0, 900)), Catastrophe::Canary);
    assert_eq!(Catastrophe::look(counts(30, 50), counts(600, 900)), Catastrophe::Both);
    assert_eq!(Catastrophe::look(counts(12, 15), counts(0, 900)), Catastrophe::None);
}

#[test]
fn row_13_a_finished_cluster_is_a_few_frozen_numbers() {
    let judge = judge(2);
    let site = Site { ratio: 3.0, ..Site::usual() };
    let Outcome { mut evidence, last, .. } = run(&judge, &[site; 2], EVEN, 30, &mut Random::new(2));
    let before = evidence.encode().len();
    evidence.finish("c0");
    evidence.finish("unknown");
    assert!(evidence.encode().len() + 100 < before);
    assert!((judge.standing(&evidence).against_ln - last.against_ln).abs() < 1e-12);
    let report = judge.observe(&mut evidence, &[].into(), vec![outage(99, 40)]);
    assert_eq!((report.foreign, report.counted), (1, 0));
}

#[test]
fn row_14_the_larger_term_says_how_far_an_abort_goes() {
    let bad = Site { ratio: 10.0, weight: 0.5, canary_pods: 10, stable_pods: 10, ..Site::usual() };
    let good = Site { ratio: 1.0, ..bad };
    let scope = |sites: &[Site]| {
        let judge = judge(sites.len());
        let outcome = run(&judge, sites, EVEN, 60, &mut Random::new(4));
        outcome.last.crossed
    };
    assert_eq!(scope(&[bad; 4]), Some(Scope::Fleet));
    assert_eq!(scope(&[good, bad, good, good, good]), Some(Scope::Cluster("c1".into())));
    assert!(end_of(1) > end_of(0));
}
