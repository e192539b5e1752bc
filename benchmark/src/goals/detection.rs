//! G8: what the clusters find together, and what each of them alone.

use super::Settings;
use crate::{
    noise::Noise,
    ours::fixed,
    report::{Bar, Line, Unit},
    scenario::{Effect, Layout, Scenario, Traffic},
    statistics::Estimate,
};

/// Share of releases twice as bad that the fleet finds within 45 minutes.
const BAR: f64 = 0.8;

/// A cluster of the last wave.
const ONE: usize = 5;

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    let rough = Scenario::new(Traffic::A, Noise::ROUGH);
    let only = |ratio| Effect { only: Some(ONE), ..Effect::times(ratio) };
    let late = |ratio| Effect { onset_s: 1500.0, ..Effect::times(ratio) };
    let small = |stable, weight| Scenario {
        layout: Layout::Beside { stable, canary: 1 },
        weights: [weight; 3],
        ..rough
    };
    let unequal = Scenario { weights: [0.05; 3], ..small(3, 0.05) };
    let quiet = Scenario::new(Traffic::D, Noise::ROUGH);
    let cases = [
        ("A rough, 2 x", rough.with(Effect::times(2.0)), Bar::AtLeast(BAR)),
        ("A rough, 10 x in one cluster", rough.with(only(10.0)), Bar::Free),
        ("A rough, 10 x from minute 25", rough.with(late(10.0)), Bar::Free),
        ("A rough, 3 x from minute 25", rough.with(late(3.0)), Bar::Free),
        ("A 1+1 pods, 3 x", small(1, 0.5).with(Effect::times(3.0)), Bar::Free),
        ("A 2+1 pods, 3 x", small(2, 1.0 / 3.0).with(Effect::times(3.0)), Bar::Free),
        ("A 3+1 at 5 %, 10 x", unequal.with(Effect::times(10.0)), Bar::Free),
        (
            "A sums only, 3 x",
            Scenario { has_pods: false, ..rough }.with(Effect::times(3.0)),
            Bar::Free,
        ),
        ("D rough, 10 x", quiet.with(Effect::times(10.0)), Bar::Free),
    ];
    let runs = settings.runs(200, 1000);
    let measured = cases.into_iter().map(|(name, scenario, bar)| {
        let trial = settings.trial(scenario);
        let found = settings.each(runs, |key| fixed::run(&trial, key, true));
        let count = |of: fn(&fixed::Outcome) -> bool| found.iter().filter(|run| of(run)).count();
        let mut minutes: Vec<f64> = found.iter().filter_map(|run| run.aborted_min).collect();
        minutes.sort_by(f64::total_cmp);
        let harms: Vec<f64> = found.iter().map(|run| run.harm).collect();
        Line {
            goal: "G8",
            what: format!("found in 45 min, {name}"),
            bar,
            found: Estimate::share(minutes.len() as u64, runs as u64),
            unit: Unit::Percent,
            note: format!(
                "each cluster alone {} of {runs}; one cluster decided {}; median {:.1} min, harm {:.0}",
                count(|run| run.alone_min.is_some()),
                count(|run| run.by_one_cluster),
                Estimate::median(&minutes).value,
                Estimate::mean(&harms).value
            ),
        }
    });
    measured.collect()
}
