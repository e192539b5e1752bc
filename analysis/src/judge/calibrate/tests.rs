use chrono::{DateTime, TimeDelta};

use super::calibrate;
use crate::judge::random::Random;
use crate::judge::{Arm, ArmCounts, Cell, Counts, Window};

fn window(number: i64, counts: Counts) -> Window {
    let length = TimeDelta::seconds(15);
    let ends_at = DateTime::from_timestamp(1_700_000_000 + 15 * number, 0).unwrap_or_default();
    Window { ends_at, length, counts }
}

/// Stable pods with batches of this mean and lasting differences of this size.
fn history(pods: usize, batch_mean: f64, pod_sd: f64, seed: u64) -> Vec<Window> {
    let mut random = Random::new(seed);
    let factors: Vec<f64> = (0..pods).map(|_| (pod_sd * random.normal()).exp()).collect();
    let windows = (0..720).map(|number| {
        let cells = factors.iter().enumerate().map(|(pod, factor)| {
            let bad = random.batches(0.6 * factor, batch_mean).min(100);
            Cell { arm: Arm::Stable, pod: format!("p{pod}").into(), bad, events: 100 }
        });
        window(number, Counts::Cells(cells.collect()))
    });
    windows.collect()
}

#[test]
fn nothing_known_is_the_usual() {
    assert!((calibrate(&[], 3).pod_sd - 0.3).abs() < 1e-12);
    assert!((calibrate(&[], 3).batch_mean - 2.5).abs() < 1e-12);
}

#[test]
fn batches_are_found() {
    for (mean, seed) in [(1.0, 1), (2.5, 2), (5.0, 3)] {
        let found = calibrate(&history(12, mean, 0.0, seed), 2);
        assert!((found.batch_mean / mean - 1.0).abs() < 0.15, "{mean}: {found:?}");
        assert!(found.batch_mean_upper >= found.batch_mean && found.batch_mean_upper >= mean);
    }
}

#[test]
fn lasting_differences_are_found() {
    for (sd, seed) in [(0.0, 4), (0.3, 5), (0.6, 6)] {
        let found = calibrate(&history(30, 2.5, sd, seed), 2);
        assert!((found.pod_sd - sd).abs() < 0.12, "{sd}: {found:?}");
    }
}

#[test]
fn a_source_without_pods_is_compared_with_its_next_block() {
    let of = |mean: f64| {
        let mut random = Random::new(9);
        let windows: Vec<Window> = (0..720)
            .map(|number| {
                let stable = ArmCounts { bad: random.batches(3.0, mean), events: 10_000 };
                window(number, Counts::Arms { canary: ArmCounts::default(), stable })
            })
            .collect();
        calibrate(&windows, 1)
    };
    assert!((of(1.0).batch_mean - 2.5).abs() < 1e-12, "not below what is usual");
    assert!((of(6.0).batch_mean / 6.0 - 1.0).abs() < 0.3, "{:?}", of(6.0));
}

/// Whether time runs fifteen times as fast must not matter, however short the history is then.
#[test]
fn what_is_found_does_not_depend_on_the_pace() {
    let at_pace = |length: TimeDelta| {
        let mut windows = history(3, 2.5, 0.1, 11);
        windows.truncate(240);
        for (number, window) in (0_i32..).zip(&mut windows) {
            window.length = length;
            window.ends_at = DateTime::default() + length * (8 * 1000 + number + 1);
        }
        calibrate(&windows, 3)
    };
    let found = at_pace(TimeDelta::seconds(15));
    assert_eq!(at_pace(TimeDelta::seconds(1)), found);
    assert!((found.batch_mean / 2.5 - 1.0).abs() < 0.3 && found.pod_sd < 0.3, "{found:?}");
}
