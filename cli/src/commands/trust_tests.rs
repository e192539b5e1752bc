//! `analysis`, `aa`, `plan` and `replay` on what the hub and a Prometheus really give.

use std::path::PathBuf;

use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser as _;
use lockflight::{
    draft::draft,
    hub::Hub as Objects,
    judgement::{Judgement, Memory, Trial, judge_of},
    metrics::Subject,
    validate::resolve_all,
};
use lockflight_analysis::judge::{Arm, Cell, Counts, Observation, Window};
use lockflight_crds::{EvidenceStatus, Rollout};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use super::{aa, analysis, plan, tests::Hub};
use crate::{Arguments, Command, EvidenceView, arguments, objects};

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(name)
}

fn arguments(line: &str) -> Arguments {
    let words = ["kubectl-lockflight"].into_iter().chain(line.split_whitespace());
    Arguments::try_parse_from(words).unwrap()
}

fn aa_of(arguments: &Arguments) -> &arguments::Aa {
    let Command::Aa(aa) = &arguments.command else { panic!("not aa") };
    aa
}

fn plan_of(arguments: &Arguments) -> &arguments::Plan {
    let Command::Plan(plan) = &arguments.command else { panic!("not plan") };
    plan
}

/// The rollout of the examples, gated by a built-in template, as the hub writes it in an attempt
/// in which the canary fails so many times 1 %; and where its evidence stands.
fn as_the_hub_writes_it(worse: f64, retried: bool) -> (Rollout, EvidenceView) {
    let files = ["rollout.yaml", "cluster.yaml", "metric-provider.yaml"].map(example);
    let objects::Files { mut rollout, hub, .. } = objects::read(&files, None).unwrap();
    rollout.spec.analysis = serde_json::from_value(json!([{"template": "builtin:app"}])).unwrap();
    let plan = draft(&rollout, &hub, Utc::now()).unwrap();
    let subject = Subject { namespace: "shop", rollout: "checkout" };
    let templates = resolve_all(&plan.analysis, subject, &Objects::default(), &mut Vec::new());
    let clusters: Vec<_> = plan.waves.iter().flat_map(|wave| &wave.clusters).collect();
    let names = clusters.iter().map(|name| name.as_str().into()).collect();
    let judge = judge_of(&templates, names, &plan.evidence);
    let revision = "7a1b2c3d4e".to_owned();
    let mut known: Option<EvidenceStatus> = None;
    for attempt in if retried { 1..=2 } else { 1..=1 } {
        let trial = Trial { revision: revision.clone(), attempt };
        let opened = Judgement::open(trial, judge.clone(), known.as_ref().map(Memory::from));
        for number in 0..40 {
            let _ = opened.take(vec![window(attempt * 100 + number, clusters[0], worse)]);
        }
        known = Some(opened.status().status);
    }
    // A little is rounded on the way.
    let memory = Memory::from(known.as_ref().unwrap());
    let trial = Trial { revision, attempt: if retried { 2 } else { 1 } };
    let standing = Judgement::open(trial, judge, Some(memory)).take(Vec::new());
    let last = if retried { 239 } else { 139 };
    let expected = EvidenceView::of(&standing, Some(end_of(last)));
    let mut object = json!(rollout);
    object["status"] = json!({"plan": plan, "evidence": known});
    // Through the API server's form, as the plugin gets it.
    let text = object.to_string();
    (serde_json::from_str(&text).unwrap(), expected)
}

fn end_of(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + number * 15)
}

fn window(number: i64, cluster: &str, worse: f64) -> Observation {
    let cells = (0..4).map(|pod| {
        let arm = if pod == 0 { Arm::Canary } else { Arm::Stable };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few")]
        let bad = if arm == Arm::Canary { (2.0 * worse) as u64 } else { 2 };
        Cell { arm, pod: format!("checkout-{pod}").into(), bad, events: 200 }
    });
    Observation {
        metric: "builtin:app/errors".into(),
        stream: 0,
        cluster: cluster.into(),
        window: Window {
            ends_at: end_of(number),
            length: TimeDelta::seconds(15),
            counts: Counts::Cells(cells.collect()),
        },
    }
}

#[tokio::test]
async fn analysis_reads_what_the_hub_writes() {
    for (worse, retried, crossed) in [(1.0, false, false), (6.0, false, true), (1.0, true, false)] {
        let (rollout, expected) = as_the_hub_writes_it(worse, retried);
        let session = Hub::with(rollout.clone()).session();
        let view = analysis::view(&session, &rollout).await.unwrap();
        assert_eq!(view, expected, "{worse} {retried}");
        assert_eq!(view.taken_back.is_some(), crossed, "{view:?}");
        assert!(view.metrics.iter().any(|metric| metric.name == "builtin:app/errors"));
    }
}

