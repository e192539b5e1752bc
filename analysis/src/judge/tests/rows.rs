//! One test per correction of the method, each of which shows beside it what the uncorrected
//! formula would have done. Where they are:
//!
//! | Row | Correction | Test |
//! |---|---|---|
//! | 1 | loads of pods in the odds | `edges::row_01_the_load_ratio_is_in_the_odds` |
//! | 2 | plain ratio, and the difference beside it | `row_02_an_outage_after_an_hour_without_errors_is_found`, `row_02_a_release_within_the_difference_is_not_taken_back`; `edges::row_02_the_difference_is_tempered_twice`, `edges::row_02_no_bet_is_made_below_the_null` |
//! | 3 | promote edge for every base rate | `edges::row_03_the_promote_edge_holds_for_every_base_rate` |
//! | 4 | abort edge when the base rate rises | `edges::row_04_the_abort_edge_follows_a_rising_base_rate` |
//! | 5 | a step looks before it ends | `planner/tests/corrections.rs`: `row_05_a_step_ends_only_after_windows_of_its_own` |
//! | 6 | lasting differences of pods | `row_06_lasting_differences_of_pods_do_not_abort`, `row_06_the_fleet_allows_for_the_mean_of_its_clusters` |
//! | 7 | retries | `row_07_a_bad_release_does_not_pass_by_trying_again`, `row_07_all_attempts_together_keep_the_chance`; the hub's `judgement`: `row_07_another_revision_is_another_test` |
//! | 8 | the mean over clusters, and the fleet | `order::row_08_clusters_that_have_not_started_count_as_one`, `order::row_08_the_fleet_is_a_state_of_its_own`; `edges::row_08_a_cluster_that_has_not_started_counts_as_one` |
//! | 9 | order | `order::row_09_order_within_a_round_is_nothing_and_late_windows_are_counted_as_late`, `order::row_09_a_mixture_over_moments_depends_on_order` |
//! | 10 | weights of moments | `order::row_10_the_weights_of_later_moments_never_run_out` |
//! | 11 | a sliding cap | `order::row_11_an_episode_across_two_blocks_gains_no_more_than_one_block` |
//! | 12 | catastrophes | `row_12_a_catastrophe_is_seen_at_low_traffic_and_not_in_a_shared_outage`; `planner/tests/pacing.rs`: `a_canary_that_loses_most_of_its_pods_under_traffic_is_taken_back_soon`; `planner/tests/crashes.rs`: `a_release_whose_pods_crash_under_traffic_is_taken_back_at_once`; `controller`: `requests_that_the_gateway_cannot_deliver_are_errors_of_the_canary` |
//! | 13 | size of the state | `row_13_a_finished_cluster_is_a_few_frozen_numbers` |
//! | 14 | how far an abort goes | `row_14_the_larger_term_says_how_far_an_abort_goes` |
//! | 15 | which steps end by time | `planner/tests/corrections.rs`: `row_15_…` |

use super::world::{EVEN, Outcome, Site, end_of, judge, outage, outage_of, run};
use crate::judge::cells::Cells;
use crate::judge::evidence::Place;
use crate::judge::past::{Added, Past};
use crate::judge::random::Random;
use crate::judge::ratios::Ratios;
use crate::judge::{ArmCounts, Calibration, Catastrophe, Counts, Evidence, Judge, Scope};

fn share_of(runs: u64, mut found: impl FnMut(u64) -> bool) -> f64 {
    let count = (0..runs).filter(|seed| found(*seed)).count();
    f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(runs).unwrap())
}

#[test]
fn row_02_an_outage_after_an_hour_without_errors_is_found() {
    for events in [40, 4000] {
        let judge = judge(1);
        let tolerate = judge.metrics[0].margins.tolerate;
        let bar_ln = judge.standing(&Evidence::default()).against_bar_ln;
        let (mut evidence, mut past) = (Evidence::default(), Past::default());
        let (mut found, mut uncorrected) = (None, 0.0);
        for number in 0..260 {
            let bad = if number < 240 { 0 } else { events / 2 };
            let window = outage_of(number, (3, 12), (bad, events));
            let Counts::Cells(cells) = &window.window.counts else { panic!("no cells") };
            let cells = Cells::count(cells);
            // The difference as a ratio of stable's share, which is next to nothing.
            let inflated = tolerate.ratio.max(1.0 + tolerate.difference / past.share());
            let bets = Ratios::beyond(inflated).map(|ratios| cells.worse(&past, ratios));
            uncorrected += bets.into_iter().fold(0.0, f64::max);
            let of_stable = 12.0 * f64::from(u32::try_from(events).unwrap());
            past.add(end_of(number), Added { events: of_stable, ..cells.added() });
            judge.observe(&mut evidence, &[].into(), vec![window]);
            let crossed = judge.standing(&evidence).crossed.is_some();
            found = found.or_else(|| crossed.then_some(number));
        }
        assert!(found.is_some_and(|number| (240..258).contains(&number)), "{events}: {found:?}");
        assert!(uncorrected < bar_ln, "{events}: {uncorrected}");
    }
}

