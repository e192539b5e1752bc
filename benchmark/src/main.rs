//! `benchmark`: what the judge is worth, in figures.

use std::{num::NonZero, process::ExitCode, thread};

use clap::Parser;
use lockflight_benchmark::{
    goals::{self, Depth, Settings, peers, tuned},
    report::{self, Verdict},
    scenario::Traffic,
};

/// Measures the judge on generated rollouts, against the project's goals and other tools' rules.
#[derive(Debug, Parser)]
#[command(name = "benchmark", version)]
struct Arguments {
    /// As many runs as the bars ask for, and the tables of other tools. Takes an hour or so.
    #[arg(long, conflicts_with = "short")]
    full: bool,
    /// About two minutes on two cores; the default. Fails when a bar is missed by more than noise.
    #[arg(long)]
    short: bool,
    /// Only these: G1, G2 ..., or `peers` for the tables of other tools. May be repeated.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Threads; no figure but the timings depends on them.
    #[arg(long)]
    threads: Option<usize>,
    /// Seed of all runs.
    #[arg(long, default_value_t = 20_261_126)]
    seed: u64,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.eq_ignore_ascii_case(name))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let known = goals::all();
    let is_known = |only: &String| {
        only.eq_ignore_ascii_case("peers")
            || known.iter().any(|goal| goal.name.eq_ignore_ascii_case(only))
    };
    if let Some(unknown) = arguments.only.iter().find(|only| !is_known(only)) {
        let names: Vec<&str> = known.iter().map(|goal| goal.name).collect();
        eprintln!(
            "--only {unknown}: there is no such goal; choose from {}, peers",
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    let settings = Settings {
        depth: if arguments.full { Depth::Full } else { Depth::Short },
        threads: arguments
            .threads
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get)),
        seed: arguments.seed,
    };
    println!("{}", report::head());
    let mut missed = 0;
    for goal in known.iter().filter(|goal| arguments.wants(goal.name)) {
        for line in (goal.measure)(&settings) {
            println!("{line}");
            missed += u32::from(line.verdict() == Verdict::Missed);
        }
    }
    if arguments.full && arguments.wants("peers") || arguments.only.iter().any(|o| o == "peers") {
        println!("\n{}", peers::table(&settings));
        for traffic in Traffic::ALL {
            println!("\n{}", tuned::table(&settings, traffic));
        }
    }
    if missed > 0 {
        println!("\n{missed} bars are missed by more than noise");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
