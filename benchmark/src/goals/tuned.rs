//! G4: harm against every other tool as an oracle would set it: of all settings with at most 1 %
//! false aborts on the very noise they are judged on, the one with the least harm.

use std::fmt::Write;

use super::{
    Settings,
    peers::{Score, effects, score, score_ours},
};
use crate::{
    noise::Noise,
    ours::Rules,
    peers::{Named, POOLED, grids},
    report::{Bar, Line, Unit},
    scenario::{Effect, Scenario, Traffic},
    statistics::Estimate,
};

/// Harm of the best other tool over ours.
const BAR: f64 = 3.5;

/// What is not undercut while it is missed.
const GUARD: f64 = 2.2;

/// False aborts that a tuned setting may have.
const FALSE_ABORTS_MAX: f64 = 0.01;

/// A tool's best setting on a scenario.
struct Tuned {
    tool: &'static str,
    rule: Named,
    false_aborts: f64,
    /// At three times.
    score: Score,
}

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    [Traffic::A, Traffic::B].into_iter().flat_map(|traffic| lines(settings, traffic)).collect()
}

/// Against the best tool; and, without a bar, against a test that pools the fleet as we do.
fn lines(settings: &Settings, traffic: Traffic) -> Vec<Line> {
    let tuned = tune(settings, traffic);
    let runs = tuned.first().map_or(0, |tuned| tuned.score.harm.len());
    let bad = scenario(traffic).with(Effect::times(3.0));
    let ours = score_ours(settings, &bad, Rules::default(), runs);
    let line = |what: &str, bar, other: &Tuned| Line {
        goal: "G4",
        what: format!("{what} over ours, {} 3 x", traffic.name),
        bar,
        found: Estimate::ratio(&other.score.harm, &ours.harm),
        unit: Unit::Times,
        note: format!(
            "{} ({}): {:.0}, ours {:.0}",
            other.tool,
            other.rule.name,
            other.score.mean_harm(),
            ours.mean_harm()
        ),
    };
    let (pooled, tools): (Vec<&Tuned>, Vec<&Tuned>) =
        tuned.iter().partition(|tuned| tuned.tool == POOLED);
    let best = tools
        .into_iter()
        .min_by(|a, b| a.score.mean_harm().total_cmp(&b.score.mean_harm()))
        .map(|best| {
            line("best tuned tool's harm", Bar::AtLeastSoFar { bar: BAR, guard: GUARD }, best)
        });
    let pooled = pooled.first().map(|pooled| line("pooled Poisson's harm", Bar::Free, pooled));
    best.into_iter().chain(pooled).collect()
}

fn scenario(traffic: Traffic) -> Scenario {
    Scenario::new(traffic, Noise::ROUGH)
}

/// The best setting of every tool that has one.
fn tune(settings: &Settings, traffic: Traffic) -> Vec<Tuned> {
    let (healthy_runs, bad_runs) = (settings.runs(300, 10_000), settings.runs(200, 1000));
    let grids = grids(traffic);
    let rules: Vec<Named> = grids.iter().flat_map(|(_, rules)| rules.clone()).collect();
    let healthy = score(settings, &scenario(traffic), &rules, healthy_runs);
    let bad = scenario(traffic).with(Effect::times(3.0));
    let scores = score(settings, &bad, &rules, bad_runs);
    let tools = grids.iter().flat_map(|(tool, rules)| std::iter::repeat_n(*tool, rules.len()));
    let all = tools.zip(rules).zip(healthy).zip(scores).map(|(((tool, rule), healthy), score)| {
        Tuned { tool, rule, false_aborts: healthy.aborted().value, score }
    });
    let sound: Vec<Tuned> = all.filter(|tuned| tuned.false_aborts <= FALSE_ABORTS_MAX).collect();
    let mut best: Vec<Tuned> = Vec::new();
    for tuned in sound {
        match best.iter_mut().find(|other| other.tool == tuned.tool) {
            Some(other) if tuned.score.mean_harm() < other.score.mean_harm() => *other = tuned,
            Some(_) => {}
            None => best.push(tuned),
        }
    }
    best
}

/// Every tool's best setting and ours: misses, median minutes and harm.
#[must_use]
pub fn table(settings: &Settings, traffic: Traffic) -> String {
    let mut text =
        format!("{:<62}{:>8}", format!("{}, rough, tuned by an oracle", traffic.name), "false");
    for effect in effects() {
        let _ = write!(text, "{:>26}", format!("{} x: miss / min / harm", effect.ratio));
    }
    let tuned = tune(settings, traffic);
    let rules: Vec<Named> = tuned.iter().map(|tuned| tuned.rule.clone()).collect();
    let runs = settings.runs(200, 1000);
    let mut rows: Vec<(String, f64, Vec<Score>)> = tuned
        .iter()
        .map(|tuned| (format!("{} ({})", tuned.tool, tuned.rule.name), tuned.false_aborts, vec![]))
        .collect();
    let healthy = score_ours(settings, &scenario(traffic), Rules::default(), runs);
    rows.push(("Lockflight, 5 %".to_owned(), healthy.aborted().value, vec![]));
    for effect in effects() {
        let bad = scenario(traffic).with(effect);
        let mut scores = score(settings, &bad, &rules, runs);
        scores.push(score_ours(settings, &bad, Rules::default(), runs));
        for (row, score) in rows.iter_mut().zip(scores) {
            row.2.push(score);
        }
    }
    for (name, false_aborts, scores) in rows {
        let _ = write!(text, "\n{name:<62}{:>6.1} %", false_aborts * 100.0);
        for score in scores {
            let missed = (1.0 - score.aborted().value) * 100.0;
            let cell =
                format!("{missed:.1} % / {:.1} / {:.0}", score.median_min(), score.mean_harm());
            let _ = write!(text, "{cell:>26}");
        }
    }
    text
}
