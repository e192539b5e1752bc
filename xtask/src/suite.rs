//! Every check and every test, stage by stage, with a summary that a person can read.

mod count;
mod excerpt;
mod stage;
mod stages;

use std::{fs, process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::workspace::target_dir;
use count::Count;
use excerpt::excerpt;
use stage::{Outcome, Stage};

/// Options of the suite.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave out the stage that starts a real fleet.
    #[arg(long)]
    no_e2e: bool,
    /// Only this stage.
    #[arg(long, value_name = "STAGE")]
    only: Option<String>,
}

/// Runs the stages; a failing one does not stop the others.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let stages = chosen(options)?;
    let logs = target_dir().join("xtask");
    fs::create_dir_all(&logs)?;
    let mut total = Count::default();
    let mut summary = Vec::new();
    for stage in stages {
        eprintln!("--- {}", stage.name);
        let log = logs.join(stage.name).with_extension("log");
        let started = Instant::now();
        let outcome = stage.run(&log);
        let line = line(&stage, &outcome, started.elapsed().as_secs_f64());
        eprintln!("{line}");
        if let Outcome::Failed { why, .. } = &outcome {
            let text = fs::read_to_string(&log).unwrap_or_default();
            eprintln!("{}\n{why}; all of it is in {}", excerpt(&text), log.display());
        }
        total = total + outcome.count();
        summary.push(line);
    }
    println!("\n{}\n", summary.join("\n"));
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(options: &Options) -> Result<Vec<Stage>> {
    let all = stages::all();
    let names: Vec<&str> = all.iter().map(|stage| stage.name).collect();
    if let Some(only) = &options.only
        && !names.contains(&only.as_str())
    {
        bail!("there is no stage {only:?}; there are {}", names.join(", "));
    }
    let is_chosen = |stage: &Stage| match &options.only {
        Some(only) => stage.name == only,
        None => !(options.no_e2e && stage.name == "e2e"),
    };
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// One line of the summary.
fn line(stage: &Stage, outcome: &Outcome, seconds: f64) -> String {
    let (word, detail) = match outcome {
        Outcome::Passed { tests, note } => {
            let tests = tests.map(|tests| format!("{} tests", tests.passed));
            ("ok", tests.unwrap_or_else(|| note.clone()))
        }
        Outcome::Failed { why, .. } => ("FAILED", why.clone()),
        Outcome::Skipped { why } => ("skipped", why.clone()),
    };
    let first = detail.lines().next().unwrap_or_default();
    format!("{:<8} {word:<8} {seconds:>7.1} s  {first}", stage.name).trim_end().to_owned()
}
