//! A real browser in front of the real hub.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockflight_crds::Rollout;
use lockflight_e2e::addresses::HUB_DASHBOARD;
use lockflight_e2e::process;
use lockflight_e2e::service::{Release, Settings};
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use super::people::People;
use crate::bed::{Bed, RELEASE, RPS, SOON};
use crate::look;

/// The whole session of the browser: ten times what it takes.
const SESSION: Duration = Duration::from_mins(2);
const OUTPUT_LINES: usize = 60;
const REMEDY: &str = "install Node.js 20 or newer and chromium (Debian: apt-get install nodejs npm \
                      chromium, or set CHROMIUM), and run `npm ci` in dashboard/";

/// Pressed in the page, confirmed with a reason: traffic is back on stable in every cluster.
pub(crate) async fn dashboard_abort_in_a_browser_takes_the_traffic_off(
    bed: &Bed,
) -> anyhow::Result<()> {
    let namespace = "dashboard-abort";
    let mut settings = Settings::default().only(&["m1", "m2"]);
    settings.waves = json!([{ "name": "both", "maxConcurrent": 2, "bake": { "time": "0s" } }]);
    // It would bake for longer than the test lasts.
    settings.steps = json!([{ "weight": 30, "bake": { "time": "10m" } }, { "weight": 100 }]);
    let service = bed.running(namespace, settings).await?;
    let people = People::settle(bed, namespace).await?;
    let v1 = look::revision(&service.rollout().await?);
    let load = service.load_in(&["m1", "m2"], RPS)?;
    service.release(&Release::new("v2")).await?;
    let both =
        |rollout: &Rollout| ["m1", "m2"].iter().all(|name| look::has_share(rollout, name, 30));
    service.wait_for("30 % in both clusters", RELEASE, both).await?;

    let (operator, viewer) = (people.token("operator").await?, people.token("viewer").await?);
    browse(&[
        ("LOCKFLIGHT_DASHBOARD", format!("http://{HUB_DASHBOARD}")),
        ("LOCKFLIGHT_ROLLOUT", format!("{namespace}/shop")),
        ("LOCKFLIGHT_OPERATOR_TOKEN", operator),
        ("LOCKFLIGHT_VIEWER_TOKEN", viewer),
    ])
    .await?;

    let rollout = service.aborted(SOON).await?;
    for member in ["m1", "m2"] {
        let weights = service.weights(member).await?;
        ensure!(weights == (100, 0), "the weights in {member} are {weights:?}");
        look::services_select(&service, service.place(member)?, &v1).await?;
    }
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    ensure!(report.in_member("m1", "v2") > 0, "v2 never served: {report}");
    let abort = rollout.status.unwrap_or_default().abort.context("no status.abort")?;
    ensure!(abort.reason == "CommandedAbort", "status.abort is {abort:?}");
    ensure!(abort.message.contains("carts are empty"), "status.abort is {abort:?}");
    let by = abort.by.as_deref().unwrap_or_default();
    ensure!(by.contains(&people.user("operator")), "aborted by {by:?}");
    look::event(&service, "RolloutAborted").await?;
    Ok(())
}

/// Runs the page's test with this environment, in the fleet's own network.
async fn browse(environment: &[(&str, String)]) -> anyhow::Result<()> {
    let dashboard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard");
    ensure!(
        dashboard.join("node_modules/playwright-core").is_dir(),
        "dashboard/node_modules is missing: {REMEDY}"
    );
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap", "tests/fleet/abort.test.mjs"]);
    command.current_dir(&dashboard).kill_on_drop(true).stdin(Stdio::null());
    for (name, value) in environment {
        command.env(name, value);
    }
    let output = timeout(SESSION, command.output())
        .await
        .with_context(|| format!("the browser's session did not end within {SESSION:?}"))?
        .with_context(|| format!("node cannot be started: {REMEDY}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.lines().any(|line| line.trim() == "# pass 1");
    ensure!(
        output.status.success() && passed,
        "the page's test failed ({}); if there is no browser, {REMEDY}\n{}",
        output.status,
        process::tail(&text, OUTPUT_LINES)
    );
    Ok(())
}
