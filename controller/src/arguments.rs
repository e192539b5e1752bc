//! The command line of `lockflight`.

use clap::{Parser, Subcommand};

use crate::run::RunArguments;

/// Progressive delivery over many clusters.
#[derive(Debug, Parser)]
#[command(name = "lockflight", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the hub.
    Run(RunArguments),
    /// Print the `CustomResourceDefinitions`, one JSON document per line.
    Crd,
}
