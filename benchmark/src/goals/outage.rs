//! G5: how soon the worst releases are gone.

use lockflight_analysis::judge::{ArmCounts, Catastrophe};

use super::Settings;
use crate::{
    noise::Noise,
    number::{float, size},
    ours::fixed,
    random::Random,
    report::{Bar, Line, Unit},
    scenario::{Effect, Scenario, Traffic},
    statistics::Estimate,
};

/// Median minutes to find a release ten times worse.
const BAR_MIN: f64 = 8.0;

/// Seconds to find one that fails always: in 95 % of the runs.
const BAR_OUTAGE_S: f64 = 45.0;

/// Seconds between scrapes, and between the hub's looks.
const SCRAPE_S: f64 = 15.0;
const LOOK_S: f64 = 5.0;

/// Requests per second of canary and stable: 5 % of 20.
const CANARY_PER_S: f64 = 1.0;
const STABLE_PER_S: f64 = 19.0;
const STABLE_SHARE: f64 = 0.005;

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    let runs = settings.runs(300, 1000);
    let cases = [
        (10.0, Scenario::new(Traffic::A, Noise::ROUGH), Bar::AtMost(BAR_MIN), "A rough, 10 x"),
        (
            10.0,
            Scenario { scrape_s: 60.0, ..Scenario::new(Traffic::A, Noise::ROUGH) },
            Bar::Free,
            "A rough, 10 x, scraped at 60 s",
        ),
    ];
    let mut lines: Vec<Line> = cases
        .into_iter()
        .map(|(ratio, scenario, bar, name)| {
            let trial = settings.trial(scenario.with(Effect::times(ratio)));
            let found = settings.each(runs, |key| fixed::run(&trial, key, false));
            let never = scenario.windows();
            let mut minutes: Vec<f64> =
                found.iter().map(|outcome| outcome.aborted_min.unwrap_or(size(never))).collect();
            minutes.sort_by(f64::total_cmp);
            let missed = found.iter().filter(|outcome| outcome.aborted_min.is_none()).count();
            Line {
                goal: "G5",
                what: format!("median to find {name}"),
                bar,
                found: Estimate::median(&minutes),
                unit: Unit::Minutes,
                note: format!("{missed} of {runs} not found"),
            }
        })
        .collect();
    let mut seconds = settings.each(runs, total_outage_s);
    seconds.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = crate::number::index(part * size(seconds.len()));
        seconds.get(place).copied().unwrap_or(f64::NAN)
    };
    lines.push(Line {
        goal: "G5",
        what: "95 % of total outages found in".to_owned(),
        bar: Bar::AtMost(BAR_OUTAGE_S),
        found: Estimate { value: at(0.95), low: at(0.935), high: at(0.965) },
        unit: Unit::Seconds,
        note: format!(
            "median {:.0} s; scrapes {SCRAPE_S} s, a look every {LOOK_S} s, 1 canary request/s",
            at(0.5)
        ),
    });
    lines
}

/// Seconds from the first failed request until the gate closes.
fn total_outage_s(key: &[u64]) -> f64 {
    let mut random = Random::of(key);
    let mut scraped_s = random.between(0.0, SCRAPE_S);
    let look_after_s = random.between(0.0, LOOK_S);
    // Stable has been there before: a minute of it is known.
    let mut stable = counts(&mut random, STABLE_PER_S * 60.0, STABLE_SHARE);
    let mut canary = counts(&mut random, CANARY_PER_S * scraped_s, 1.0);
    while scraped_s < 600.0 {
        if Catastrophe::look(canary, stable) == Catastrophe::Canary {
            return scraped_s + look_after_s;
        }
        scraped_s += SCRAPE_S;
        let more = counts(&mut random, CANARY_PER_S * SCRAPE_S, 1.0);
        canary.bad += more.bad;
        canary.events += more.events;
        stable = counts(&mut random, STABLE_PER_S * 60.0, STABLE_SHARE);
    }
    f64::INFINITY
}

fn counts(random: &mut Random, mean: f64, share: f64) -> ArmCounts {
    let events = random.poisson(mean);
    let bad = if share >= 1.0 { events } else { random.poisson(float(events) * share).min(events) };
    ArmCounts { bad, events }
}
