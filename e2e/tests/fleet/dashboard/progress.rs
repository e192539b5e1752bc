//! A real rollout as the page sees it: its stream, its gates, its history.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use lockflight_e2e::service::{Release, Settings};
use lockflight_e2e::wait;
use serde_json::{Value, json};

use super::client::{self, Frames};
use super::people::People;
use crate::bed::{Bed, RELEASE, RPS, SOON};

/// Pages that are open beside the one that is looked at.
const OTHERS: usize = 10;

/// Every change comes on the stream; the gate's evidence with both arms, bars and query; Events.
pub(crate) async fn dashboard_follows_a_real_rollout(bed: &Bed) -> anyhow::Result<()> {
    let namespace = "dashboard-live";
    let mut settings = Settings::default().only(&["m1"]);
    let bake = json!({ "time": "4s", "samples": 10 });
    settings.steps = json!([
        { "weight": 25, "bake": bake }, { "weight": 60, "bake": bake }, { "weight": 100 },
    ]);
    let service = bed.running(namespace, settings).await?;
    let people = People::settle(bed, namespace).await?;
    let token = people.token("viewer").await?;
    let load = service.load_in(&["m1"], RPS)?;
    let path = format!("/api/v1/rollouts/{namespace}/shop");
    wait::until("the rollout to be on the board", SOON, async || client::get(&path, &token).await)
        .await?;

    let query = format!("?rollout={namespace}/shop&cluster=m1");
    let mut frames = Frames::open(&query, &token).await?;
    let alone = bed.hub.rss_bytes()?;
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        others.push(Frames::open("", &token).await?);
    }
    let attempt = service.status().await?.attempt.map_or(0, |attempt| attempt.number) + 1;
    service.release(&Release::new("v2")).await?;
    let mut weights = BTreeSet::new();
    let mut points = 0;
    let mut analysed = BTreeSet::new();
    let seen = frames.until("the end of the rollout", RELEASE, |frame| {
        let row = rows(frame).find(|row| row["namespace"] == namespace);
        let row = row.or_else(|| frame.pointer("/page/row"));
        weights.extend(row.and_then(|row| row["weight"].as_u64()));
        for series in
            frame.pointer("/analysis/series").and_then(Value::as_array).into_iter().flatten()
        {
            points += series["atMs"].as_array().map_or(0, Vec::len);
            analysed.extend(series["metric"].as_str().map(str::to_owned));
        }
        row.is_some_and(|row| row["state"] == "Completed" && row["attempt"] == attempt)
    });
    seen.await.with_context(|| format!("weights {weights:?}, {points} points of {analysed:?}"))?;
    let with_others = bed.hub.rss_bytes()?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    ensure!([25, 60].iter().all(|weight| weights.contains(weight)), "weights seen: {weights:?}");
    ensure!(points > 10, "{points} points came on the stream");
    for other in &mut others {
        let last = |frame: &Value| rows(frame).any(|row| row["namespace"] == namespace);
        other.until("the rollout on another page", SOON, last).await?;
    }

    let page = client::get(&format!("{path}/analysis/m1"), &token).await?;
    let names = page["series"].as_array().into_iter().flatten();
    let names: BTreeSet<String> =
        names.filter_map(|series| series["metric"].as_str().map(str::to_owned)).collect();
    ensure!(names == analysed, "the page has {names:?}, the stream had {analysed:?}");
    together(&page)?;
    comparison(&page, namespace, attempt)?;
    threshold(&page)?;
    history(&path, &token, attempt).await?;
    decided_by(&path, &token).await?;
    let mebibytes = |bytes: u64| bytes / (1 << 20);
    eprintln!(
        "        {points} points, hub {} MiB with 1 page, {} MiB with {}",
        mebibytes(alone),
        mebibytes(with_others),
        OTHERS + 1
    );
    Ok(())
}

