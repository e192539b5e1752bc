//! The stages, in the order in which they are most likely to save time.

use std::process::Command;

use super::stage::{Stage, Work};
use crate::{
    charts, crd, demo, docs, image, purity, tidy,
    workspace::{cargo, root},
};

/// All of them.
pub(super) fn all() -> Vec<Stage> {
    vec![
        commands("fmt", vec![cargo(&["fmt", "--all", "--check", "--", "-l"])]),
        check("tidy", tidy::check),
        check("crds", crd::check),
        check("values", charts::check),
        check("image", image::check),
        check("purity", purity::check),
        check("docs", docs::check),
        commands("clippy", clippy()),
        Stage { has_tests: true, ..commands("unit", unit()) },
        Stage { has_tests: true, ..commands("dashboard", dashboard()) },
        commands("judge", vec![judge()]),
        commands("rustdoc", vec![rustdoc()]),
        Stage { work: deny(), ..commands("deny", Vec::new()) },
        Stage { has_tests: true, ..commands("charts", vec![charts()]) },
        Stage { has_tests: true, is_shown: true, ..commands("e2e", e2e()) },
    ]
}

fn commands(name: &'static str, commands: Vec<Command>) -> Stage {
    Stage { name, work: Work::Commands(commands), has_tests: false, is_shown: false }
}

fn check(name: &'static str, check: fn() -> anyhow::Result<String>) -> Stage {
    Stage { name, work: Work::Check(check), has_tests: false, is_shown: false }
}

/// `--all-targets` passes over tests that do not run by themselves; those are named.
fn clippy() -> Vec<Command> {
    let own = ["clippy", "-p", "lockflight-e2e", "--test", "charts", "--test", "fleet"];
    let strict = ["--locked", "--", "-D", "warnings"];
    vec![
        cargo(&[&["clippy", "--workspace", "--all-targets"], &strict[..]].concat()),
        cargo(&[&own[..], &["--test", "image", "--test", "testbed"], &strict].concat()),
    ]
}

/// Unit, property and documentation tests; those of the fleet's library need no fleet.
fn unit() -> Vec<Command> {
    let mut workspace = cargo(&["test", "--workspace", "--exclude", "lockflight-e2e", "--locked"]);
    // One failing program must not hide the others.
    workspace.arg("--no-fail-fast");
    vec![workspace, cargo(&["test", "-p", "lockflight-e2e", "--lib", "--locked"])]
}

/// The page: types, a build that changes nothing, and a browser in front of a fleet in memory.
fn dashboard() -> Vec<Command> {
    [&["ci"][..], &["run", "check"], &["test"]].map(npm).into()
}

/// npm, in the folder of the page.
fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(root().join("dashboard")).args(arguments);
    command
}

/// The judge on generated rollouts: fails when a bar, or what guards it, is missed by more than
/// noise. G12 is left out: it is a time, and says nothing on a busy machine.
fn judge() -> Command {
    let run = ["run", "--release", "--locked", "-p", "lockflight-benchmark", "--"];
    let short = ["--short", "--only", "G1,G2,G3,G4,G5,G6,G7,G8"];
    cargo(&[&run[..], &short[..]].concat())
}

fn rustdoc() -> Command {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// Only where the tool is there; that it is not is said, never passed over.
fn deny() -> Work {
    let is_installed =
        cargo(&["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if is_installed {
        // Advisories need a database from the network and change without us: `just audit`.
        let check = ["deny", "--all-features", "check", "bans", "licenses", "sources"];
        Work::Commands(vec![cargo(&check)])
    } else {
        Work::Nothing("cargo-deny is not installed".to_owned())
    }
}

/// The charts as Helm renders them; the first time it builds Helm.
fn charts() -> Command {
    cargo(&["test", "-p", "lockflight-e2e", "--test", "charts", "--locked"])
}

/// Real control planes, gateways and pods, all on this machine.
fn e2e() -> Vec<Command> {
    vec![
        demo::build_command(),
        cargo(&["test", "-p", "lockflight-e2e", "--test", "testbed", "--locked"]),
        cargo(&["test", "-p", "lockflight-e2e", "--test", "fleet", "--locked"]),
    ]
}