#[tokio::test]
async fn plan_of_files_is_what_the_hub_would_make() {
    let files = ["rollout.yaml", "cluster.yaml", "metric-provider.yaml", "analysis-template.yaml"];
    let files = files.map(|name| format!("-f {}", example(name).display())).join(" ");
    let line = format!("plan {files} --rps 50 --errors 0.5%");
    let told = arguments(&line);
    let style = crate::Style { color: false, ascii: true, times: crate::Times::Absolute };
    let found = plan::of_files(plan_of(&told), &told.global, style).await.unwrap();
    let view = plan::view(plan_of(&told), &told.global, &found).await.unwrap();
    let weights: Vec<u8> = view.steps.iter().map(|step| step.weight).collect();
    assert_eq!((weights, view.stored), (vec![5, 10, 33, 66, 100], false));
    // The 10 % step bakes for 10 minutes; the others need ten windows of 15 s, the first of them
    // after 90 s of warm-up.
    let least: Vec<i64> = view.steps.iter().map(|step| step.least_seconds_first).collect();
    assert_eq!(least, [240, 600, 150, 150, 0]);
    // It is that of the template, and of the metric for which it is the longest.
    let text = std::fs::read_to_string(example("analysis-template.yaml")).unwrap();
    for (warm_up, expected) in [("0s", 240), ("120s", 270)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.yaml");
        std::fs::write(&file, text.replace("warmUp: 90s", &format!("warmUp: {warm_up}"))).unwrap();
        let files = files
            .replace(example("analysis-template.yaml").to_str().unwrap(), file.to_str().unwrap());
        let told = arguments(&format!("plan {files}"));
        let found = plan::of_files(plan_of(&told), &told.global, style).await.unwrap();
        let view = plan::view(plan_of(&told), &told.global, &found).await.unwrap();
        assert_eq!(view.steps[0].least_seconds_first, expected, "{warm_up}");
    }
    let ten: Vec<_> = view.steps.iter().map(|step| step.detections.last()).collect();
    assert!(ten[0].is_some_and(|one| one.seconds.is_some_and(|s| s < 900)), "{ten:?}");
    assert_eq!(ten[4], None);
    let thirds = &view.steps[2];
    let times: Vec<_> =
        thirds.detections.iter().map(|one| one.seconds.unwrap_or(i64::MAX)).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert!(thirds.proof_seconds.is_some() && thirds.difference_shown.unwrap() < 0.01);
    let text = crate::render_plan(&view);
    for expect in ["shop/checkout, as a new attempt: at least", "WAVE", "PROVEN", "as usual"] {
        assert!(text.contains(expect), "{expect}: {text}");
    }
    let quiet = arguments(&format!("plan {files}"));
    let view = plan::view(plan_of(&quiet), &quiet.global, &found).await.unwrap();
    assert_eq!(view.traffic, None);
    assert!(crate::render_plan(&view).contains("--rps"));
}

#[tokio::test]
async fn plan_of_a_rollout_is_the_stored_one() {
    let (rollout, _) = as_the_hub_writes_it(1.0, false);
    let stored = rollout.status.as_ref().and_then(|status| status.plan.clone());
    let session = Hub::with(rollout).session();
    let found = plan::of_hub(&session, "checkout").await.unwrap();
    assert_eq!((Some(found.plan), found.stored), (stored, true));
}

/// The time of that Prometheus, which stands still: every run reads the same windows.
const NOW: i64 = 1_790_000_000;

/// A Prometheus with four pods of the application: 20 requests a scrape of 15 s and pod, one of
/// fifty bad.
async fn prometheus() -> (String, JoinSet<()>) {
    let handler = |body: String| async move {
        let query = decoded(&body);
        let (kind, result) = if query == "time()" {
            ("scalar", json!([NOW, NOW.to_string()]))
        } else {
            ("matrix", samples(&query))
        };
        let data = json!({"status": "success", "data": {"resultType": kind, "result": result}});
        ([(CONTENT_TYPE, "application/json")], data.to_string())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        let app = Router::new().route("/api/v1/query", post(handler));
        axum::serve(listener, app).await.unwrap();
    });
    (address, server)
}

