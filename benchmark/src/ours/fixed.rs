//! The judge on a fixed schedule of 45 minutes: only what it takes back counts.

use lockflight_analysis::judge::{Evidence, Scope};

use super::trial::Trial;
use crate::{
    number::size,
    scenario::{CLUSTERS, STEP_S, Scenario, WAVES},
    world::World,
};

/// What became of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// Minutes after which the release was taken back.
    pub aborted_min: Option<f64>,
    /// Whether one cluster alone decided.
    pub by_one_cluster: bool,
    /// Minutes after which the mean of each cluster's own evidence would have sufficed.
    pub alone_min: Option<f64>,
    /// Bad requests that there would not have been without the release.
    pub harm: f64,
    /// The largest `ln E` that was seen.
    pub peak_ln: f64,
}

/// Runs once. With `goes_on` the run is watched to its end, for `alone_min` and `peak_ln`.
#[must_use]
pub fn run(trial: &Trial, key: &[u64], goes_on: bool) -> Outcome {
    attempt(trial, key, goes_on, (0, &mut Evidence::default()))
}

/// One attempt, by its number from 0, with the evidence of those before it.
#[must_use]
pub fn attempt(
    trial: &Trial,
    key: &[u64],
    goes_on: bool,
    (number, evidence): (u64, &mut Evidence),
) -> Outcome {
    let Trial { scenario, rules, .. } = trial;
    let reader = trial.reader(key).attempt(number);
    reader.remember(evidence);
    let mut world = World::new(*scenario, key);
    let mut outcome = Outcome::default();
    let mut stop = None;
    for window in 0..scenario.windows() {
        let now_s = size(window) * scenario.scrape_s;
        let mut round = Vec::with_capacity(CLUSTERS);
        for cluster in 0..CLUSTERS {
            let weight = scenario.weight(cluster, window);
            if weight <= 0.0 {
                continue;
            }
            let seen = world.step(cluster, weight, now_s);
            if stop.is_none_or(|stop| window <= stop) {
                outcome.harm += seen.excess;
            }
            round.extend(reader.read(cluster, window, seen.pods));
        }
        if stop.is_some_and(|stop| window >= stop) && !goes_on {
            break;
        }
        finish(scenario, window, evidence);
        if reader.observe(evidence, round).counted == 0 || (stop.is_some() && !goes_on) {
            continue;
        }
        let standing = reader.judge.standing(evidence);
        outcome.peak_ln = outcome.peak_ln.max(standing.against_ln);
        if let (None, Some(scope)) = (stop, standing.crossed) {
            outcome.aborted_min = Some(reader.minutes(window));
            outcome.by_one_cluster = matches!(scope, Scope::Cluster(_));
            // The world goes on until the window can be read.
            stop = Some(window + reader.delay());
        }
        let alone = standing.metrics.iter().flat_map(|metric| &metric.clusters);
        let alone: Vec<f64> = alone.map(|cluster| cluster.against_ln.exp()).collect();
        let mean = (alone.iter().sum::<f64>() + size(CLUSTERS - alone.len())) / size(CLUSTERS);
        if outcome.alone_min.is_none() && mean >= 1.0 / rules.false_abort {
            outcome.alone_min = Some(reader.minutes(window));
        }
    }
    outcome
}

/// Clusters whose wave has ended before this window keep what they have shown.
fn finish(scenario: &Scenario, window: usize, evidence: &mut Evidence) {
    let wave_windows = crate::number::index(STEP_S / scenario.scrape_s) * scenario.weights.len();
    if window > 0 && window.is_multiple_of(wave_windows) {
        for cluster in WAVES.get(window / wave_windows - 1).into_iter().copied().flatten() {
            evidence.finish(super::NAMES[*cluster]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Trial, run};
    use crate::{
        noise::Noise,
        ours::Rules,
        scenario::{Effect, Scenario, Traffic},
    };

    #[test]
    fn a_bad_release_is_taken_back_and_a_good_one_is_not() {
        let scenario = Scenario::new(Traffic::A, Noise::IDEAL);
        let good = run(&Trial::without_past(scenario, Rules::default()), &[1], false);
        assert_eq!(good.aborted_min, None);
        assert!(good.harm.abs() < 1e-9);
        let bad = run(
            &Trial::without_past(scenario.with(Effect::times(20.0)), Rules::default()),
            &[1],
            false,
        );
        assert!(bad.aborted_min.is_some_and(|minutes| minutes < 10.0), "{bad:?}");
        assert!(bad.harm > 1.0);
    }
}