#[test]
fn row_02_a_release_within_the_difference_is_not_taken_back() {
    // Four times nearly nothing: 8 instead of 2 of 100,000 requests.
    let site = Site { requests: 500_000.0, share: 2e-5, ratio: 4.0, ..Site::usual() };
    let outcome = run(&judge(1), &[site], EVEN, 60, &mut Random::new(1));
    assert_eq!(outcome.aborted, None);
    let place = outcome.evidence.metrics["errors"][0].clusters.get("c0");
    let Some(Place::Live(live)) = place else { panic!("{place:?}") };
    let (uncorrected, _) = live.log_evidence();
    assert!(uncorrected > outcome.last.against_bar_ln, "the ratio alone: {uncorrected}");
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
fn row_06_the_fleet_allows_for_the_mean_of_clusters_that_are_read_one_by_one() {
    let judge = judge(6);
    let calibration = Calibration { pod_sd: 0.3, ..EVEN };
    let calibrations =
        judge.clusters.iter().map(|name| (("errors".into(), name.clone()), calibration)).collect();
    let site = Site { canary_pods: 1, stable_pods: 19, weight: 0.05, ratio: 3.0, ..Site::usual() };
    let mut random = Random::new(6);
    let factors = site.factors(&mut random);
    let [mut together, mut apart, mut forgetful] = [(); 3].map(|()| Evidence::default());
    for number in 0..80 {
        let windows = judge.clusters.iter();
        let round: Vec<_> =
            windows.map(|name| site.window(name, number, &factors, &mut random)).collect();
        for window in &round {
            judge.observe(&mut apart, &calibrations, vec![window.clone()]);
            for place in
                forgetful.metrics.values_mut().flatten().flat_map(|s| s.clusters.values_mut())
            {
                let Place::Live(live) = place else { panic!("finished") };
                live.pods_variance = None;
            }
            judge.observe(&mut forgetful, &calibrations, vec![window.clone()]);
        }
        judge.observe(&mut together, &calibrations, round);
    }
    let [together, apart, forgetful] =
        [together, apart, forgetful].map(|e| e.metrics["errors"][0].fleet.log_evidence().0);
    // Only in the first round the first ones do not know of the others yet.
    assert!((together - apart).abs() < 0.2, "{together} {apart}");
    assert!(together > 10.0 && forgetful < together / 2.0, "{together} {forgetful}");
}

/// Whether one of six attempts of a release reaches the bar in its favour.
fn passes(judge: &Judge, site: &Site, seed: u64, next: impl Fn(&Evidence) -> Evidence) -> bool {
    let mut random = Random::new(seed);
    let factors = site.factors(&mut random);
    let mut evidence = Evidence::default();
    (0..6 * 40).any(|number| {
        if number > 0 && number % 40 == 0 {
            evidence = next(&evidence);
        }
        let window = site.window(&judge.clusters[0], number, &factors, &mut random);
        judge.observe(&mut evidence, &[].into(), vec![window]);
        let standing = judge.standing(&evidence);
        standing.in_favour_ln >= standing.in_favour_bar_ln
    })
}

#[test]
fn row_07_a_bad_release_does_not_pass_by_trying_again() {
    // One in four is to pass at most, so that few runs show it.
    let judge = Judge { missed: 0.25, ..judge(1) };
    let ratio = judge.metrics[0].margins.rule_out.ratio;
    let site = Site { ratio, weight: 0.5, canary_pods: 10, stable_pods: 10, ..Site::usual() };
    let carried = share_of(80, |seed| passes(&judge, &site, seed, Evidence::next_attempt));
    assert!(carried <= judge.missed, "{carried}");
    let uncorrected = share_of(80, |seed| passes(&judge, &site, seed, |_| Evidence::default()));
    assert!(uncorrected > judge.missed, "each attempt with evidence of its own: {uncorrected}");
}

#[test]
fn row_07_all_attempts_together_keep_the_chance() {
    let judge = judge(1);
    let site = Site { ratio: 2.0, weight: 0.5, canary_pods: 10, stable_pods: 10, ..Site::usual() };
    let Outcome { evidence, last, .. } = run(&judge, &[site], EVEN, 40, &mut Random::new(3));
    let mut next = evidence.next_attempt();
    let again = judge.standing(&next);
    assert!(again.in_favour_ln < 0.0 && (again.in_favour_ln - last.in_favour_ln).abs() < 1e-12);
    assert!(again.against_ln.abs() < 1e-9, "{}", again.against_ln);
    // Windows of the attempt before do not count again.
    let report = judge.observe(&mut next, &[].into(), vec![outage(39, 5)]);
    assert_eq!((report.late, report.counted), (1, 0));
    // The chances of all attempts add up to what one rollout may cost.
    let (mut attempt, mut together, mut uncorrected) = (Evidence::default(), 0.0, 0.0);
    for _ in 0..30 {
        together += (-judge.standing(&attempt).against_bar_ln).exp();
        uncorrected += (-last.against_bar_ln).exp();
        attempt = attempt.next_attempt();
    }
    assert!(together <= judge.false_abort + 1e-12, "{together}");
    assert!(uncorrected > judge.false_abort, "every attempt at the first bar: {uncorrected}");
}

#[test]
fn row_12_a_catastrophe_is_seen_at_low_traffic_and_not_in_a_shared_outage() {
    use Catastrophe::{Both, Canary, None};
    let counts = |(bad, events)| ArmCounts { bad, events };
    // More than half of at least 50 requests of a window of 15 s, whatever stable does.
    let uncorrected = |(bad, events): (u64, u64)| events >= 50 && 2 * bad > events;
    // The last window and the last minute of the canary, and the minute of stable.
    let cases = [
        ((10, 10), (40, 40), (0, 900), Canary, false, "one request per 1.5 s, all of them bad"),
        ((30, 50), (120, 200), (600, 900), Both, true, "an outage of both"),
        ((26, 50), (26, 200), (0, 900), None, true, "a bad moment"),
        ((45, 50), (180, 200), (0, 900), Canary, true, "an outage of the canary"),
        ((3, 4), (12, 15), (0, 900), None, false, "too few to tell"),
    ];
    for (window, minute, stable, expect, aborted, what) in cases {
        assert_eq!(Catastrophe::look(counts(minute), counts(stable)), expect, "{what}");
        assert_eq!(uncorrected(window), aborted, "{what}");
    }
}

/// Bytes that one more cluster adds to the evidence, with all of them under way or finished.
fn bytes_per_cluster(finished: bool) -> usize {
    let size = |clusters: usize| {
        let site = Site { ratio: 1.3, batch_mean: 2.5, share: 0.05, ..Site::usual() };
        let judge = judge(clusters);
        let mut evidence =
            run(&judge, &vec![site; clusters], EVEN, 30, &mut Random::new(1)).evidence;
        for cluster in judge.clusters.iter().filter(|_| finished) {
            evidence.finish(cluster);
        }
        evidence.encode().len()
    };
    (size(30) - size(10)) / 20
}

#[test]
fn row_13_a_finished_cluster_is_a_few_frozen_numbers() {
    let judge = judge(2);
    let site = Site { ratio: 3.0, ..Site::usual() };
    let Outcome { mut evidence, last, .. } = run(&judge, &[site; 2], EVEN, 30, &mut Random::new(2));
    evidence.finish("c0");
    evidence.finish("unknown");
    assert!((judge.standing(&evidence).against_ln - last.against_ln).abs() < 1e-12);
    let report = judge.observe(&mut evidence, &[].into(), vec![outage(99, 40)]);
    assert_eq!((report.foreign, report.counted), (1, 0));
    // A thousand clusters with ten metrics, as text in an object of the API: 1.5 MiB at most.
    let text = |bytes: usize| bytes * 1000 * 10 * 4 / 3;
    let (corrected, uncorrected) = (text(bytes_per_cluster(true)), text(bytes_per_cluster(false)));
    assert!(corrected < 3 << 19, "{corrected}");
    assert!(uncorrected > 3 << 19, "if all of them stayed as they are: {uncorrected}");
}

#[test]
fn row_14_the_larger_term_says_how_far_an_abort_goes() {
    let bad = Site { ratio: 10.0, weight: 0.5, canary_pods: 10, stable_pods: 10, ..Site::usual() };
    let good = Site { ratio: 1.0, ..bad };
    let last = |sites: &[Site]| {
        let judge = judge(sites.len());
        run(&judge, sites, EVEN, 60, &mut Random::new(4)).last
    };
    // What crosses its bar aborts the fleet.
    let uncorrected = Some(Scope::Fleet);
    assert_eq!(last(&[bad; 4]).crossed, uncorrected);
    let alone = last(&[good, bad, good, good, good]);
    assert_eq!(alone.crossed, Some(Scope::Cluster("c1".into())));
    assert_ne!(alone.crossed, uncorrected);
    let others = alone.metrics[0].clusters.iter().filter(|cluster| &*cluster.name != "c1");
    assert!(others.map(|cluster| cluster.against_ln).all(|log| log < 1.0));
}
