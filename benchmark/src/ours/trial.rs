//! A scenario as a rollout meets it: with what stable has shown before.

use std::sync::Arc;

use lockflight_analysis::judge::{Calibration, Window, calibrate};

use super::reading::{Reader, Rules};
use crate::{
    number::index,
    scenario::{CLUSTERS, Scenario},
    world::{PodCount, World},
};

/// How much of the past is looked at, seconds.
const HISTORY_S: f64 = 3.0 * 3600.0;

/// How much of it the judge is shown as stable's past, seconds.
const RECENT_S: f64 = 900.0;

/// Pasts that the runs of a scenario share. Fewer than runs, for they take longer than these.
const PASTS: u64 = 24;

/// A scenario, the rules, and some pasts.
#[derive(Debug)]
pub struct Trial {
    /// What is simulated.
    pub scenario: Scenario,
    /// The errors of the rollout.
    pub rules: Rules,
    pasts: Vec<Vec<Known>>,
}

/// What is known of a cluster before the rollout begins.
#[derive(Debug)]
pub(crate) struct Known {
    pub(super) calibration: Calibration,
    /// The latest windows, of stable alone.
    pub(super) recent: Vec<Window>,
}

impl Trial {
    /// Calibrates on as many pasts as the runs will share.
    #[must_use]
    pub fn new(scenario: Scenario, rules: Rules, seed: u64) -> Self {
        let healthy = scenario.with(crate::scenario::Effect::NONE);
        let past = |number| look_back(&healthy, &[seed, u64::MAX, number]);
        Self { scenario, rules, pasts: (0..PASTS).map(past).collect() }
    }

    /// A trial in which nothing is known of the past.
    #[must_use]
    pub fn without_past(scenario: Scenario, rules: Rules) -> Self {
        Self { scenario, rules, pasts: Vec::new() }
    }

    /// Reads the run of this key.
    pub(super) fn reader(&self, key: &[u64]) -> Reader {
        let run = key.get(1).copied().unwrap_or(0) % PASTS;
        let past = usize::try_from(run).ok().and_then(|run| self.pasts.get(run));
        Reader::new(&self.scenario, self.rules, past.map_or(&[], Vec::as_slice))
    }
}

/// What each cluster's stable pods show against each other.
fn look_back(scenario: &Scenario, key: &[u64]) -> Vec<Known> {
    let mut world = World::new(*scenario, key);
    let reader = Reader::new(scenario, Rules::default(), &[]);
    let names: Vec<Arc<str>> = (0..64).map(|pod| format!("pod-{pod}").into()).collect();
    let (canary, _) = scenario.layout.pods(scenario.weights[1]);
    let of_cluster = |cluster| {
        let length = index(HISTORY_S / scenario.scrape_s);
        let windows = (0..length).filter_map(|window| {
            let pods: Vec<PodCount> = world.rest(cluster).to_vec();
            reader.stable(window, length, &pods, &names)
        });
        let mut history: Vec<Window> = windows.collect();
        let calibration = calibrate(&history, canary);
        let recent = history.split_off(length.saturating_sub(index(RECENT_S / scenario.scrape_s)));
        Known { calibration, recent }
    };
    (0..CLUSTERS).map(of_cluster).collect()
}