/// What a person decides by: both revisions' counts, and what the gates can see.
async fn decided_by(path: &str, token: &str) -> anyhow::Result<()> {
    let page = client::get(&format!("{path}/evidence"), token).await?;
    let mut metrics = page["standing"]["metrics"].as_array().into_iter().flatten();
    let errors = metrics.find(|metric| metric["name"] == "golden-signals/errors");
    let errors = errors.with_context(|| format!("no errors in {page}"))?;
    for arm in ["canary", "stable"] {
        let counted = errors["clusters"][0][arm]["events"].as_u64().unwrap_or_default();
        ensure!(counted > 0, "nothing of {arm}: {page}");
    }
    let plan = client::get(&format!("{path}/plan?rps=50&errors=0.01"), token).await?;
    let steps = plan["plan"]["steps"].as_array().map_or(0, Vec::len);
    ensure!(steps == 3 && plan["plan"]["stored"] == true, "the plan is {plan}");
    let tenfold = plan["plan"]["steps"][0]["detections"][2]["seconds"].as_i64();
    ensure!(tenfold.is_some_and(|seconds| seconds > 0), "no forecast: {plan}");
    Ok(())
}

fn rows(frame: &Value) -> impl Iterator<Item = &Value> {
    frame["rollouts"].as_array().into_iter().flatten()
}

fn series<'p>(page: &'p Value, metric: &str) -> anyhow::Result<&'p Value> {
    let mut all = page["series"].as_array().into_iter().flatten();
    all.find(|series| series["metric"] == metric).with_context(|| format!("no {metric} in {page}"))
}

/// The last number of a column.
fn last(series: &Value, column: &str) -> anyhow::Result<f64> {
    let value = series[column].as_array().and_then(|values| values.last()?.as_f64());
    value.with_context(|| format!("no {column} in {series}"))
}

fn together(page: &Value) -> anyhow::Result<()> {
    let all = series(page, "all comparisons")?;
    ensure!(last(all, "abortEvidence")? < last(all, "abortBar")?, "{all}");
    ensure!(last(all, "promoteEvidence")? >= last(all, "promoteBar")?, "not promoted yet: {all}");
    Ok(())
}

/// Both arms grew, step by step, and the last evidence is beyond its bar.
fn comparison(page: &Value, namespace: &str, attempt: i64) -> anyhow::Result<()> {
    let errors = series(page, "golden-signals/errors")?;
    ensure!(errors["kind"] == "Comparison" && errors["attempt"] == attempt, "{errors}");
    for column in ["canaryTotal", "stableTotal"] {
        let values = errors[column].as_array().into_iter().flatten().filter_map(Value::as_f64);
        let values: Vec<f64> = values.collect();
        ensure!(values.is_sorted() && values.last() > values.first(), "{column}: {values:?}");
    }
    let steps: BTreeSet<u64> =
        errors["step"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    ensure!(steps.is_superset(&BTreeSet::from([1, 2])), "steps {steps:?}");
    let at: Vec<i64> =
        errors["atMs"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    ensure!(at.is_sorted(), "the moments are out of order: {at:?}");
    let query = errors["query"].as_str().unwrap_or_default();
    let asked = format!("http_requests_total{{namespace=\"{namespace}\"");
    ensure!(query.matches(&asked).count() == 2 && query.contains("5.."), "query {query}");
    Ok(())
}

fn threshold(page: &Value) -> anyhow::Result<()> {
    let latency = series(page, "golden-signals/latency")?;
    ensure!(latency["kind"] == "Threshold" && latency["bounds"] == json!([0.2]), "{latency}");
    ensure!(last(latency, "value")? < 0.2 && latency["limit"] == "result[0] < 0.2", "{latency}");
    let query = latency["query"].as_str().unwrap_or_default();
    // As it was asked: with the pods and the window of that moment.
    ensure!(query.contains("shop-") && !query.contains("{{"), "query {query}");
    Ok(())
}

/// Events of the attempt, and the attempt itself.
async fn history(path: &str, token: &str, attempt: i64) -> anyhow::Result<()> {
    let path = format!("{path}/history");
    let wanted = ["RolloutStarted", "ClusterStarted", "WeightAcknowledged", "ClusterPromoted"];
    wait::until("the Events of the rollout", SOON, async || {
        let page = client::get(&path, token).await?;
        ensure!(page["eventsMissing"].is_null(), "{page}");
        let events = page["events"].as_array().into_iter().flatten();
        let reasons: BTreeSet<&str> = events.filter_map(|event| event["reason"].as_str()).collect();
        ensure!(
            wanted.iter().all(|reason| reasons.contains(reason)),
            "the reasons are {reasons:?}"
        );
        let newest = &page["attempts"][0];
        ensure!(newest["number"] == attempt && newest["phase"] == "Completed", "{newest}");
        Ok(())
    })
    .await
}
