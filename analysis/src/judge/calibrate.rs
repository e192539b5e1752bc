//! What stable shows against itself: how much its bad events cluster, and how much its pods
//! differ for good. Both make an equal canary look worse than it is.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::increments::float;
use super::settings::Calibration;
use super::window::{Cell, Counts, Window};

/// Dispersion assumed before anything is known, and how many bad events' weight that has: that of
/// error streams of real services (PetShop: 3.8 to 4).
const DISPERSION: f64 = 4.0;
const DISPERSION_WEIGHT: f64 = 20.0;

/// Windows are added up to blocks of this length: what comes within one is one disturbance.
const BLOCK: TimeDelta = TimeDelta::minutes(2);

/// Aggregated sources hide their pods: batches are never taken for smaller than usual there.
const BATCH_MEAN_MIN: f64 = 2.5;

/// Pods' weight of the usual differences between pods.
const PODS_WEIGHT: f64 = 4.0;

/// Learns from windows of stable pods; the arm that a cell names does not matter. `canary_pods`
/// of them play the canary in turn.
#[must_use]
pub fn calibrate(history: &[Window], canary_pods: usize) -> Calibration {
    let pods = sums_by_pod(history);
    if pods.len() < 2 {
        return Calibration::default();
    }
    let dispersion = dispersion(history, &pods, canary_pods);
    Calibration {
        batch_mean: f64::midpoint(dispersion, 1.0).max(1.0),
        pod_sd: pod_sd(&pods, dispersion),
    }
}

/// The same for a source that does not tell pods apart: successive blocks of stable against each
/// other. Differences between pods cannot be seen and are left at what is usual.
#[must_use]
pub fn calibrate_sums(history: &[Window]) -> Calibration {
    let blocks = blocks(history);
    let sums: Vec<(f64, f64)> = blocks
        .iter()
        .map(|windows| {
            windows.iter().fold((0.0, 0.0), |sum, window| {
                let (canary, stable) = window.arms();
                (
                    sum.0 + float(canary.bad) + float(stable.bad),
                    sum.1 + float(canary.events) + float(stable.events),
                )
            })
        })
        .collect();
    let mut fit = Dispersion::default();
    for pair in sums.windows(2) {
        if let [(bad, events), (next_bad, next_events)] = pair {
            fit.add(*bad, *events, bad + next_bad, events + next_events);
        }
    }
    Calibration {
        batch_mean: f64::midpoint(fit.value(0.25), 1.0).max(BATCH_MEAN_MIN),
        ..Calibration::default()
    }
}

fn cells(window: &Window) -> &[Cell] {
    match &window.counts {
        Counts::Cells(cells) => cells,
        Counts::Arms { .. } => &[],
    }
}

/// Bad events and events of each pod.
fn sums_by_pod(history: &[Window]) -> BTreeMap<&str, (f64, f64)> {
    let mut pods: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for cell in history.iter().flat_map(cells) {
        let (bad, events) = pods.entry(&cell.pod).or_default();
        *bad += float(cell.bad.min(cell.events));
        *events += float(cell.events);
    }
    pods
}

/// Windows that ended in the same block.
fn blocks(history: &[Window]) -> Vec<Vec<&Window>> {
    let mut blocks: BTreeMap<i64, Vec<&Window>> = BTreeMap::new();
    for window in history {
        let block = window.ends_at.timestamp_millis().div_euclid(BLOCK.num_milliseconds());
        blocks.entry(block).or_default().push(window);
    }
    blocks.into_values().collect()
}

/// Variance over mean of the pseudo-canary's bad events, given both arms' together.
#[derive(Default)]
struct Dispersion {
    squares: f64,
    variance: f64,
    picks: f64,
}

impl Dispersion {
    fn add(&mut self, bad: f64, events: f64, all_bad: f64, all_events: f64) {
        if all_events <= 0.0 {
            return;
        }
        let share = events / all_events;
        self.squares += (bad - share * all_bad).powi(2);
        self.variance += share * (1.0 - share) * all_bad;
    }

    /// Shrunk towards what is usual; `spread` is w(1-w) of the picks.
    fn value(&self, spread: f64) -> f64 {
        let picks = self.picks.max(1.0);
        let assumed = DISPERSION_WEIGHT * spread;
        (self.squares / picks + DISPERSION * assumed) / (self.variance / picks + assumed)
    }
}

