//! What is simulated: a service, its pods, what may go wrong, and what the release does.

use crate::noise::Noise;

/// Requests and errors of a service in one cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// Letter of the class.
    pub name: &'static str,
    /// Requests per second, on average.
    pub requests_per_s: f64,
    /// Bad share of a healthy revision, on average.
    pub share: f64,
}

impl Traffic {
    /// 50 requests per second, 0.5 % errors.
    pub const A: Self = Self { name: "A", requests_per_s: 50.0, share: 0.005 };
    /// 500 requests per second, 0.1 % errors.
    pub const B: Self = Self { name: "B", requests_per_s: 500.0, share: 0.001 };
    /// 2 requests per second, 1 % errors.
    pub const C: Self = Self { name: "C", requests_per_s: 2.0, share: 0.01 };
    /// 50 requests per second, 0.02 % errors.
    pub const D: Self = Self { name: "D", requests_per_s: 50.0, share: 0.000_2 };
    /// No errors of its own at all.
    pub const QUIET: Self = Self { name: "A0", requests_per_s: 50.0, share: 0.0 };
    /// All classes.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];
}

/// Pods of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// So many pods in all; the canary has the share that its weight says.
    Shared(usize),
    /// So many stable pods, and so many of the canary beside them, whatever the weight.
    Beside {
        /// Stable pods.
        stable: usize,
        /// The canary's pods.
        canary: usize,
    },
}

impl Layout {
    /// Pods of the canary and of stable at this weight; at 0 there is no canary.
    #[must_use]
    pub fn pods(self, weight: f64) -> (usize, usize) {
        match self {
            Self::Shared(pods) if weight <= 0.0 => (0, pods),
            Self::Beside { stable, .. } if weight <= 0.0 => (0, stable),
            Self::Shared(pods) => {
                let canary = crate::number::index((weight * crate::number::size(pods)).round());
                let canary = canary.clamp(1, pods - 1);
                (canary, pods - canary)
            }
            Self::Beside { stable, canary } => (canary, stable),
        }
    }
}

/// What the release does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The canary's bad share as a multiple of stable's.
    pub ratio: f64,
    /// When that begins, seconds after the rollout.
    pub onset_s: f64,
    /// Where, if not everywhere: number of the cluster.
    pub only: Option<usize>,
}

impl Effect {
    /// A release as good as the one before.
    pub const NONE: Self = Self { ratio: 1.0, onset_s: 0.0, only: None };

    /// Worse by this factor, everywhere and from the start.
    #[must_use]
    pub const fn times(ratio: f64) -> Self {
        Self { ratio, ..Self::NONE }
    }

    /// The factor in this cluster at this time.
    #[must_use]
    pub fn at(&self, cluster: usize, now_s: f64) -> f64 {
        let here = self.only.is_none_or(|only| only == cluster);
        if here && now_s >= self.onset_s { self.ratio } else { 1.0 }
    }
}

/// Clusters per wave: one, two, five.
pub const WAVES: [&[usize]; 3] = [&[0], &[1, 2], &[3, 4, 5, 6, 7]];

/// Clusters in all.
pub const CLUSTERS: usize = 8;

/// Seconds of a step on the fixed schedule; three steps to a wave make 45 minutes.
pub const STEP_S: f64 = 300.0;

/// A rollout over eight clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// The service.
    pub traffic: Traffic,
    /// What happens to it anyway.
    pub noise: Noise,
    /// Its pods.
    pub layout: Layout,
    /// Weights of a cluster's steps, before it gets all of the traffic.
    pub weights: [f64; 3],
    /// Seconds between scrapes: length of a window.
    pub scrape_s: f64,
    /// Whether the source tells pods apart.
    pub has_pods: bool,
    /// What the release does.
    pub effect: Effect,
}

impl Scenario {
    /// Twenty pods, 5/25/50 %, scraped every 15 s.
    #[must_use]
    pub const fn new(traffic: Traffic, noise: Noise) -> Self {
        Self {
            traffic,
            noise,
            layout: Layout::Shared(20),
            weights: [0.05, 0.25, 0.5],
            scrape_s: 15.0,
            has_pods: true,
            effect: Effect::NONE,
        }
    }

    /// The same with another release.
    #[must_use]
    pub const fn with(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// Windows of a step on the fixed schedule.
    #[must_use]
    pub fn step_windows(&self) -> usize {
        crate::number::index((STEP_S / self.scrape_s).round())
    }

    /// Windows of the whole fixed schedule.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.step_windows() * self.weights.len() * WAVES.len()
    }

    /// Weight of a cluster in a window of the fixed schedule: 0 before its wave, 1 after it.
    #[must_use]
    pub fn weight(&self, cluster: usize, window: usize) -> f64 {
        let wave_windows = self.step_windows() * self.weights.len();
        let wave = WAVES.iter().position(|wave| wave.contains(&cluster)).unwrap_or(0);
        match (window / wave_windows).cmp(&wave) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => self.weights[window % wave_windows / self.step_windows()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, Noise, Scenario, Traffic};

    #[test]
    fn the_fixed_schedule_takes_45_minutes() {
        let scenario = Scenario::new(Traffic::A, Noise::ROUGH);
        assert_eq!(scenario.windows(), 180);
        let cases = [(0, 0, 0.05), (0, 20, 0.25), (0, 59, 0.5), (0, 60, 1.0), (1, 59, 0.0)];
        for (cluster, window, weight) in cases.into_iter().chain([(7, 120, 0.05), (7, 179, 0.5)]) {
            assert!((scenario.weight(cluster, window) - weight).abs() < 1e-9, "{cluster} {window}");
        }
    }

    #[test]
    fn both_arms_have_pods() {
        assert_eq!(Layout::Shared(20).pods(0.05), (1, 19));
        assert_eq!(Layout::Shared(2).pods(0.05), (1, 1));
        assert_eq!(Layout::Beside { stable: 3, canary: 1 }.pods(0.5), (1, 3));
    }
}
