//! All by counts: seeds are fixed, so each of these says the same in every run.
#![expect(clippy::cast_precision_loss, reason = "counts below a million")]

use super::super::noise::Noise;
use super::*;

const LATER: Moment =
    Moment { warm_for: Duration::from_hours(1), wall: Duration::from_secs(1_700_000_000) };

fn faults(error_rate: f64, noise: Noise) -> Faults {
    Faults { error_rate, latency: Duration::from_millis(10), noise, ..Faults::default() }
}

fn dice(pod: &str) -> Dice {
    Dice::new(7, pod, "10.200.1")
}

fn fates(dice: &mut Dice, faults: &Faults, requests: usize) -> Vec<Fate> {
    (0..requests).map(|_| dice.roll(faults, LATER)).collect()
}

fn errors(fates: &[Fate]) -> usize {
    fates.iter().filter(|fate| fate.failed).count()
}

#[test]
fn the_same_seed_and_name_give_the_same_fates() {
    let faults = faults(0.1, Noise { burst_mean: 2.5, latency_sigma: 0.8, ..Noise::default() });
    let first = fates(&mut dice("a-1"), &faults, 1000);
    assert_eq!(first, fates(&mut dice("a-1"), &faults, 1000));
    assert_ne!(first, fates(&mut dice("a-2"), &faults, 1000));
}

#[test]
fn bursts_leave_the_rate_as_it_is_and_make_batches() {
    for (rate, mean) in [(0.01, 1.0), (0.01, 2.5), (0.05, 5.0), (0.5, 2.5)] {
        let faults = faults(rate, Noise { burst_mean: mean, ..Noise::default() });
        let fates = fates(&mut dice("a-1"), &faults, 400_000);
        let share = errors(&fates) as f64 / 400_000.0;
        assert!((share / rate - 1.0).abs() < 0.08, "{rate} in bursts of {mean}: {share}");
        // A run of errors is a batch, or several that follow at once: 1 - p of them end it.
        let begun = fates.windows(2).filter(|pair| !pair[0].failed && pair[1].failed).count();
        let begins = rate / (rate + mean * (1.0 - rate));
        let run = errors(&fates) as f64 / begun as f64;
        let expected = mean / (1.0 - begins);
        assert!((run / expected - 1.0).abs() < 0.08, "{rate} in bursts of {mean}: runs of {run}");
    }
    assert_eq!(errors(&fates(&mut dice("a-1"), &faults(0.0, Noise::default()), 1000)), 0);
    assert_eq!(errors(&fates(&mut dice("a-1"), &faults(1.0, Noise::default()), 1000)), 1000);
}

#[test]
fn pods_differ_for_good_with_the_given_sd() {
    let logs: Vec<f64> = (0..2000).map(|pod| dice(&format!("checkout-{pod}")).pod).collect();
    let mean = logs.iter().sum::<f64>() / 2000.0;
    let sd = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 2000.0).sqrt();
    assert!(mean.abs() < 0.08 && (sd - 1.0).abs() < 0.06, "mean {mean}, sd {sd}");

    let mut pod = dice("checkout-3");
    let factor = (0.5 * pod.pod).exp();
    let faults = faults(0.02, Noise { pod_sd: 0.5, pod_factor: 3.0, ..Noise::default() });
    let fates = fates(&mut pod, &faults, 200_000);
    let share = errors(&fates) as f64 / 200_000.0;
    assert!((share / (0.06 * factor) - 1.0).abs() < 0.08, "{share} with the factor {factor}");
}

#[test]
fn an_episode_is_shared_by_a_cluster_only() {
    let noise = Noise {
        episode_every: Duration::from_mins(1),
        episode: Duration::from_secs(6),
        episode_error_rate: 1.0,
        ..Noise::default()
    };
    let faults = faults(0.0, noise);
    let seconds = |pod: &str, cluster: &str| -> Vec<u64> {
        let mut dice = Dice::new(7, pod, cluster);
        let wall = |second| Moment { wall: Duration::from_secs(second), ..LATER };
        (6_000..12_000).filter(|second| dice.roll(&faults, wall(*second)).failed).collect()
    };
    let here = seconds("a-1", "10.200.1");
    // One of six seconds in each of a hundred spans, give or take a whole second.
    assert!((500..=700).contains(&here.len()), "{}", here.len());
    for span in 100..200 {
        let bad = here.iter().filter(|second| **second / 60 == span).count();
        assert!((5..=7).contains(&bad), "span {span}: {bad} s");
    }
    assert_eq!(here, seconds("b-9", "10.200.1"));
    assert_ne!(here, seconds("a-1", "10.200.2"));
}

#[test]
fn latency_is_lognormal_around_its_median() {
    let faults = faults(0.0, Noise { latency_sigma: 0.8, ..Noise::default() });
    let fates = fates(&mut dice("a-1"), &faults, 100_000);
    // The median, and e^0.8 = 2.2255 times it, one standard deviation above: 15.87 % are beyond.
    for (millis, expected) in [(10.0, 50_000.0), (22.255, 15_866.0)] {
        let above = fates.iter().filter(|f| f.latency.as_secs_f64() * 1000.0 > millis).count();
        assert!((above as f64 / expected - 1.0).abs() < 0.03, "{above} above {millis} ms");
    }
}

#[test]
fn a_pod_is_worse_until_it_is_warm() {
    let noise = Noise { warm_up: Duration::from_secs(5), warm_up_factor: 5.0, ..Noise::default() };
    let faults = faults(0.02, noise);
    for (seconds, rate, millis) in [(0, 0.1, 50), (4, 0.1, 50), (5, 0.02, 10), (60, 0.02, 10)] {
        let at = Moment { warm_for: Duration::from_secs(seconds), ..LATER };
        let mut dice = dice("a-1");
        let fates: Vec<Fate> = (0..100_000).map(|_| dice.roll(&faults, at)).collect();
        let share = errors(&fates) as f64 / 100_000.0;
        assert!((share / rate - 1.0).abs() < 0.08, "{share} after {seconds} s");
        assert!(fates.iter().all(|fate| fate.latency == Duration::from_millis(millis)));
    }
}

#[test]
fn latency_varies_evenly_with_jitter() {
    let jitter = Duration::from_millis(4);
    let faults = Faults { jitter, ..faults(0.0, Noise::default()) };
    let fates = fates(&mut dice("a-1"), &faults, 1000);
    let around = Duration::from_millis(6)..=Duration::from_millis(14);
    assert!(fates.iter().all(|fate| around.contains(&fate.latency)));
}
