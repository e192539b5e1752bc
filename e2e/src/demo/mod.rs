//! The demo: a good release and a bad one, on a real fleet, with every request counted.

mod exports;
mod follow;
mod measure;
mod outcome;
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
pub use story::{NAMESPACE, RPS, SERVICE, bad_release, settings};

const MEMBERS: u8 = 3;
/// Phases of the start that are shown.
const PHASES: usize = 3;
/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;
const INTRODUCTION: &str = "\
One service in three clusters, released three times: v1 to begin with, then v2,
which is good, and v3, which is not. API servers, gateways, metrics and pods are
real; they run as plain processes on this machine. Bakes last 2 to 5 seconds to
keep the demo short: real ones take minutes to hours.

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

    /// The ports for [`namespace::enter`]: one for each API server, each gateway, and the hub's
    /// dashboard.
    #[must_use]
    pub fn ports() -> Vec<u16> {
        vec![0; 1 + 2 * usize::from(MEMBERS) + 1]
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
            told = story::tell(&fleet, &stage, self.hold) => Some(told),
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
        if code == ExitCode::FAILURE {
            fleet.keep();
            stage.print(&busy());
            let dir = fleet.dir().display();
            stage.print(&format!("Logs: {dir} (the hub controller's is lockflight.log)\n"));
        }
        if let (true, Some(Ok(told))) = (self.hold, &told) {
            let exports = Exports::open(&fleet, listeners, &told.service)?;
            let load = told.service.load(story::RPS)?;
            stage.print(&exports.describe());
            ended_by_user.await?;
            let report = load.stop().await;
            stage.print(&format!("\nWhile you had it: {}", table::requests(&report)));
        }
        stage.leave_tree();
        stage.print("Ending the fleet ...\n");
        // The logs are kept after a failure; the stores are large, and nobody reads them.
        let stores = fleet.clusters().map(|cluster| cluster.dir().join("etcd"));
        let stores: Vec<PathBuf> = stores.collect();
        hub.stop().await?;
        fleet.stop().await?;
        for store in stores {
            std::fs::remove_dir_all(store).ok();
        }
        let left = if code == ExitCode::FAILURE { "only its logs are" } else { "nothing of it is" };
        stage.print(&format!("Done: {left} left.\n"));
        Ok(code)
    }

    async fn start(&self, stage: &Stage) -> anyhow::Result<(Fleet, HubProcess)> {
        stage.tell("fleet", &format!("starts: a hub and {MEMBERS} member clusters"));
        let fleet = Fleet::builder().members(MEMBERS).start().await?;
        stage.tell("fleet", &format!("is up; the slowest: {}", slowest(fleet.phases())));
        let begun = Instant::now();
        let hub = fleet.hub_process(&self.hub, Vec::new()).await?.with_open_dashboard();
        hub.start().await?;
        hub.wait_ready().await?;
        let took = begun.elapsed().as_secs_f64();
        stage.tell("fleet", &format!("Lockflight runs in the hub ({took:.1} s)"));
        Ok((fleet, hub))
    }
}

/// A sentence if this machine has had more to do than it can: then requests may well be lost.
fn busy() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = averages.split(' ').next().and_then(|load| load.parse::<f64>().ok());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match (load, u16::try_from(cores)) {
        (Some(load), Ok(cores)) if load > 3.0 * f64::from(cores) => format!(
            "This machine is very busy: {load:.0} processes want to run on {cores} cores.\n"
        ),
        _ => String::new(),
    }
}

/// The longest phases of the start, each kind by its slowest cluster.
fn slowest(phases: &[(String, Duration)]) -> String {
    let mut times = BTreeMap::<&str, Duration>::new();
    for (phase, time) in phases {
        let kind = phase.split_once(": ").map_or(phase.as_str(), |(_, kind)| kind);
        let slowest = times.entry(kind).or_default();
        *slowest = (*slowest).max(*time);
    }
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable_by_key(|(_, time)| std::cmp::Reverse(*time));
    let show = |(kind, time): &(&str, Duration)| format!("{kind} {:.1} s", time.as_secs_f64());
    times.iter().take(PHASES).map(show).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_summed_up_by_kind() {
        let phase = |name: &str, millis| (name.to_owned(), Duration::from_millis(millis));
        let phases =
            [phase("m1: gateway", 900), phase("m2: gateway", 1400), phase("m1: rights", 20)];
        assert_eq!(slowest(&phases), "gateway 1.4 s, rights 0.0 s");
    }
}
