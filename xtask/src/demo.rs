//! The demo: build, then become the program that shows it.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Error, Result, ensure};
use clap::Args;

use crate::{
    prerequisites,
    workspace::{cargo, target_dir},
};

/// Programs that run in the demo.
pub(crate) const BINARIES: [&str; 4] =
    ["lockflight", "kubectl-lockflight", "lockflight-fleet", "lockflight-demo-app"];

/// Options of the demo.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the fleet running afterwards, until Ctrl-C.
    #[arg(long)]
    hold: bool,
    /// More arguments for `lockflight-fleet demo`.
    #[arg(last = true)]
    more: Vec<String>,
}

/// Returns only when it cannot start.
pub(crate) fn run(demo: &Demo) -> Error {
    if let Err(error) = prerequisites::check().and_then(|()| build()) {
        return error;
    }
    let program = target_dir().join("debug/lockflight-fleet");
    let mut command = Command::new(&program);
    command.arg("demo").args(demo.hold.then_some("--hold")).args(&demo.more);
    // Signals go to the fleet itself, which has much to put away.
    Error::new(command.exec()).context(format!("cannot start {}", program.display()))
}

fn build() -> Result<()> {
    eprintln!("building {} (the first time takes some minutes)", BINARIES.join(", "));
    let status = build_command().status().context("cannot run cargo")?;
    ensure!(status.success(), "cargo build failed");
    Ok(())
}

/// `cargo build` of the programs above.
pub(crate) fn build_command() -> Command {
    let mut command = cargo(&["build", "--locked"]);
    for binary in BINARIES {
        command.args(["--bin", binary]);
    }
    command
}
