//! Figures of the hub on a real fleet, beside those of the incumbents.
//!
//! They are measured from outside: API servers' audit logs, watches and Prometheus itself, all on
//! one machine and so on one clock. Only when a promotion or a rollback was *over* is taken from
//! the Rollout's status.

mod first_weight;
mod ground;
mod idle;
mod incumbents;
mod judge;
mod reaction;
mod restart;
mod row;
mod spread;
mod steps;
mod wide;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;

use ground::{Ground, MEMBER};
use row::Findings;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Figure {
    /// A gate fails → weight 0.
    A,
    /// Template change → first weight.
    B,
    /// Ten steps.
    C,
    /// The hub killed and restarted → next write.
    D,
    /// Memory and requests at rest.
    E,
    /// A release through many members (12 unless told); runs alone.
    F,
    /// Releases that are good, twice and five times as bad, under the noise of a real service;
    /// runs alone.
    Judge,
}

/// How the bench is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Bench {
    /// The hub controller to measure; build it with --release.
    #[arg(long, value_name = "PROGRAM")]
    pub hub: PathBuf,
    /// Figures to measure, for example `a,c`; all but f and judge unless told.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Figure>,
    /// Runs of each figure; for figure judge, releases of each group.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// How many member clusters: 3, or 12 for figure f.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub members: Option<u8>,
    /// Services that are released at the same time in figure judge: what the machine bears. Two
    /// cores bear 2; with 5 the clusters were out of reach for minutes.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub services: u32,
    /// Keep the folder with logs and state.
    #[arg(long)]
    pub keep: bool,
}

/// Starts a fleet, measures, and prints the figures; fails if figure judge misses a bar. Call it
/// inside the namespace.
pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let mut figures = bench.only.clone();
    figures.sort_unstable();
    figures.dedup();
    if figures.is_empty() {
        figures = vec![Figure::A, Figure::B, Figure::C, Figure::D, Figure::E];
    }
    let wide = figures.contains(&Figure::F);
    let alone = wide || figures.contains(&Figure::Judge);
    anyhow::ensure!(
        !alone || figures.len() == 1,
        "figures f and judge have fleets of their own: --only f, --only judge"
    );
    let members = bench.members.unwrap_or(if wide { 12 } else { 3 });

    let free_before = memory_available()?;
    let begun = Instant::now();
    let ground = Ground::start(&bench.hub, members, bench.keep).await?;
    let started_in = begun.elapsed();
    eprintln!("a fleet of {members} members after {:.1} s", started_in.as_secs_f64());
    let mut findings = Findings::default();
    let mut misses = Vec::new();
    for figure in figures {
        let load = load_average();
        let measured = match figure {
            Figure::A => reaction::measure(&ground, bench.runs).await,
            Figure::B => first_weight::measure(&ground, bench.runs).await,
            Figure::C => steps::measure(&ground, bench.runs).await,
            Figure::D => restart::measure(&ground, bench.runs).await,
            Figure::E => idle::measure(&ground, bench.runs).await,
            Figure::F => wide::measure(&ground, started_in, free_before).await,
            Figure::Judge => judge::measure(&ground, bench.runs, bench.services).await.map(
                |(measured, missed)| {
                    misses = missed;
                    measured
                },
            ),
        };
        let mut measured = match measured {
            Ok(measured) => measured,
            Err(error) => {
                eprintln!("the hub's log ends with:\n{}", ground.log_tail());
                return Err(error);
            }
        };
        let loads = format!("{figure:?}: load average {load} before and {} after", load_average());
        eprintln!("{loads}");
        measured.notes.push(loads);
        findings.add(measured);
    }
    findings.print();
    if bench.keep {
        println!("- logs and state: {}", ground.fleet.dir().display());
    }
    ground.stop().await?;
    anyhow::ensure!(misses.is_empty(), "bars were missed: {}", misses.join("; "));
    Ok(())
}

/// Memory of the machine that is not in use, in bytes.
fn memory_available() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes = kibibytes.context("no MemAvailable in /proc/meminfo")?;
    Ok(kibibytes.trim().parse::<u64>()? * 1024)
}

/// Of the last minute.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
