//! G7: how long a healthy rollout takes, and how often it needs a human.

use super::Settings;
use crate::{
    noise::Noise,
    ours::paced::{self, End},
    report::{Bar, Line, Unit},
    scenario::{Layout, Scenario, Traffic},
    statistics::Estimate,
};

/// Median minutes by traffic class. With masks, watermark and eight windows a step, three waves of
/// three steps take 27 minutes at least.
const BAR_A_MIN: f64 = 40.0;
const BAR_B_MIN: f64 = 30.0;

/// Share of healthy rollouts that wait for a human or are taken back.
const BAR_HUMAN: f64 = 0.03;

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    let runs = settings.runs(100, 1000);
    let rough = |traffic| Scenario::new(traffic, Noise::ROUGH);
    let small = |stable, weights| Scenario {
        layout: Layout::Beside { stable, canary: 1 },
        weights,
        ..rough(Traffic::A)
    };
    let human = Bar::AtMost(BAR_HUMAN);
    let cases = [
        ("A rough", rough(Traffic::A), Bar::AtMost(BAR_A_MIN), human),
        ("B rough", rough(Traffic::B), Bar::AtMost(BAR_B_MIN), human),
        ("C rough", rough(Traffic::C), Bar::Free, Bar::Free),
        ("D rough", rough(Traffic::D), Bar::Free, Bar::Free),
        ("A 1+1 pods", small(1, [0.5; 3]), Bar::Free, Bar::Free),
        ("A 2+1 pods", small(2, [1.0 / 3.0; 3]), Bar::Free, Bar::Free),
        ("A sums only", Scenario { has_pods: false, ..rough(Traffic::A) }, Bar::Free, Bar::Free),
    ];
    let measured = cases.into_iter().flat_map(|(name, scenario, bar, bar_human)| {
        let trial = settings.trial(scenario);
        let outcomes = settings.each(runs, |key| paced::run(&trial, key));
        let (done, aborted) =
            (paced::count(&outcomes, End::Done), paced::count(&outcomes, End::Aborted));
        let runs = runs as u64;
        [
            Line {
                goal: "G7",
                what: format!("median of healthy rollouts, {name}"),
                bar,
                found: Estimate::median(&paced::minutes(&outcomes, End::Done)),
                unit: Unit::Minutes,
                note: String::new(),
            },
            Line {
                goal: "G7",
                what: format!("healthy rollouts that do not end well, {name}"),
                bar: bar_human,
                found: Estimate::share(runs - done, runs),
                unit: Unit::Percent,
                note: format!("{} paused, {aborted} aborted", runs - done - aborted),
            },
        ]
    });
    measured.collect()
}
