//! A whole run of the fixed schedule as the rules of other tools see it: sums per arm.

use crate::{
    number::{float, size},
    scenario::{CLUSTERS, Scenario},
    world::World,
};

/// Both arms of a cluster in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arms {
    /// Bad events and all events of the release.
    pub canary: (u64, u64),
    /// Of the one before it.
    pub stable: (u64, u64),
}

impl Arms {
    fn plus(self, other: Self) -> Self {
        let sum = |a: (u64, u64), b: (u64, u64)| (a.0 + b.0, a.1 + b.1);
        Self { canary: sum(self.canary, other.canary), stable: sum(self.stable, other.stable) }
    }
}

/// The steps of one cluster.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Window of the rollout in which they begin.
    pub from: usize,
    /// Per window.
    pub arms: Vec<Arms>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Seconds per window.
    pub scrape_s: f64,
    /// Windows per step.
    pub step_windows: usize,
    /// Per cluster, while the release has a part of its traffic.
    pub clusters: Vec<Live>,
    /// Bad requests up to the end of each window that there would not have been without the
    /// release.
    harm: Vec<f64>,
}

impl Trace {
    /// Records a run.
    #[must_use]
    pub fn record(scenario: &Scenario, key: &[u64]) -> Self {
        let mut world = World::new(*scenario, key);
        let mut clusters = vec![Live::default(); CLUSTERS];
        let (mut harm, mut sum) = (Vec::with_capacity(scenario.windows()), 0.0);
        for window in 0..scenario.windows() {
            for (number, live) in clusters.iter_mut().enumerate() {
                let weight = scenario.weight(number, window);
                if weight <= 0.0 {
                    continue;
                }
                let seen = world.step(number, weight, size(window) * scenario.scrape_s);
                sum += seen.excess;
                if weight >= 1.0 {
                    continue;
                }
                if live.arms.is_empty() {
                    live.from = window;
                }
                let arms = seen.pods.iter().fold(Arms::default(), |mut arms, pod| {
                    let arm = if pod.is_canary { &mut arms.canary } else { &mut arms.stable };
                    arm.0 += pod.bad;
                    arm.1 += pod.events;
                    arms
                });
                live.arms.push(arms);
            }
            harm.push(sum);
        }
        let step_windows = scenario.step_windows();
        Self { scrape_s: scenario.scrape_s, step_windows, clusters, harm }
    }

    /// Harm of a release that is taken back at the end of this window, or never.
    #[must_use]
    pub fn harm(&self, decided: Option<usize>) -> f64 {
        let last = self.harm.len().saturating_sub(1);
        self.harm.get(decided.unwrap_or(last).min(last)).copied().unwrap_or(0.0)
    }

    /// Minutes until the end of a window.
    #[must_use]
    pub fn minutes(&self, window: usize) -> f64 {
        (size(window) + 1.0) * self.scrape_s / 60.0
    }

    /// Windows in so many seconds, one at least.
    #[must_use]
    pub fn windows_in(&self, seconds: f64) -> usize {
        crate::number::index((seconds / self.scrape_s).round()).max(1)
    }

    /// The whole fixed schedule in windows.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.harm.len()
    }
}

impl Live {
    /// Sums over the last `range` windows up to window `at` of this cluster.
    #[must_use]
    pub fn last(&self, at: usize, range: usize) -> Arms {
        let from = (at + 1).saturating_sub(range);
        let last = self.arms.get(from..=at).unwrap_or_default();
        last.iter().fold(Arms::default(), |sum, arms| sum.plus(*arms))
    }
}

/// The bad share; none without events.
#[must_use]
pub fn share((bad, events): (u64, u64)) -> Option<f64> {
    (events > 0).then(|| float(bad) / float(events))
}
