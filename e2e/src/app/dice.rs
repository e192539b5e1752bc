//! What becomes of one request: drawn from the faults, reproducible from a seed and the pod's name.

use std::f64::consts::TAU;
use std::time::Duration;

use super::config::{Faults, LONGEST_DELAY};

/// The draws of one pod, in the order of its requests.
#[derive(Debug)]
pub(super) struct Dice {
    rng: fastrand::Rng,
    /// Standard normal, the same whenever a pod of this name starts.
    pod: f64,
    /// Decides when a cluster has its episodes.
    cluster: u64,
    /// Errors of the current batch that are still to come.
    batch: u64,
}

/// When a request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Since the pod's first request.
    pub(super) warm_for: Duration,
    /// On the wall clock, since the Unix epoch.
    pub(super) wall: Duration,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fate {
    pub(super) failed: bool,
    pub(super) latency: Duration,
}

impl Dice {
    /// `cluster` is anything that the pods of one cluster share and those of others do not.
    pub(super) fn new(seed: u64, pod_name: &str, cluster: &str) -> Self {
        let of_pod = hash(seed, pod_name.as_bytes());
        let mut rng = fastrand::Rng::with_seed(of_pod);
        let pod = normal(&mut rng);
        Self { rng, pod, cluster: hash(seed, cluster.as_bytes()), batch: 0 }
    }

    /// The fate of the next request.
    pub(super) fn roll(&mut self, faults: &Faults, at: Moment) -> Fate {
        let noise = &faults.noise;
        let warm = if at.warm_for < noise.warm_up { noise.warm_up_factor } else { 1.0 };
        let factor = (noise.pod_sd * self.pod).exp() * noise.pod_factor * warm;
        let episode = if self.in_episode(faults, at.wall) { noise.episode_error_rate } else { 0.0 };
        let rate = (faults.error_rate * factor + episode).min(1.0);
        Fate { failed: self.fails(rate, noise.burst_mean), latency: self.latency(faults, factor) }
    }

    /// Batches begin so often that the share of errors is `rate`: after one, (1-p)/p requests
    /// succeed on average before the next, whose size is `mean`; solved for p.
    fn fails(&mut self, rate: f64, mean: f64) -> bool {
        if self.batch > 0 {
            self.batch -= 1;
            return true;
        }
        let begins = if rate > 0.0 { rate / (rate + mean * (1.0 - rate)) } else { 0.0 };
        if self.rng.f64() >= begins {
            return false;
        }
        // Geometric from 1 on: each further error comes with the chance 1 - 1/mean.
        while self.rng.f64() * mean >= 1.0 {
            self.batch += 1;
        }
        true
    }

    fn latency(&mut self, faults: &Faults, factor: f64) -> Duration {
        let varied = faults.latency + faults.jitter.mul_f64(2.0 * self.rng.f64());
        let latency = varied.saturating_sub(faults.jitter).as_secs_f64() * factor;
        let sigma = faults.noise.latency_sigma;
        let tail = if sigma > 0.0 { (sigma * normal(&mut self.rng)).exp() } else { 1.0 };
        Duration::try_from_secs_f64(latency * tail).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
    }

    /// One episode in each span, begun at a time within it that the cluster's seed decides.
    fn in_episode(&self, faults: &Faults, wall: Duration) -> bool {
        let (every, length) = (faults.noise.episode_every, faults.noise.episode);
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let Some(span) = wall_ms.checked_div(every_ms) else {
            return false;
        };
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX).min(every_ms);
        let latest = every_ms - length_ms;
        let begin = hash(self.cluster, &span.to_le_bytes()) % (latest + 1);
        (begin..begin + length_ms).contains(&(wall_ms % every_ms))
    }
}

/// Standard normal, by Box and Muller.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (TAU * rng.f64()).cos()
}

/// FNV-1a, then the finisher of `SplitMix64`: names that differ in one letter must not be alike.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    let mixed = bytes
        .iter()
        .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests;
