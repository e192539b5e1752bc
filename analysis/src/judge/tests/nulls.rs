//! Whole rollouts under the nulls: how often a bar is ever reached. Seeds are fixed; the bounds
//! are those that the bars promise.

use super::world::{EVEN, Outcome, Site, judge, outage_of, run};
use crate::judge::random::Random;
use crate::judge::{Calibration, Evidence};

/// Rollouts per case, and how many of them 5 % are.
const RUNS: u64 = 60;
const ALLOWED: usize = 3;

fn crossings(sites: &[Site], windows: i64, crossed: impl Fn(&Outcome) -> bool) -> usize {
    let judge = judge(sites.len());
    let calibration = Calibration::default();
    (0..RUNS)
        .filter(|seed| crossed(&run(&judge, sites, calibration, windows, &mut Random::new(*seed))))
        .count()
}

#[test]
fn a_tolerated_release_is_hardly_ever_taken_back() {
    let usual = Site { ratio: 1.25, batch_mean: 2.5, ..Site::usual() };
    for site in [
        usual,
        Site { share: 0.1, ..usual },
        Site { canary_pods: 1, stable_pods: 1, weight: 0.5, ..usual },
        // Unequal loads, both ways.
        Site { canary_pods: 10, stable_pods: 4, weight: 0.5, ..usual },
        Site { canary_pods: 3, stable_pods: 1, weight: 0.05, ..usual },
        Site { canary_pods: 1, stable_pods: 9, weight: 0.5, ..usual },
    ] {
        let aborted = crossings(&[site; 2], 100, |outcome| outcome.aborted.is_some());
        assert!(aborted <= ALLOWED, "{aborted} {site:?}");
    }
}

#[test]
fn a_release_twice_as_bad_hardly_ever_passes() {
    let usual = Site { ratio: 2.0, batch_mean: 2.5, ..Site::usual() };
    for site in [
        usual,
        Site { share: 0.1, ..usual },
        Site { canary_pods: 2, stable_pods: 1, weight: 0.66, ..usual },
        Site { canary_pods: 10, stable_pods: 4, weight: 0.5, ..usual },
        Site { canary_pods: 3, stable_pods: 1, weight: 0.05, ..usual },
    ] {
        let promoted = crossings(&[site; 2], 100, |outcome| outcome.promoted.is_some());
        assert!(promoted <= ALLOWED, "{promoted} {site:?}");
    }
}

#[test]
fn what_is_bad_is_found_and_what_is_good_is_promoted() {
    let bad = Site { ratio: 3.0, ..Site::usual() };
    let found = crossings(&[bad; 4], 100, |outcome| outcome.aborted.is_some());
    assert!(found >= 57, "{found}");
    let good = Site { ratio: 1.0, weight: 0.5, canary_pods: 10, stable_pods: 10, ..Site::usual() };
    let promoted = crossings(&[good; 4], 100, |outcome| outcome.promoted.is_some());
    assert!(promoted >= 57, "{promoted}");
}

/// Windows of a gauge in which all pods are alike, before the canary's are not.
const HEALTHY: i64 = 40;

/// Windows of a gauge until it takes a release back that is high on every canary pod from some
/// time on, and on no stable one.
fn windows_of_a_gauge(pods: (u32, u32)) -> Option<i64> {
    let judge = judge(1);
    let mut evidence = Evidence::default();
    (0..240).find(|number| {
        let window = outage_of(*number, pods, (u64::from(*number >= HEALTHY), 1));
        judge.observe(&mut evidence, &[].into(), vec![window]);
        judge.standing(&evidence).crossed.is_some()
    })
}

#[test]
fn a_gauge_that_is_high_on_every_canary_pod_is_found_with_few_pods() {
    // Where half of the cells of a window are bad, the null's edge is beyond what is looked for
    // as the past has it.
    for (pods, at_most) in [((1, 1), 60), ((1, 2), 28), ((9, 1), 25), ((2, 2), 20), ((5, 15), 8)] {
        let found = windows_of_a_gauge(pods).map(|number| number - HEALTHY);
        assert!(
            found.is_some_and(|windows| (1..=at_most).contains(&windows)),
            "{pods:?} {found:?}"
        );
    }
}

#[test]
fn bad_events_that_come_alone_are_believed_sooner_and_no_less_safely() {
    let bad = Site { ratio: 5.0, batch_mean: 1.0, ..Site::usual() };
    let rounds = |calibration: Calibration| -> i64 {
        let aborted =
            |seed| run(&judge(1), &[bad], calibration, 100, &mut Random::new(seed)).aborted;
        (0..RUNS).map(|seed| aborted(seed).unwrap_or(100)).sum()
    };
    let usual = Calibration { pod_sd: 0.0, ..Calibration::default() };
    let (alone, usual) = (rounds(EVEN), rounds(usual));
    assert!(alone * 10 < usual * 8, "{alone} {usual}");
    let tolerated = Site { ratio: 1.25, ..bad };
    let is_taken_back = |seed: &u64| {
        run(&judge(1), &[tolerated], EVEN, 100, &mut Random::new(*seed)).aborted.is_some()
    };
    let aborted = (0..RUNS).filter(is_taken_back).count();
    assert!(aborted <= ALLOWED, "{aborted}");
}
