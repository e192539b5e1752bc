//! Corrections of how evidence adds up over rounds, time and clusters: rows 8 to 11.

use chrono::TimeDelta;

use super::world::{EVEN, Site, end_of, judge, outage, run};
use crate::judge::change_point::{Process, left, log_add, weight};
use crate::judge::episode::{Allowance, Episode};
use crate::judge::evidence::Place;
use crate::judge::random::Random;
use crate::judge::standing::TOGETHER;
use crate::judge::{Calibration, Evidence, Judge, Observation};

#[test]
fn row_08_clusters_that_have_not_started_count_as_one() {
    let site = Site { ratio: 10.0, ..Site::usual() };
    let one = run(&judge(1), &[site], EVEN, 8, &mut Random::new(1));
    let eight = run(&judge(8), &[site], EVEN, 8, &mut Random::new(1));
    let alone = one.last.against_ln.exp();
    let expect = TOGETHER * alone + (1.0 - TOGETHER) * (alone + 7.0) / 8.0;
    assert!((eight.last.against_ln.exp() / expect - 1.0).abs() < 1e-9);
    // The mean over those that have started.
    let started = eight.last.metrics[0].clusters.iter().map(|cluster| cluster.against_ln.exp());
    let uncorrected = TOGETHER * alone + (1.0 - TOGETHER) * started.sum::<f64>();
    assert!(uncorrected > 1.05 * expect, "{uncorrected} {expect}");
}

/// `ln E` of the ratio: of each cluster, and of the fleet.
fn ratios(evidence: &Evidence) -> (Vec<f64>, f64) {
    let stream = &evidence.metrics["errors"][0];
    let of_clusters = stream.clusters.values().map(|place| match place {
        Place::Live(live) => live.log_evidence().0,
        Place::Finished { ratio, .. } => *ratio,
    });
    (of_clusters.collect(), stream.fleet.log_evidence().0)
}

#[test]
fn row_08_the_fleet_is_a_state_of_its_own() {
    // The same windows of two clusters: at the same time, or one cluster after the other.
    let judge = judge(2);
    let site = Site { ratio: 2.0, ..Site::usual() };
    let mut random = Random::new(8);
    let factors = site.factors(&mut random);
    let windows: Vec<Observation> = (0..20)
        .map(|number| site.window(&judge.clusters[0], number, &factors, &mut random))
        .collect();
    let evidence = |later: i64| {
        let of_second = (0..).zip(&windows).map(|(number, window)| {
            let mut window = window.clone();
            window.cluster = judge.clusters[1].clone();
            window.window.ends_at = end_of(number + later);
            window
        });
        let mut all: Vec<Observation> = windows.iter().cloned().chain(of_second).collect();
        all.sort_by_key(|window| window.window.ends_at);
        let mut evidence = Evidence::default();
        for window in all {
            judge.observe(&mut evidence, &[].into(), vec![window]);
        }
        evidence
    };
    let (together, apart) = (ratios(&evidence(0)), ratios(&evidence(100)));
    for (one, other) in together.0.iter().zip(&apart.0) {
        assert!((one - other).abs() < 1e-12, "each cluster alone: {one} {other}");
    }
    assert!((together.1 - apart.1).abs() > 0.001, "{} {}", together.1, apart.1);
    let uncorrected: f64 = together.0.iter().sum();
    assert!((uncorrected - together.1).abs() > 0.1, "the clusters' sum: {uncorrected}");
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
    // Each as it comes: what comes late is lost, and not the same every time.
    let one_by_one = |windows: &[Observation]| {
        let mut evidence = Evidence::default();
        for window in windows {
            judge.observe(&mut evidence, &[].into(), vec![window.clone()]);
        }
        evidence.encode()
    };
    assert_ne!(one_by_one(&shuffled), forwards, "uncorrected: in the order of arrival");
    let mut again = Evidence::default();
    judge.observe(&mut again, &[].into(), round.clone());
    let before = again.clone();
    let report = judge.observe(&mut again, &[].into(), round);
    assert_eq!((report.late, report.counted), (24, 0));
    assert_eq!(again, before);
}