/// The answer to `selector[seconds] @ moment`, from the counters' values at that time.
fn samples(query: &str) -> Value {
    let (selector, rest) = query.rsplit_once('[').unwrap();
    let (seconds, at) = rest.split_once("s] @ ").unwrap();
    let (seconds, at): (i64, f64) = (seconds.parse().unwrap(), at.parse().unwrap());
    assert!(selector.contains(r#"namespace="shop""#) && selector.contains("checkout-.+"));
    #[expect(clippy::cast_possible_truncation, reason = "seconds of today")]
    let at = at.floor() as i64;
    let series = (0..4).flat_map(|pod| {
        let first = (at - seconds - pod).div_euclid(15) + 1;
        let last = (at - pod).div_euclid(15);
        let of = move |labels: Value, value: fn(i64) -> i64| {
            let values: Vec<Value> = (first..=last)
                .map(|n| json!([n * 15 + pod, (value(n * 4 + pod)).to_string()]))
                .collect();
            let mut metric = json!({"pod": format!("checkout-7a1b-{pod}"), "namespace": "shop"});
            metric.as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
            json!({"metric": metric, "values": values})
        };
        if selector.contains("_bucket") {
            type Bucket = (&'static str, fn(i64) -> i64);
            let buckets: [Bucket; 4] = [
                ("0.1", |n| n * 4),
                ("0.25", |n| n * 9 / 2),
                ("0.5", |n| n * 24 / 5),
                ("+Inf", |n| n * 5),
            ];
            let name = "http_request_duration_seconds_bucket";
            buckets.map(|(le, value)| of(json!({"__name__": name, "le": le}), value)).to_vec()
        } else if selector.contains("code=~") {
            vec![of(json!({"__name__": "http_requests_total", "code": "500"}), |n| n / 10)]
        } else {
            vec![
                of(json!({"__name__": "http_requests_total", "code": "200"}), |n| n * 5 - n / 10),
                of(json!({"__name__": "http_requests_total", "code": "500"}), |n| n / 10),
            ]
        }
    });
    series.collect()
}

/// The query in a form.
fn decoded(body: &str) -> String {
    let mut fields = body.split('&').filter_map(|field| field.strip_prefix("query="));
    let mut text = Vec::new();
    let mut bytes = fields.next_back().unwrap_or_default().bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn aa_reads_the_users_own_prometheus() {
    let (address, server) = prometheus().await;
    let directory = tempfile::tempdir().unwrap();
    let saved = directory.path().join("stable.jsonl");
    let steps = "--steps 25:5m,50:5m --trials 20 --request-timeout 5m";
    let line = format!(
        "aa checkout -n shop --prometheus eu={address} --since 1h {steps} --save {}",
        saved.display()
    );
    let told = arguments(&line);
    let view = aa::view(aa_of(&told), &told.global).await.unwrap();
    let errors = &view.traffic[0];
    assert_eq!((&*errors.metric, &*errors.cluster, errors.pods), ("builtin:app/errors", "eu", 4));
    assert!((errors.events_per_second - 80.0 / 15.0).abs() < 0.1, "{errors:?}");
    assert!((errors.bad_share - 0.02).abs() < 0.002, "{errors:?}");
    assert!(view.traffic.iter().any(|row| row.metric == "builtin:app/latency"), "{view:?}");
    assert_eq!((view.trials, view.false_aborts.count), (20, 0));
    assert!(view.detections[1].found >= view.detections[0].found);
    let text = crate::render_aa(&view);
    assert!(text.contains("builtin:app/errors") && text.contains("change nothing"), "{text}");
    // What was saved is a recording: the same windows give the same answer.
    let again = arguments(&format!("aa --recording {} {steps}", saved.display()));
    assert_eq!(aa::view(aa_of(&again), &again.global).await.unwrap(), view);
    // A file that is there is not written over, and so nothing is read.
    drop(server);
    let failure = aa::view(aa_of(&told), &told.global).await.unwrap_err();
    assert!(failure.to_string().contains("--save"), "{failure}");
}

#[tokio::test]
async fn aa_says_what_is_missing() {
    let (address, _server) = prometheus().await;
    let cases = [
        ("aa --prometheus ADDRESS".to_owned(), "name of the rollout"),
        ("aa x --prometheus ADDRESS --template builtin:none".to_owned(), "there are app, "),
        ("aa x --prometheus ADDRESS --arg no=thing".to_owned(), "--arg no"),
        ("aa x --prometheus ADDRESS --prometheus ADDRESS".to_owned(), "CLUSTER=URL"),
        ("aa x --prometheus ADDRESS --since 49h".to_owned(), "48h"),
        ("aa checkout -n shop --prometheus ADDRESS --pods other-".to_owned(), "no window"),
        ("aa x --prometheus http://127.0.0.1:1 --since 5m".to_owned(), "cannot be reached"),
    ];
    for (line, expect) in cases {
        let told = arguments(&line.replace("ADDRESS", &address));
        let failure = aa::view(aa_of(&told), &told.global).await.unwrap_err().to_string();
        assert!(failure.contains(expect), "{line}: {failure}");
    }
}

#[test]
fn templates_in_files_are_read_with_their_names() {
    let told = arguments(&format!(
        "aa checkout -n shop --prometheus http://p --arg service=checkout --template {}",
        example("analysis-template.yaml").display()
    ));
    let found = crate::past::templates(&aa_of(&told).compare, "shop", "checkout").unwrap();
    assert_eq!(found[0].name, "golden-signals");
}
