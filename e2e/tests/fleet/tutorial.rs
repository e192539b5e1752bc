//! Pages of the documentation, followed to the letter.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockflight_crds::Rollout;
use lockflight_e2e::console::{Step, compare, steps};
use lockflight_e2e::service::Release;
use lockflight_e2e::shell::Shell;
use lockflight_e2e::{demo, wait};
use serde_json::json;

use crate::bed::{Bed, RELEASE, SOON};

/// One command of the page: some wait for a whole release.
const COMMAND: Duration = Duration::from_mins(4);
/// Names a file for a transcript instead of a comparison: for whoever writes the page.
const TRANSCRIPT: &str = "TUTORIAL_TRANSCRIPT";

/// Every command of the page does what the page says, on a fleet as the demo leaves it.
pub(crate) async fn tutorial_does_what_it_says(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.checkout(demo::settings()).await?;
    service.establish(&Release::new("v2"), SOON).await?;
    let _load = service.load(demo::RPS)?;
    service.release(&demo::bad_release("v3")).await?;
    service.aborted(RELEASE).await.context("the demo's bad release")?;

    let (shell, folder) = shell(bed)?;
    let steps = steps(&page("tutorial.md")?)?;
    ensure!(steps.len() > 20, "the page has only {} steps", steps.len());
    follow(&shell, &steps, &folder).await
}

/// With the hub dead, the commands of the page take the traffic off; the hub does not fight over
/// it when it is back, and an abort tidies up.
pub(crate) async fn break_glass_takes_the_traffic_off_without_the_hub(
    bed: &Bed,
) -> anyhow::Result<()> {
    let mut settings = demo::settings().only(&["m1"]);
    settings.steps = json!([{ "weight": 50, "approval": "After" }, { "weight": 100 }]);
    let service = bed.checkout(settings).await?;
    service.establish(&Release::new("v1"), SOON).await?;
    let load = service.load_in(&["m1"], demo::RPS)?;
    service.release(&Release::new("v2")).await?;
    let waits = |rollout: &Rollout| waits_for(rollout, "AwaitingApproval");
    service.wait_for("v2 to wait for approval", RELEASE, waits).await?;
    bed.hub.kill9().await?;

    let (shell, folder) = shell(bed)?;
    let steps = steps(&page("how-to/break-glass.md")?)?;
    let (by_hand, with_hub): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| {
        matches!(step, Step::Run { command, .. } if !command.starts_with("kubectl lockflight"))
    });
    follow(&shell, &by_hand, &folder).await?;
    ensure!(service.weights("m1").await? == (100, 0), "the weights are not back");
    wait::until("v2 to get no more requests", SOON, async || {
        let before = load.snapshot().in_member("m1", "v2");
        let served = load.snapshot().in_member("m1", "v1");
        wait::until("more requests", SOON, async || {
            ensure!(load.snapshot().in_member("m1", "v1") > served + 50, "not yet");
            Ok(())
        })
        .await?;
        ensure!(load.snapshot().in_member("m1", "v2") == before, "v2 still serves");
        Ok(())
    })
    .await?;
    bed.hub.start().await?;
    bed.hub.wait_ready().await?;
    let conflict = |rollout: &Rollout| waits_for(rollout, "TrafficConflict");
    service.wait_for("the hub to name the writer", SOON, conflict).await?;
    ensure!(service.weights("m1").await? == (100, 0), "the hub fights over the weights");
    follow(&shell, &with_hub, &folder).await?;
    let after = load.stop().await;
    ensure!(after.failed() == 0, "requests were lost: {after}");
    Ok(())
}

fn waits_for(rollout: &Rollout, reason: &str) -> bool {
    let waiting = rollout.status.iter().flat_map(|status| &status.waiting);
    waiting.into_iter().any(|waiting| waiting.reason == reason)
}

/// A shell on the fleet, and an empty folder for it.
fn shell(bed: &Bed) -> anyhow::Result<(Shell, PathBuf)> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = bed.fleet.clusters().map(|_| listen()).collect::<Result<Vec<_>, _>>()?;
    let shell = Shell::open(&bed.fleet, listeners)?;
    let folder = bed.fleet.dir().join("reader");
    std::fs::create_dir_all(&folder)?;
    Ok((shell, folder))
}

async fn follow(shell: &Shell, steps: &[Step], folder: &Path) -> anyhow::Result<()> {
    let mut transcript = String::new();
    let writing = std::env::var_os(TRANSCRIPT);
    for step in steps {
        match step {
            Step::Save { name, content } => std::fs::write(folder.join(name), content)?,
            Step::Run { line, command, expected } => {
                let answer = shell.run(command, folder, COMMAND).await?;
                transcript = format!("{transcript}$ {command}\n{}", answer.text);
                if let Some(file) = &writing {
                    std::fs::write(file, &transcript)?;
                    continue;
                }
                let good = compare(expected, &answer.text);
                good.with_context(|| {
                    format!("line {line}, `{command}`:\n{transcript}(exit {:?})", answer.code)
                })?;
                ensure!(
                    answer.code == Some(0),
                    "line {line}, `{command}` ended with {:?}:\n{transcript}",
                    answer.code
                );
            }
        }
    }
    ensure!(writing.is_none(), "the transcript was written; nothing was compared");
    Ok(())
}

fn page(name: &str) -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}