#[test]
fn row_09_a_mixture_over_moments_depends_on_order() {
    // Worked example 5, forwards and backwards: the same increments, another evidence.
    let evidence = |increments: [f64; 5]| {
        let mut process = Process::default();
        for increment in increments {
            process.step(0.06, increment);
        }
        process.log_evidence(0.0)
    };
    let forwards = evidence([-0.2, -0.2, 1.0, 1.0, 1.0]);
    assert!((forwards - 2.567_307_514).abs() < 5e-10, "{forwards}");
    let backwards = evidence([1.0, 1.0, 1.0, -0.2, -0.2]);
    assert!((backwards - 2.372_884_459_9).abs() < 1e-10, "{backwards}");
}

#[test]
fn row_10_the_weights_of_later_moments_never_run_out() {
    let whole = left(0);
    let spent: f64 = (0..10_000).map(|t| weight(t, t + 1)).sum();
    assert!(spent < whole && (spent + left(10_000) - whole).abs() < 1e-12);
    assert!(left(u32::MAX) > 0.0 && weight(3, 3).abs() < f64::MIN_POSITIVE);
    // Even weights of the 180 windows that were planned, and a bake that makes them 240.
    let uncorrected = whole - 240.0 * whole / 180.0;
    assert!(uncorrected < 0.0 && log_add(0.0, uncorrected.ln()).is_nan(), "{uncorrected}");
}

/// What a component gains in all, of which each of these windows of 15 s would gain two nats.
/// `episode` is the one that a window belongs to.
fn gained(windows: std::ops::Range<i64>, episode: impl Fn(i64) -> i64) -> f64 {
    let (mut sum, mut known) = (0.0, (i64::MIN, Episode::default()));
    for number in windows {
        if known.0 != episode(number) {
            known = (episode(number), Episode::default());
        }
        let mut gain = 2.0;
        let minute = TimeDelta::seconds(60);
        let usual =
            Allowance::of(minute, minute / 4, Calibration::default().batch_mean, 20_f64.ln());
        known.1.cap(end_of(number).timestamp_millis(), usual, std::iter::once(&mut gain));
        sum += gain;
    }
    sum
}

#[test]
fn row_11_an_episode_across_two_blocks_gains_no_more_than_one_block() {
    // The most within one minute, and an episode of a minute from the middle of another.
    let most = gained(0..4, |_| 0);
    let corrected = gained(2..6, |_| 0);
    assert!(most > 0.0 && corrected <= most + 1e-9, "{corrected} {most}");
    let uncorrected = gained(2..6, |number| number / 4);
    assert!(uncorrected > 1.5 * most, "a cap that begins anew each minute: {uncorrected}");
    // The same through the judge: ten times worse for that minute.
    let judge = judge(1);
    let mut evidence = Evidence::default();
    let mut shown = f64::NEG_INFINITY;
    for number in 0..8 {
        let bad = if (2..6).contains(&number) { 4 } else { 0 };
        judge.observe(&mut evidence, &[].into(), vec![outage(number, bad)]);
        shown = shown.max(judge.standing(&evidence).against_ln);
    }
    assert!(shown > 0.4 * most && shown <= most, "{shown} {most}");
}

/// Windows until the bar is reached by pods that fail all at once from the third window on, for
/// so many windows at most, where batches are like this in the past.
fn crossed(batch_mean: f64, windows: i64, false_abort: f64) -> Option<i64> {
    let judge = Judge { false_abort, ..judge(1) };
    let calibration = Calibration { batch_mean, batch_mean_upper: batch_mean, pod_sd: 0.0 };
    let calibrations = [(("errors".into(), "c0".into()), calibration)].into();
    let mut evidence = Evidence::default();
    (0..2 + windows).find(|number| {
        let bad = if *number < 2 { 0 } else { 20 };
        judge.observe(&mut evidence, &calibrations, vec![outage(*number, bad)]);
        judge.standing(&evidence).crossed.is_some()
    })
}

#[test]
fn an_episode_alone_decides_nowhere_and_lasts_as_stable_has_it() {
    for batch_mean in [1.0, 1.2, 1.5, 2.5, 5.0, 50.0] {
        for false_abort in [0.01, 0.05, 0.3] {
            // A minute is four windows.
            assert_eq!(crossed(batch_mean, 4, false_abort), None, "{batch_mean} {false_abort}");
            assert!(crossed(batch_mean, 80, false_abort).is_some(), "{batch_mean} {false_abort}");
        }
    }
    let found = [1.0, 2.5, 5.0].map(|batch_mean| crossed(batch_mean, 40, 0.05));
    assert!(found[0] < found[2] && found[1] < found[2], "{found:?}");
}
