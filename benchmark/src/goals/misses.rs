//! G6: how often a release that is worse by what has to be ruled out gets through.

use super::Settings;
use crate::{
    noise::Noise,
    ours::paced::{self, End},
    report::{Bar, Line, Unit},
    scenario::{Effect, Layout, Scenario, Traffic},
    statistics::Estimate,
};

/// Share of bad releases that pass.
const BAR: f64 = 0.05;

/// What is tried.
struct Case {
    name: &'static str,
    scenario: Scenario,
    /// The canary's bad share as a multiple; at least twice, and 0.1 % of all requests.
    ratio: f64,
    attempts: u64,
}

fn cases() -> Vec<Case> {
    let opening = Noise { opening_outage_s: 180.0, ..Noise::ROUGH };
    let rough = |traffic| Scenario::new(traffic, Noise::ROUGH);
    let pods = |stable, canary, weights| Scenario {
        layout: Layout::Beside { stable, canary },
        weights,
        ..rough(Traffic::A)
    };
    let case = |name, scenario, ratio| Case { name, scenario, ratio, attempts: 1 };
    vec![
        case("A rough", rough(Traffic::A), 2.0),
        case("B rough", rough(Traffic::B), 2.0),
        case("C rough", rough(Traffic::C), 2.0),
        case("D rough, 6 x", rough(Traffic::D), 6.0),
        case("A heldout", Scenario::new(Traffic::A, Noise::HELD_OUT), 2.0),
        case("A opening outage", Scenario::new(Traffic::A, opening), 2.0),
        case("B opening outage", Scenario::new(Traffic::B, opening), 2.0),
        case("A 1+1 pods", pods(1, 1, [0.5; 3]), 2.0),
        case("A 2+1 pods", pods(2, 1, [1.0 / 3.0; 3]), 2.0),
        case("A 3+1 at 5/25/50 %", pods(3, 1, [0.05, 0.25, 0.5]), 2.0),
        case("A 3+1 at 5 %", pods(3, 1, [0.05; 3]), 2.0),
        case("A 10+4 at 50 %", pods(10, 4, [0.5; 3]), 2.0),
        case("A sums only", Scenario { has_pods: false, ..rough(Traffic::A) }, 2.0),
        case("B sums only", Scenario { has_pods: false, ..rough(Traffic::B) }, 2.0),
        Case { name: "A rough, 3 attempts", scenario: rough(Traffic::A), ratio: 2.0, attempts: 3 },
        Case { name: "B rough, 3 attempts", scenario: rough(Traffic::B), ratio: 2.0, attempts: 3 },
    ]
}

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    let runs = settings.runs(100, 1000);
    let measured = cases().into_iter().map(|case| {
        let trial = settings.trial(case.scenario.with(Effect::times(case.ratio)));
        let outcomes = settings.each(runs, |key| paced::retried(&trial, key, case.attempts));
        let passed = paced::count(&outcomes, End::Done);
        let aborted = paced::count(&outcomes, End::Aborted);
        Line {
            goal: "G6",
            what: format!("bad releases that pass, {}", case.name),
            bar: Bar::AtMost(BAR),
            found: Estimate::share(passed, runs as u64),
            unit: Unit::Percent,
            note: format!(
                "{passed} of {runs}, {aborted} aborted; {:.0} bad requests",
                Estimate::mean(&paced::harms(&outcomes)).value
            ),
        }
    });
    measured.collect()
}
