//! G2: requests that a release three times worse breaks until it is gone.

use super::Settings;
use crate::{
    noise::Noise,
    ours::fixed,
    report::{Bar, Line, Unit},
    scenario::{Effect, Scenario, Traffic},
    statistics::Estimate,
};

/// Mean harm at three times, traffic A, rough noise.
const BAR: f64 = 200.0;

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    let cases = [
        ("A rough", Scenario::new(Traffic::A, Noise::ROUGH), Bar::AtMost(BAR)),
        ("B rough", Scenario::new(Traffic::B, Noise::ROUGH), Bar::Free),
        ("A heldout", Scenario::new(Traffic::A, Noise::HELD_OUT), Bar::Free),
    ];
    let runs = settings.runs(400, 2000);
    let measured = cases.into_iter().map(|(name, scenario, bar)| {
        let trial = settings.trial(scenario.with(Effect::times(3.0)));
        let outcomes = settings.each(runs, |key| fixed::run(&trial, key, false));
        let harms: Vec<f64> = outcomes.iter().map(|outcome| outcome.harm).collect();
        let mut minutes: Vec<f64> =
            outcomes.iter().filter_map(|outcome| outcome.aborted_min).collect();
        minutes.sort_by(f64::total_cmp);
        Line {
            goal: "G2",
            what: format!("bad requests at 3 x, {name}"),
            bar,
            found: Estimate::mean(&harms),
            unit: Unit::Requests,
            note: format!(
                "{} of {runs} found, median {:.1} min",
                minutes.len(),
                Estimate::median(&minutes).value
            ),
        }
    });
    measured.collect()
}
