//! The form in which a status keeps evidence: how small it is, and what rounding does.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::world::{Site, judge, run};
use crate::judge::random::Random;
use crate::judge::{Calibration, Evidence, Judge, MetricName, MetricPlan, Observation};

/// A fleet with metrics of every kind of service, as the hub would have it.
fn fleet(clusters: usize, metrics: usize) -> Judge {
    let plan = judge(clusters);
    let of = |number: usize| MetricPlan {
        name: MetricName::from(format!("checkout-golden-signals/metric-{number}")),
        ..plan.metrics[0].clone()
    };
    let clusters = (0..clusters).map(|number| format!("prod-eu-west-{number:03}").into()).collect();
    Judge { metrics: (0..metrics).map(of).collect(), clusters, ..plan }
}

/// The evidence of so many windows of every metric in every cluster.
fn gathered(judge: &Judge, windows: i64) -> Evidence {
    let mut random = Random::new(3);
    let mut evidence = Evidence::default();
    for number in 0..windows {
        let mut round = Vec::new();
        for (place, plan) in judge.metrics.iter().enumerate() {
            // Quiet and loud, good and slightly worse ones, in batches.
            let site = Site {
                requests: [100.0, 750.0, 7500.0][place % 3],
                share: [0.0005, 0.005, 0.05, 0.2][place % 4],
                ratio: [1.0, 1.0, 1.3, 1.0, 0.8][place % 5],
                batch_mean: 2.5,
                ..Site::usual()
            };
            let factors = site.factors(&mut random);
            for (cluster, name) in (0..).zip(&judge.clusters) {
                let window = site.window(name, number, &factors, &mut random);
                let mut shifted = Observation { metric: plan.name.clone(), ..window };
                // Each cluster has a grid of its own.
                shifted.window.ends_at += TimeDelta::milliseconds(31 * cluster);
                round.push(shifted);
            }
        }
        judge.observe(&mut evidence, &[].into(), round);
    }
    evidence
}

#[test]
fn five_hundred_clusters_with_ten_metrics_fit_into_a_status() {
    // Ten metrics and the health of the scrapes. Names of clusters and what the fleet has shown do
    // not grow with the number of both, so twenty times this is more than five hundred take.
    let (clusters, metrics) = (25, 11);
    let text = |bytes: usize| bytes.div_ceil(3) * 4 * 20;
    let judge = fleet(clusters, metrics);
    let mut evidence = gathered(&judge, 30);
    let per = |bytes: usize| bytes / (clusters * metrics);
    let (exact, live) = (evidence.encode().len(), evidence.encode_compact().len());
    for cluster in &judge.clusters {
        evidence.finish(cluster);
    }
    let (exact_end, finished) = (evidence.encode().len(), evidence.encode_compact().len());
    println!(
        "under way: {} bytes each, compact {}, as text {}; finished: {}, compact {}, as text {}",
        per(exact),
        per(live),
        text(live),
        per(exact_end),
        per(finished),
        text(finished)
    );
    assert!(text(exact) > 1_500_000, "what it is for: {}", text(exact));
    assert!(text(live) < 450_000, "{}", text(live));
    assert!(text(finished) < 160_000, "{}", text(finished));
}

#[test]
fn a_restart_costs_hardly_anything_and_never_speaks_against_the_release() {
    // Ratio, and where the bars are first reached without a restart.
    for (ratio, seed) in [(1.0, 1), (1.3, 2), (2.0, 3), (3.0, 4), (10.0, 5)] {
        let judge = judge(3);
        let site = Site { ratio, batch_mean: 2.5, ..Site::usual() };
        let mut random = Random::new(seed);
        let factors = site.factors(&mut random);
        let (mut kept, mut restarted) = (Evidence::default(), Evidence::default());
        let (mut kept_at, mut restarted_at) = (None, None);
        for number in 0..120 {
            for name in &judge.clusters {
                let window = site.window(name, number, &factors, &mut random);
                judge.observe(&mut kept, &[].into(), vec![window.clone()]);
                judge.observe(&mut restarted, &[].into(), vec![window]);
            }
            // Every ten windows; after every one, a whole nat would be lost in 64.
            if number % 10 == 9 {
                restarted = Evidence::decode(&restarted.encode_compact()).unwrap();
            }
            let (one, other) = (judge.standing(&kept), judge.standing(&restarted));
            kept_at = kept_at.or(one.crossed.map(|_| number));
            restarted_at = restarted_at.or(other.crossed.map(|_| number));
        }
        let (one, other) = (judge.standing(&kept), judge.standing(&restarted));
        assert!(other.against_ln < one.against_ln + 0.05, "{ratio}");
        match (kept_at, restarted_at) {
            (None, None) => {}
            (Some(kept), Some(restarted)) => assert!(restarted - kept <= 4, "{ratio}"),
            other => panic!("{ratio}: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn what_is_rounded_is_rounded_once_and_in_the_releases_favour(
        seed in 1..500_u64, clusters in 1..4_usize, windows in 0..60_i64, ratio in 0.5..8.0_f64,
        finished in any::<bool>(),
    ) {
        let judge = judge(clusters);
        let site = Site { ratio, batch_mean: 2.0, ..Site::usual() };
        let sites = vec![site; clusters];
        let mut random = Random::new(seed);
        let mut exact = run(&judge, &sites, Calibration::default(), windows, &mut random).evidence;
        if finished {
            exact.finish("c0");
        }
        let bytes = exact.encode_compact();
        let read = Evidence::decode(&bytes).map_err(|error| error.to_string()).unwrap();
        prop_assert_eq!(read.encode_compact(), bytes);
        let (one, other) = (judge.standing(&exact), judge.standing(&read));
        let lost = one.against_ln - other.against_ln;
        prop_assert!((-1e-9..1.0 / 64.0).contains(&lost), "{lost}");
        prop_assert!((one.in_favour_ln - other.in_favour_ln).abs() < 1e-12);
        for name in &judge.clusters {
            prop_assert_eq!(
                exact.counted_until("errors", name),
                read.counted_until("errors", name)
            );
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes: Vec<u8> = [3].into_iter().chain(bytes).collect();
        if let Ok(evidence) = Evidence::decode(&bytes) {
            prop_assert!(judge(2).standing(&evidence).against_ln.is_finite());
        }
    }
}
