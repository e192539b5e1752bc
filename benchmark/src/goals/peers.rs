//! The other tools' rules as people set them, and ours, on the same runs.

use std::fmt::Write;

use super::Settings;
use crate::{
    noise::Noise,
    ours::{Rules, Trial, fixed},
    peers::{Named, configured},
    scenario::{Effect, Scenario, Traffic},
    statistics::Estimate,
    trace::Trace,
};

/// How one rule did at one size of regression.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Score {
    /// Per run: minutes until the release was taken back, if it was.
    pub minutes: Vec<Option<f64>>,
    /// Per run: bad requests that there would not have been.
    pub harm: Vec<f64>,
}

impl Score {
    /// Share of runs in which the release was taken back.
    #[must_use]
    pub fn aborted(&self) -> Estimate {
        let hits = self.minutes.iter().flatten().count() as u64;
        Estimate::share(hits, self.minutes.len() as u64)
    }

    /// Median minutes of those.
    #[must_use]
    pub fn median_min(&self) -> f64 {
        let mut minutes: Vec<f64> = self.minutes.iter().copied().flatten().collect();
        minutes.sort_by(f64::total_cmp);
        Estimate::median(&minutes).value
    }

    /// Mean harm.
    #[must_use]
    pub fn mean_harm(&self) -> f64 {
        Estimate::mean(&self.harm).value
    }
}

/// All rules on the same runs of a scenario; in their order.
#[must_use]
pub fn score(settings: &Settings, scenario: &Scenario, rules: &[Named], runs: usize) -> Vec<Score> {
    let found = settings.each(runs, |key| {
        let trace = Trace::record(scenario, key);
        let decide = |rule: &Named| {
            let decided = rule.peer.decide(&trace);
            (decided.map(|window| trace.minutes(window)), trace.harm(decided))
        };
        rules.iter().map(decide).collect::<Vec<_>>()
    });
    let column = |at: usize| {
        let (minutes, harm) = found.iter().filter_map(|run| run.get(at).copied()).unzip();
        Score { minutes, harm }
    };
    (0..rules.len()).map(column).collect()
}

/// Ours on the same runs.
#[must_use]
pub fn score_ours(settings: &Settings, scenario: &Scenario, rules: Rules, runs: usize) -> Score {
    let trial = Trial::new(*scenario, rules, settings.seed);
    let found = settings.each(runs, |key| {
        let outcome = fixed::run(&trial, key, false);
        (outcome.aborted_min, outcome.harm)
    });
    let (minutes, harm) = found.into_iter().unzip();
    Score { minutes, harm }
}

/// False aborts of every rule as people set it.
#[must_use]
pub fn table(settings: &Settings) -> String {
    let columns = [
        ("A ideal", Scenario::new(Traffic::A, Noise::IDEAL)),
        ("A batched", Scenario::new(Traffic::A, Noise::BATCHED)),
        ("A rough", Scenario::new(Traffic::A, Noise::ROUGH)),
        ("B rough", Scenario::new(Traffic::B, Noise::ROUGH)),
        ("C rough", Scenario::new(Traffic::C, Noise::ROUGH)),
        ("D rough", Scenario::new(Traffic::D, Noise::ROUGH)),
        ("A warmup", Scenario::new(Traffic::A, Noise::WARM_UP)),
        ("A heldout", Scenario::new(Traffic::A, Noise::HELD_OUT)),
    ];
    let rules = configured();
    let mut text = format!("{:<46}", "false aborts, as usually set");
    for (name, _) in columns {
        let _ = write!(text, "{name:>11}");
    }
    let runs = settings.runs(100, 1000);
    let ours = ["Lockflight, 5 %", "Lockflight, 1 %"];
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); rules.len() + ours.len()];
    for (_, scenario) in columns {
        let mut scores = score(settings, &scenario, &rules, runs);
        for false_abort in [0.05, 0.01] {
            let own = Rules { false_abort, ..Rules::default() };
            scores.push(score_ours(settings, &scenario, own, runs));
        }
        for (row, score) in rows.iter_mut().zip(&scores) {
            row.push(score.aborted().value);
        }
    }
    let names = rules.iter().map(|rule| rule.name.as_str()).chain(ours);
    for (name, row) in names.zip(&rows) {
        let _ = write!(text, "\n{name:<46}");
        for share in row {
            let _ = write!(text, "{:>9.1} %", share * 100.0);
        }
    }
    text
}

/// Misses, minutes and harm at some sizes of regression.
pub(super) fn effects() -> [Effect; 3] {
    [2.0, 3.0, 10.0].map(Effect::times)
}
