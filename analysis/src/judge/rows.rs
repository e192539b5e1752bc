//! The corrections that overrule the first design, one test each, by their rows: each states what
//! holds now, and that the uncorrected formula breaks it. (Rows 5 and 15 are about pacing:
//! `planner/tests/pacing.rs`. Row 12 is `catastrophe`.)

use chrono::TimeDelta;

use super::change_point;
use super::hypergeometric::Table;
use super::odds::{log_odds_ratio, sound_share};
use super::tests::{Fleet, cells};
use super::{Calibration, Evidence, Margins, Scope};

/// `E[e]` of one window in which the canary's `m` cells are bad with probability `a` and the
/// other `s` with probability `p`, exactly. `bet` gives null and alternative for a table.
fn expectation((m, s): (u32, u32), (a, p): (f64, f64), bet: impl Fn(&Table) -> (f64, f64)) -> f64 {
    let binomial = |n: u32, k: u32, p: f64| {
        let choose = (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
        choose * p.powi(k.cast_signed()) * (1.0 - p).powi((n - k).cast_signed())
    };
    let mut sum = 0.0;
    for x in 0..=m {
        for y in 0..=s {
            let table = Table { cells: m + s, canary: m, bad: x + y, canary_bad: x };
            let (null, alternative) = bet(&table);
            sum += binomial(m, x, a) * binomial(s, y, p) * table.log_ratio(null, alternative).exp();
        }
    }
    sum
}

/// Share of cells with any event at this rate.
fn presence(rate: f64) -> f64 {
    1.0 - (-rate).exp()
}

fn observed(table: &Table) -> f64 {
    f64::from(table.bad) / f64::from(table.cells)
}

#[test]
fn row_01_pods_with_another_load_are_not_worse_for_that() {
    // Canary pods, stable pods, and the load of one over the other: 3+1 pods at 5 %, 10+4 at 50 %.
    for ((m, s), load) in [((1, 3), 0.158), ((4, 10), 2.5)] {
        for rate in [0.02, 0.1, 0.5, 1.5] {
            let p = presence(rate);
            let share = |table: &Table| sound_share(p.max(observed(table)));
            let abort = |load: f64| {
                move |table: &Table| {
                    let share = share(table);
                    (log_odds_ratio(1.25 * load, share), log_odds_ratio(3.5 * load, share))
                }
            };
            let at_edge = presence(1.25 * load * rate);
            let corrected = expectation((m, s), (at_edge, p), abort(load));
            assert!(corrected <= 1.02, "abort, {m}+{s}, rate {rate}: {corrected}");
            let worst = 2.0 * load;
            let edge = |share| if worst >= 1.0 { worst.ln() } else { log_odds_ratio(worst, share) };
            // Where no bet below the edge can be made, none is.
            let promote = |table: &Table| {
                let edge = edge(share(table));
                (edge, log_odds_ratio(load, share(table)).min(edge))
            };
            let corrected = expectation((m, s), (presence(worst * rate), p), promote);
            assert!(corrected <= 1.02, "promote, {m}+{s}, rate {rate}: {corrected}");
        }
    }
    let p = presence(0.5);
    let blind = |table: &Table| {
        let share = sound_share(p.max(observed(table)));
        (log_odds_ratio(1.25, share), log_odds_ratio(3.5, share))
    };
    let uncorrected = expectation((4, 10), (presence(1.25 * 2.5 * 0.5), p), blind);
    assert!(uncorrected > 1.3, "without the load a healthy canary looks bad: {uncorrected}");
    let blind = |_: &Table| (log_odds_ratio(2.0, p), 0.0);
    let uncorrected = expectation((1, 3), (presence(2.0 * 0.158 * 0.5), p), blind);
    assert!(uncorrected > 1.1, "without the load a bad canary looks good: {uncorrected}");
}

#[test]
fn row_02_an_outage_is_found_after_an_hour_of_quiet() {
    let mut fleet = Fleet::of(1);
    for _ in 0..240 {
        fleet.round(|_| cells(&[0], &[0; 4], 200));
    }
    assert!(fleet.standing().crossed.is_none());
    let crossed = (0..40).find(|_| {
        fleet.round(|_| cells(&[100], &[0; 4], 200));
        fleet.standing().crossed.is_some()
    });
    assert!(crossed.is_some_and(|windows| windows < 24), "{crossed:?}");
    // The first formula raised the margin to 1 + δ/p̂, which leaves nothing to bet on.
    let share = 0.5 / (240.0 * 800.0 + 500.0);
    let margin = 1.0 + Margins::default().tolerate.difference / share;
    assert!(log_odds_ratio(margin, sound_share(share)) > 5.0, "{margin}");
}

#[test]
fn row_03_a_base_rate_that_rises_promotes_no_bad_release() {
    // The past knows a tenth of the rate that is now: a shared outage has begun.
    let past = sound_share(presence(0.1));
    for rate in [0.1, 0.5, 1.0, 2.0] {
        let (a, p) = (presence(2.0 * rate), presence(rate));
        let corrected = expectation((5, 15), (a, p), |table| {
            (2.0_f64.ln(), log_odds_ratio(1.0, sound_share(past.max(observed(table)))))
        });
        assert!(corrected <= 1.0 + 1e-9, "rate {rate}: {corrected}");
    }
    // At twice a high rate nearly all cells are bad; odds that were taken from a low rate do not
    // expect so few good ones.
    let believing = |past: f64| move |_: &Table| (log_odds_ratio(2.0, past), 0.0);
    let uncorrected =
        expectation((5, 15), (presence(0.2), presence(0.1)), believing(sound_share(0.9)));
    assert!(uncorrected > 1.05, "a share of the past: {uncorrected}");
}

#[test]
fn row_04_a_base_rate_that_rises_aborts_no_tolerable_release() {
    let past = sound_share(presence(0.02));
    let worst = |share: &dyn Fn(&Table) -> f64| {
        [0.02, 0.2, 0.5, 1.0, 2.0]
            .map(|rate| {
                expectation((5, 15), (presence(1.25 * rate), presence(rate)), |table| {
                    let share = share(table);
                    (log_odds_ratio(1.25, share), log_odds_ratio(3.5, share))
                })
            })
            .into_iter()
            .fold(0.0, f64::max)
    };
    let corrected = worst(&|table| sound_share(past.max(observed(table))));
    assert!(corrected < 1.02, "{corrected}");
    let uncorrected = worst(&|_| past);
    assert!(uncorrected > 1.05, "{uncorrected}");
}

#[test]
fn row_06_lasting_differences_between_pods_are_allowed_for() {
    let aborts = |pod_sd: f64| {
        (0..300)
            .filter(|seed| {
                let mut noise = fastrand::Rng::with_seed(*seed);
                let mut fleet = Fleet::of(1);
                fleet.calibration = Calibration { pod_sd, batch_mean: 1.0 };
                let normal =
                    |noise: &mut fastrand::Rng| (0..12).map(|_| noise.f64()).sum::<f64>() - 6.0;
                let factors: Vec<f64> = (0..3).map(|_| (0.5 * normal(&mut noise)).exp()).collect();
                (0..160).any(|_| {
                    let mut bad = factors.iter().map(|factor| {
                        let rate = presence(factor * 1.0);
                        u64::from(noise.f64() < rate) + u64::from(noise.f64() < rate / 2.0)
                    });
                    let canary = bad.next().unwrap_or(0);
                    let stable: Vec<u64> = bad.collect();
                    fleet.round(|_| cells(&[canary], &stable, 300));
                    fleet.standing().crossed.is_some()
                })
            })
            .count()
    };
    let (allowed_for, ignored) = (aborts(0.5), aborts(0.0));
    assert!(allowed_for <= 3, "of 300 equal releases {allowed_for} were taken back");
    assert!(ignored > 3 * (allowed_for + 1), "ignored: {ignored}, allowed for: {allowed_for}");
}

#[test]
fn row_07_trying_again_does_not_pass_a_bad_release() {
    let mut fleet = Fleet::of(1);
    for _ in 0..40 {
        fleet.round(|_| cells(&[2], &[1; 4], 300));
    }
    let (first, evidence) = (fleet.standing(), fleet.evidence.next_attempt());
    assert!(first.in_favour_ln < 0.0, "{first:?}");
    let second = fleet.judge.standing(&evidence);
    assert!((second.in_favour_ln - first.in_favour_ln).abs() < 1e-12, "what spoke for it stays");
    assert!(second.against_ln.abs() < 1e-12, "what spoke against it begins anew");
    let harder = second.against_bar_ln - first.against_bar_ln;
    assert!((harder - 2.0_f64.ln()).abs() < 1e-12, "and needs twice as much");
}

#[test]
fn row_08_clusters_that_have_not_started_count() {
    let mut alone = Fleet::of(1);
    let mut one_of_eight = Fleet::of(8);
    one_of_eight.started = 1;
    for _ in 0..12 {
        for fleet in [&mut alone, &mut one_of_eight] {
            fleet.round(|_| cells(&[3], &[0; 4], 300));
        }
    }
    // Seven clusters that have not started say 1 each: starting one by one wins nothing.
    let (single, all) = (alone.standing().against_ln, one_of_eight.standing());
    let expect = 0.75 * single.exp() + 0.25 * (single.exp() + 7.0) / 8.0;
    assert!((all.against_ln - expect.ln()).abs() < 1e-9, "{} {}", all.against_ln, expect.ln());
}

#[test]
fn row_09_order_counts_between_rounds_and_not_within_one() {
    let evidence = |reverse: bool| {
        let mut fleet = Fleet::of(3);
        for round in 0..10_u64 {
            fleet.reverse = reverse;
            fleet.round(|cluster| cells(&[round % 3], &[u64::from(cluster == 1), 0, 0], 300));
        }
        fleet.evidence.encode()
    };
    assert_eq!(evidence(false), evidence(true), "within a round");
    let late = |early: bool| {
        let mut fleet = Fleet::of(1);
        for round in 0..10 {
            let bad = u64::from((round < 3) == early);
            fleet.round(|_| cells(&[bad], &[0; 4], 300));
        }
        fleet.standing().against_ln
    };
    assert!((late(true) - late(false)).abs() > 0.01, "between rounds");
}

#[test]
fn row_10_the_weights_of_a_change_never_run_out() {
    let mut given = 0.0;
    for now in 0..100_000 {
        given += change_point::weight(now, now + 1);
        assert!(change_point::left(now + 1) > 0.0);
    }
    assert!((given + change_point::left(100_000) - 0.3).abs() < 1e-9, "{given}");
}

#[test]
fn row_11_no_episode_earns_twice_by_lying_across_two_blocks() {
    for length_s in [5, 15] {
        let mut fleet = Fleet::of(1);
        fleet.length = TimeDelta::seconds(length_s);
        let mut seen: Vec<f64> = Vec::new();
        for round in 0..60_u64 {
            // 60 s of failures that begin half a minute after any full minute.
            let at = i64::try_from(round).unwrap_or(0) * length_s;
            let bad = u64::from((90..150).contains(&at)) * 50;
            fleet.round(|_| cells(&[bad, bad], &[0; 2], 300));
            seen.push(fleet.standing().against_ln);
        }
        let most = seen.iter().copied().fold(0.0, f64::max);
        assert!(most <= 2.3 + 0.05, "windows of {length_s} s: {most}");
    }
}

#[test]
fn row_13_evidence_is_small_and_a_finished_cluster_smaller() {
    let mut fleet = Fleet::of(50);
    for round in 0..30_u64 {
        fleet.round(|cluster| {
            let bad = u64::try_from(cluster).unwrap_or(0) % 3 + round % 2;
            cells(&[bad], &[1, 0, 2], 30_000_000)
        });
    }
    let live = fleet.evidence.encode().len();
    assert!(live / 50 <= 250, "{} B per metric and cluster", live / 50);
    let before = fleet.standing().against_ln;
    for cluster in 0..50 {
        fleet.evidence.finish(&format!("c{cluster}"));
    }
    assert!((fleet.standing().against_ln - before).abs() < 1e-9, "and says the same");
    let finished = fleet.evidence.encode().len();
    assert!(finished / 50 <= 60, "{} B", finished / 50);
}

#[test]
fn row_14_what_has_crossed_says_how_far_the_abort_goes() {
    let crossing = |bad_in: &dyn Fn(usize) -> bool| {
        let mut fleet = Fleet::of(8);
        (0..400).find_map(|_| {
            fleet.round(|cluster| {
                let bad = if bad_in(cluster) { 6 } else { 0 };
                cells(&[bad, bad], &[0, 0, u64::from(cluster == 3)], 300)
            });
            fleet.standing().crossed
        })
    };
    assert_eq!(crossing(&|_| true), Some(Scope::Fleet));
    assert_eq!(crossing(&|cluster| cluster == 5), Some(Scope::Cluster("c5".into())));
}

#[test]
fn evidence_of_another_version_is_refused() {
    let mut bytes = Evidence::default().encode();
    assert_eq!(Evidence::decode(&bytes).ok(), Some(Evidence::default()));
    bytes[0] = 99;
    assert!(Evidence::decode(&bytes).is_err_and(|error| error.to_string().contains("version 99")));
    assert!(Evidence::decode(&[]).is_err());
    let truncated = Evidence::decode(&Evidence::default().encode()[..1]);
    assert!(truncated.is_err_and(|error| error.to_string().contains("damaged")));
}
