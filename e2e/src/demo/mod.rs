//! The demo: a good release and a bad one, on a real fleet, with every request counted.

mod exports;
mod follow;
mod gates;
mod measure;
mod observer;
mod outcome;
mod routes;
mod samples;
mod stage;
mod story;
mod table;
mod timeline;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::fleet::{Fleet, built_beside};
use crate::hub_process::HubProcess;
use crate::namespace;
use exports::Exports;
use stage::Stage;

const MEMBERS: u8 = 3;
/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;
const INTRODUCTION: &str = "\
One service in three clusters, released three times: v1 to begin with, v2 that is good, v3 that is
not. API servers, gateways, metrics and pods are real, and run as plain processes on this machine.
Bakes last 2 to 5 seconds here, to keep the demo short; real ones take minutes to hours.

";

/// What the demo is to do.
#[derive(Clone, Debug)]
pub struct Demo {
    hub: PathBuf,
    hold: bool,
}

impl Demo {
    /// A demo of `hub`, the hub controller's program; that beside this program unless one is
    /// given. With `hold` the fleet stays until Ctrl-C.
    pub fn new(hub: Option<PathBuf>, hold: bool) -> anyhow::Result<Self> {
        let built = || {
            built_beside("lockflight").context(
                "the hub controller is not built: run `cargo xtask demo`, or name it with --hub",
            )
        };
        built_beside("lockflight-demo-app")
            .context("the demo application is not built: run `cargo xtask demo`")?;
        Ok(Self { hub: hub.map_or_else(built, Ok)?, hold })
    }

    /// The ports for [`namespace::enter`]: one for each API server and each gateway.
    #[must_use]
    pub fn ports() -> Vec<u16> {
        vec![0; 1 + 2 * usize::from(MEMBERS)]
    }

    /// Runs it. Succeeds only if all went as it should.
    pub async fn run(&self, listeners: Vec<TcpListener>) -> anyhow::Result<ExitCode> {
        let ended_by_user = namespace::ended_by_user();
        tokio::pin!(ended_by_user);
        let stage = Arc::new(Stage::open());
        stage.print(INTRODUCTION);
        let (mut fleet, hub) = tokio::select! {
            started = self.start(&stage) => started?,
            end = &mut ended_by_user => return end.map(|()| ExitCode::from(INTERRUPTED)),
        };
        let told = tokio::select! {
            told = story::tell(&fleet, &stage) => Some(told),
            end = &mut ended_by_user => { end?; None }
        };
        let code = match &told {
            Some(Ok(told)) if told.as_it_should_be => ExitCode::SUCCESS,
            Some(Ok(_)) => ExitCode::FAILURE,
            Some(Err(error)) => {
                stage.leave_tree();
                stage.print(&format!("The demo could not be played to its end: {error:#}\n"));
                ExitCode::FAILURE
            }
            None => ExitCode::from(INTERRUPTED),
        };
        let failed = code == ExitCode::FAILURE;
        if failed {
            fleet.keep();
            let dir = fleet.dir().display();
            stage.print(&format!("Logs: {dir} (the hub controller's is lockflight.log)\n"));
        }
        if let (true, Some(Ok(told))) = (self.hold, &told) {
            let exports = Exports::open(&fleet, listeners, &told.service)?;
            let _load = told.service.load(story::RPS)?;
            stage.print(&exports.describe());
            ended_by_user.await?;
        }
        stage.leave_tree();
        stage.print("Ending the fleet ...\n");
        hub.stop().await?;
        fleet.stop().await?;
        Ok(code)
    }

    async fn start(&self, stage: &Stage) -> anyhow::Result<(Fleet, HubProcess)> {
        stage.tell("fleet", &format!("starts: a hub and {MEMBERS} member clusters"));
        let fleet = Fleet::builder().members(MEMBERS).start().await?;
        stage.tell("fleet", &format!("is up; the slowest of each: {}", slowest(fleet.phases())));
        let begun = Instant::now();
        let hub = fleet.hub_process(&self.hub, Vec::new()).await?;
        hub.start().await?;
        hub.wait_ready().await?;
        let took = begun.elapsed().as_secs_f64();
        stage.tell("fleet", &format!("Lockflight runs in the hub ({took:.1} s)"));
        Ok((fleet, hub))
    }
}

/// The slowest of each kind of phase, in the order in which the kinds came first.
fn slowest(phases: &[(String, Duration)]) -> String {
    let mut order = Vec::new();
    let mut times = BTreeMap::<&str, Duration>::new();
    for (phase, time) in phases {
        let (place, kind) = phase.split_once(": ").unwrap_or(("", phase));
        // The hub has phases of its own; its control plane is one of several.
        if place == "hub" && kind != "control plane" {
            continue;
        }
        let slowest = times.entry(kind).or_insert_with(|| {
            order.push(kind);
            Duration::ZERO
        });
        *slowest = (*slowest).max(*time);
    }
    let show = |kind: &&str| {
        let time = times.get(kind).copied().unwrap_or_default();
        format!("{kind} {:.1} s", time.as_secs_f64())
    };
    // What takes little is not worth a word.
    let worth_a_word =
        |kind: &&&str| times.get(**kind).is_some_and(|time| *time >= Duration::from_secs(1));
    order.iter().filter(worth_a_word).map(show).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_summed_up_by_kind() {
        let phase = |name: &str, millis| (name.to_owned(), Duration::from_millis(millis));
        let phases =
            [phase("m1: gateway", 900), phase("m2: gateway", 1400), phase("m1: rights", 20)];
        assert_eq!(slowest(&phases), "gateway 1.4 s");
    }
}
