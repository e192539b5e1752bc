//! `aa`: stable judged against itself.

use chrono::TimeDelta;
use lockflight_analysis::trust::{
    Detection, Fleet, StableTrial, Stage, Trials, detect, stable_against_stable,
};

use super::{replay::windows, say};
use crate::{Exit, Failure, arguments::Aa};

/// How much worse the releases are whose detection is timed.
const FACTORS: [f64; 2] = [2.0, 10.0];

pub(super) fn run(arguments: &Aa) -> Result<Exit, Failure> {
    let (head, history) = windows(&arguments.recording)?;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::State(format!("{}: {error}", arguments.recording.display()))
    };
    let judge = head.judge().map_err(|error| wrong(&error))?;
    let stages: Result<Vec<Stage>, _> = arguments
        .steps
        .iter()
        .map(|(weight, length)| {
            let share = f64::from(*weight) / 100.0;
            TimeDelta::from_std(*length).map(|length| Stage { share, length })
        })
        .collect();
    let stages = stages.map_err(|error| Failure::State(format!("--steps: {error}")))?;
    let fleet = Fleet { judge: &judge, history: &history };
    let count = usize::try_from(arguments.trials).unwrap_or(usize::MAX);
    let trials = Trials { stages: &stages, trials: count, seed: arguments.seed };
    let found = stable_against_stable(fleet, trials).map_err(|error| wrong(&error))?;
    say(&told(&found, judge.false_abort))?;
    for factor in FACTORS {
        let detection = detect(fleet, trials, factor).map_err(|error| wrong(&error))?;
        say(&detected(&detection))?;
    }
    Ok(Exit::Ok)
}

fn told(found: &StableTrial, false_abort: f64) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    format!(
        "Of {} rollouts that change nothing, {} were taken back: {}, and {} to {} with the \
         history there is (worth {:.0} rollouts); {} is what was asked for.\n\
         Evidence of 4 was reached in {}: {} ({} to {}); a fair bet does so in at most 25 %.\n",
        found.trials,
        found.aborted,
        percent(found.aborts.share),
        percent(found.aborts.low),
        percent(found.aborts.high),
        found.independent,
        percent(false_abort),
        found.above_four,
        percent(found.fours.share),
        percent(found.fours.low),
        percent(found.fours.high),
    )
}

fn detected(detection: &Detection) -> String {
    let Detection { factor, found, trials, .. } = detection;
    let time = |span: Option<TimeDelta>| {
        span.map_or("longer than the steps".to_owned(), |span| format!("{} s", span.num_seconds()))
    };
    format!(
        "A release that fails {factor} times as often is taken back in {found} of {trials} \
         rollouts: half of them within {}, nine in ten within {}.\n",
        time(detection.median),
        time(detection.nine_in_ten)
    )
}
