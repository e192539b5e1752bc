//! Project chores: `cargo xtask <chore>`.

mod charts;
mod crd;
mod demo;
mod docs;
mod image;
mod prerequisites;
mod purity;
mod suite;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Project chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Write the CRDs into the chart.
    Crd {
        /// Write nothing; fail when the files are not what the types say.
        #[arg(long)]
        check: bool,
    },
    /// Write the tables of values into the charts' READMEs.
    Charts {
        /// Write nothing; fail when a table is not what values.yaml says.
        #[arg(long)]
        check: bool,
    },
    /// Check that planner and analysis depend on nothing that does I/O or tells the time.
    Purity,
    /// Write the reference pages of the documentation, and check all of it.
    Docs {
        /// Write nothing; fail when a page is not what the code says.
        #[arg(long)]
        check: bool,
    },
    /// Check for leftovers and for files that have grown too long.
    Tidy,
    /// Build what is needed and show a release on a real fleet on this machine.
    Demo(demo::Demo),
    /// Run every check and every test.
    Test(suite::Options),
}

fn main() -> ExitCode {
    run(&Arguments::parse().chore).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(chore: &Chore) -> Result<ExitCode> {
    let done = match chore {
        Chore::Crd { check: false } => crd::write()?,
        Chore::Crd { check: true } => crd::check()?,
        Chore::Charts { check: false } => charts::write()?,
        Chore::Charts { check: true } => charts::check()?,
        Chore::Purity => purity::check()?,
        Chore::Docs { check } => docs::write(*check)?,
        Chore::Tidy => tidy::check()?,
        Chore::Demo(demo) => return Err(demo::run(demo)),
        Chore::Test(options) => return suite::run(options),
    };
    println!("{done}");
    Ok(ExitCode::SUCCESS)
}
