//! G1: how often a healthy rollout is taken back, per family of noise.

use lockflight_analysis::judge::Evidence;

use super::Settings;
use crate::{
    noise::{self, Noise},
    ours::{Trial, fixed},
    report::{Bar, Line, Unit},
    scenario::{Scenario, Traffic},
    statistics::Estimate,
};

/// Upper bound of the share of false aborts: 12 of 2000 runs keep it.
const BAR: f64 = 0.01;

/// Where pods differ for as long as they live, against what is assumed.
const BAR_STICKY: f64 = 0.05;

/// Attempts of one revision that are made if need be.
const ATTEMPTS: u64 = 3;

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    let runs = settings.runs(200, 2000);
    let mut lines: Vec<Line> = noise::all()
        .into_iter()
        .map(|family| {
            let scenario = family.scenario;
            let trial = settings.trial(scenario);
            let aborted =
                settings.each(runs, |key| fixed::run(&trial, key, false).aborted_min.is_some());
            let name = format!("{} {}", scenario.traffic.name, family.name);
            let bar = if family.name == "sticky" { BAR_STICKY } else { BAR };
            line(&name, &aborted, bar)
        })
        .collect();
    let trial = settings.trial(Scenario::new(Traffic::A, Noise::ROUGH));
    let aborted = settings.each(runs, |key| any_of_attempts(&trial, key));
    lines.push(line("A any of 3 attempts", &aborted, BAR));
    lines
}

fn line(name: &str, aborted: &[bool], bar: f64) -> Line {
    let count = aborted.iter().filter(|aborted| **aborted).count() as u64;
    let runs = aborted.len() as u64;
    Line {
        goal: "G1",
        what: format!("false aborts, {name}"),
        bar: Bar::AtMost(bar),
        found: Estimate::share(count, runs),
        unit: Unit::Percent,
        note: format!("{count} of {runs}"),
    }
}

/// Whether any of several attempts of the same healthy revision is taken back.
fn any_of_attempts(trial: &Trial, key: &[u64]) -> bool {
    let mut evidence = Evidence::default();
    (0..ATTEMPTS).any(|attempt| {
        let key = [key, &[attempt]].concat();
        let outcome = fixed::attempt(trial, &key, false, (attempt, &mut evidence));
        evidence = evidence.next_attempt();
        outcome.aborted_min.is_some()
    })
}