fn dispersion(history: &[Window], pods: &BTreeMap<&str, (f64, f64)>, canary_pods: usize) -> f64 {
    let names: Vec<&str> = pods.keys().copied().collect();
    let size = canary_pods.clamp(1, names.len() / 2);
    let mut fit = Dispersion::default();
    let blocks = blocks(history);
    for pick in names.chunks_exact(size) {
        fit.picks += 1.0;
        for block in &blocks {
            let (mut own, mut all) = ((0.0, 0.0), (0.0, 0.0));
            for cell in block.iter().flat_map(|window| cells(window)) {
                let (bad, events) = (float(cell.bad.min(cell.events)), float(cell.events));
                all = (all.0 + bad, all.1 + events);
                if pick.contains(&&*cell.pod) {
                    own = (own.0 + bad, own.1 + events);
                }
            }
            fit.add(own.0, own.1, all.0, all.1);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "pods are few")]
    let weight = size as f64 / names.len() as f64;
    fit.value(weight * (1.0 - weight))
}

/// Lasting differences: what the pods' totals vary beyond their dispersion, by moments, shrunk
/// towards what is usual as far as the events cannot tell.
fn pod_sd(pods: &BTreeMap<&str, (f64, f64)>, dispersion: f64) -> f64 {
    let usual = Calibration::default().pod_sd.powi(2);
    let (bad, events) = pods.values().fold((0.0, 0.0), |sum, pod| (sum.0 + pod.0, sum.1 + pod.1));
    if bad <= 0.0 || events <= 0.0 {
        return usual.sqrt();
    }
    let (mut excess, mut square, mut known) = (0.0, 0.0, 0.0);
    for (own_bad, own_events) in pods.values() {
        let expected = bad / events * own_events;
        excess += (own_bad - expected).powi(2) - dispersion * expected;
        square += expected * expected;
        // How much of this pod's deviation would be its own, were it a usual one.
        known += usual * expected / (usual * expected + dispersion);
    }
    let found = (excess / square).max(0.0);
    ((PODS_WEIGHT * usual + known * found) / (PODS_WEIGHT + known)).sqrt()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::super::tests::cells;
    use super::{Window, calibrate, calibrate_sums};

    /// Two hours of ten pods: mean bad events per pod and window, mean batch, and the factor of
    /// the first half of the pods.
    fn history(mean: f64, batch: u64, factor: f64) -> Vec<Window> {
        let mut noise = fastrand::Rng::with_seed(7);
        let poisson = |noise: &mut fastrand::Rng, mean: f64| {
            let (mut product, mut count) = (noise.f64(), 0_u64);
            while product > (-mean).exp() {
                product *= noise.f64();
                count += 1;
            }
            count
        };
        (0..480)
            .map(|n| {
                let bad: Vec<u64> = (0..10)
                    .map(|pod| {
                        let own = if pod < 5 { factor } else { 1.0 };
                        #[expect(clippy::cast_precision_loss, reason = "small")]
                        let batches = poisson(&mut noise, mean * own / batch as f64);
                        batches * batch
                    })
                    .collect();
                Window {
                    ends_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(15 * (n + 1)),
                    length: TimeDelta::seconds(15),
                    counts: cells(&[], &bad, 10_000),
                }
            })
            .collect()
    }

    #[test]
    fn batches_and_pods_are_recognised() {
        let plain = calibrate(&history(2.0, 1, 1.0), 2);
        assert!((1.0..1.3).contains(&plain.batch_mean), "{plain:?}");
        assert!(plain.pod_sd < 0.2, "{plain:?}");
        let batched = calibrate(&history(2.0, 5, 1.0), 2);
        assert!((2.2..4.0).contains(&batched.batch_mean), "{batched:?}");
        let uneven = calibrate(&history(2.0, 1, 3.0), 2);
        assert!((0.35..0.8).contains(&uneven.pod_sd), "{uneven:?}");
        assert!(calibrate_sums(&history(2.0, 1, 1.0)).batch_mean >= 2.5);
    }

    #[test]
    fn without_history_the_usual_is_assumed() {
        let usual = super::Calibration::default();
        assert_eq!(calibrate(&[], 1), usual);
        let quiet = calibrate(&history(0.0, 1, 1.0), 2);
        assert!((quiet.pod_sd - usual.pod_sd).abs() < 1e-9, "{quiet:?}");
        assert!((quiet.batch_mean - usual.batch_mean).abs() < 1e-9, "{quiet:?}");
    }
}
