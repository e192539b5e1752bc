//! The plugin's tools for trust, on what a real hub has judged and a real Prometheus knows.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use lockflight_crds::names;
use lockflight_e2e::addresses::{PROMETHEUS_PORT, hub_only_prometheus};
use lockflight_e2e::fleet::built_beside;
use lockflight_e2e::service::{DemoService, Release, Settings, TEMPLATE};
use lockflight_e2e::wait;
use serde_json::Value;
use tokio::process::Command;

use crate::bed::{Bed, RELEASE, RPS, SOON};

/// The part of stable's requests that fails once it serves.
const ERRORS: f64 = 0.02;
/// Exit code of the plugin for a release that was taken back.
const ABORTED: i32 = 3;
/// Seconds of stable's past that `aa` reads: the least that it takes.
const PAST_S: u32 = 120;

/// What the hub recorded, replayed, ends as it did; and stable against itself gives a number.
pub(crate) async fn tools_for_trust_agree_with_the_hub(bed: &Bed) -> anyhow::Result<()> {
    let mut settings = Settings::default().only(&["m1"]);
    settings.replicas = 2;
    let service = bed.service("trust", settings).await?;
    service.establish(&Release::new("v1"), SOON).await?;
    let load = service.load_in(&["m1"], RPS)?;

    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await?;
    // Errors from now on: a release with as many as stable may take minutes to be proven good.
    let _faulty = service.keep_faulty("m1", "v2", &format!("error_rate={ERRORS}"))?;
    let sent = load.snapshot().sent();
    let good = replay(bed, &service).await?;
    ensure!(good.0 == Some(0), "v2 was promoted, and its replay ends with {good:?}");
    ensure!(good.1["takenBack"].is_null(), "{}", good.1);

    service.release(&Release::new("v3").error_rate(0.3)).await?;
    service.aborted(RELEASE).await?;
    let bad = replay(bed, &service).await?;
    ensure!(bad.0 == Some(ABORTED), "v3 was taken back, and its replay ends with {bad:?}");
    ensure!(!bad.1["takenBack"].is_null(), "{}", bad.1);

    wait::until("a past that is long enough", RELEASE, async || {
        let since = load.snapshot().sent() - sent;
        ensure!(since >= u64::from(RPS * PAST_S), "{since} requests were sent");
        Ok(())
    })
    .await?;
    stable_against_itself(bed, &service).await?;
    load.stop().await;
    Ok(())
}

/// `aa` reads what the pods of the stable revision did from the member's Prometheus, by the
/// service's own template: the built-in ones leave out more than a minute in which pods get warm.
async fn stable_against_itself(bed: &Bed, service: &DemoService) -> anyhow::Result<()> {
    let base = service.status().await?.members.into_iter().find_map(|member| member.base);
    let stable = base.and_then(|base| base.revision);
    let stable = stable.context("no member says what it serves")?;
    let address = format!("m1=http://{}:{PROMETHEUS_PORT}", hub_only_prometheus(1));
    let since = format!("{PAST_S}s");
    let saved = bed.fleet.dir().join("stable.jsonl");
    let saved = saved.to_str().context("a folder that is not UTF-8")?;
    let template = bed.fleet.dir().join("template.json");
    let get = ["get", "analysistemplates.lockflight.dev", TEMPLATE, "-o", "json", "-n"];
    let shown = bed.fleet.hub.kubectl(&[&get[..], &[service.namespace()]].concat()).await?;
    fs::write(&template, shown)?;
    let template = template.to_str().context("a folder that is not UTF-8")?;
    let pods = format!("{}-", names::deployment(service.name(), &stable));
    let source = ["--prometheus", &address, "--since", &since, "--save", saved];
    let source = [&source[..], &["--template", template, "--pods", &pods]].concat();
    let read = aa(bed, service, &source).await?;
    let share = read.pointer("/falseAborts/share").and_then(Value::as_f64);
    ensure!(share.is_some_and(|share| (0.0..=1.0).contains(&share)), "{read}");
    let traffic = read.pointer("/traffic/0").context("no traffic")?;
    let rate = traffic["eventsPerSecond"].as_f64().unwrap_or_default();
    ensure!((20.0..=80.0).contains(&rate), "of {RPS} requests per second it saw {rate}");
    let bad = traffic["badShare"].as_f64().unwrap_or_default();
    ensure!((ERRORS / 3.0..=ERRORS * 3.0).contains(&bad), "of {ERRORS} errors it saw {bad}");
    eprintln!("        aa: false aborts {}, of {traffic}", read["falseAborts"]);

    let again = aa(bed, service, &["--recording", saved]).await?;
    ensure!(again == read, "from what was saved it is {again}, from Prometheus {read}");
    Ok(())
}

async fn aa(bed: &Bed, service: &DemoService, source: &[&str]) -> anyhow::Result<Value> {
    let rest = ["--steps", "50:40s", "-o", "json", "-n", service.namespace()];
    let (code, view) = plugin(bed, &[&["aa", service.name()], source, &rest].concat()).await?;
    ensure!(code == Some(0), "aa ended with {code:?}");
    Ok(view)
}

/// How the newest recording of the service ends.
async fn replay(bed: &Bed, service: &DemoService) -> anyhow::Result<(Option<i32>, Value)> {
    let path = newest_recording(bed, service)?;
    let path = path.to_str().context("a folder that is not UTF-8")?;
    plugin(bed, &["replay", path, "-o", "json"]).await
}

/// Names begin with the service and end with the time, so the last of an attempt is the newest.
fn newest_recording(bed: &Bed, service: &DemoService) -> anyhow::Result<PathBuf> {
    let directory = bed.fleet.recordings();
    let stem = format!("{}_{}_", service.namespace(), service.name());
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&stem) {
            found.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    let newest = found.into_iter().max();
    newest.map(|(_, path)| path).with_context(|| format!("{} has none", directory.display()))
}

/// Runs the plugin: its exit code, and the JSON that it prints.
async fn plugin(bed: &Bed, arguments: &[&str]) -> anyhow::Result<(Option<i32>, Value)> {
    let program = built_beside("kubectl-lockflight").context(
        "the plugin is not built: run `cargo build -p kubectl-lockflight` before this test",
    )?;
    let mut command = Command::new(program);
    command.args(arguments).env("KUBECONFIG", bed.fleet.hub.kubeconfig()).kill_on_drop(true);
    let output = tokio::time::timeout(SOON, command.output()).await??;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let view = serde_json::from_slice(&output.stdout);
    let view = view.with_context(|| format!("{arguments:?} printed no JSON: {complaint}"))?;
    Ok((output.status.code(), view))
}
