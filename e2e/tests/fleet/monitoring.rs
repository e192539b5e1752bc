//! Dashboards and alert rules on a real Prometheus that scrapes the hub.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use lockflight_e2e::prometheus::Prometheus;
use lockflight_e2e::service::{Release, Settings};
use lockflight_e2e::{addresses, components, demo, wait};
use serde_json::Value;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};

/// What Grafana would put in for its variables, as `$name` and value.
const VARIABLES: [(&str, &str); 5] = [
    ("$__rate_interval", "30s"),
    ("$__range", "5m"),
    ("$namespace", "monitored"),
    ("$rollout", "shop"),
    ("${datasource}", ""),
];

/// Every question of every panel and of every rule can be asked, and every panel has an answer
/// once a release was promoted and one was taken back.
pub(crate) async fn every_panel_has_data_and_every_rule_can_be_asked(
    bed: &Bed,
) -> anyhow::Result<()> {
    let prometheus = &bed.fleet.member("m1")?.prometheus;
    prometheus.also_scrape("lockflight", addresses::HUB_CONTROLLER.into())?;
    let begun = now();
    wait::until("the hub to be scraped", SOON, async || {
        let numbers = prometheus.numbers("lockflight_hub_ready", begun, now()).await?;
        ensure!(numbers > 0, "no sample yet");
        Ok(())
    })
    .await?;
    let service = bed.running("monitored", Settings::default()).await?;
    let _load = service.load(RPS)?;
    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await?;
    service.release(&demo::bad_release("v3")).await?;
    service.aborted(RELEASE).await?;

    let questions = questions()?;
    ensure!(questions.len() > 40, "only {} questions", questions.len());
    // The last samples are a scrape away.
    wait::until("every panel to have data", SOON, async || {
        for question in &questions {
            question.ask(prometheus, begun).await?;
        }
        Ok(())
    })
    .await
}

/// The rules do what their tests say.
pub(crate) async fn alert_rules_do_what_their_tests_say(_: &Bed) -> anyhow::Result<()> {
    let folder = files().join("alerts");
    let promtool = components::locate()?.promtool;
    for arguments in
        [["check", "rules", "lockflight.yaml"], ["test", "rules", "lockflight_test.yaml"]]
    {
        let output = Command::new(&promtool).args(arguments).current_dir(&folder).output()?;
        ensure!(
            output.status.success(),
            "promtool {}:\n{}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

struct Question {
    /// Where it stands.
    place: String,
    expression: String,
    /// Whether no answer is a failure: a rule that finds nothing is the usual case.
    needs_answer: bool,
}

impl Question {
    async fn ask(
        &self,
        prometheus: &Prometheus,
        begun: chrono::DateTime<chrono::Utc>,
    ) -> anyhow::Result<()> {
        let Self { place, expression, needs_answer } = self;
        let numbers = prometheus.numbers(expression, begun, now()).await;
        let numbers = numbers.with_context(|| place.clone())?;
        ensure!(numbers > 0 || !needs_answer, "{place} has no data: {expression}");
        Ok(())
    }
}

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/lockflight/files")
}

fn questions() -> anyhow::Result<Vec<Question>> {
    let mut questions = Vec::new();
    for entry in std::fs::read_dir(files().join("grafana"))? {
        let path = entry?.path();
        let board: Value = serde_json::from_slice(&std::fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        let title = board["title"].as_str().unwrap_or_default();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for variable in list(&board["templating"]["list"]) {
            let query = variable["query"]["query"].as_str().unwrap_or_default();
            if let Some((selector, _)) =
                query.strip_prefix("label_values(").and_then(|query| query.rsplit_once(','))
            {
                let place = format!("{title}: variable {}", variable["name"]);
                questions.push(Question {
                    place,
                    expression: filled(selector),
                    needs_answer: true,
                });
            }
        }
        for panel in list(&board["panels"]) {
            for target in list(&panel["targets"]) {
                let expression = target["expr"].as_str().context("a target without expr")?;
                questions.push(Question {
                    place: format!("{title}: {}", panel["title"]),
                    expression: filled(expression),
                    needs_answer: true,
                });
            }
        }
    }
    let rules = std::fs::read_to_string(files().join("alerts/lockflight.yaml"))?;
    let rules: Value = serde_saphyr::from_str(&rules)?;
    for rule in rules["groups"].as_array().into_iter().flatten() {
        for rule in rule["rules"].as_array().into_iter().flatten() {
            questions.push(Question {
                place: format!("rule {}", rule["alert"]),
                expression: rule["expr"].as_str().context("a rule without expr")?.to_owned(),
                needs_answer: false,
            });
        }
    }
    Ok(questions)
}

fn filled(expression: &str) -> String {
    VARIABLES.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}
