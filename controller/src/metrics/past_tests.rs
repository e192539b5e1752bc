use std::collections::BTreeMap;

use chrono::TimeDelta;
use lockflight_analysis::judge::{Arm, Counts};
use lockflight_crds::AnalysisTemplateSpec;
use serde_json::{Value, json};

use super::{PastRequest, StablePast, stable_past};
use crate::metrics::{
    ResolvedTemplate, Subject,
    mock::{Mock, Reply, pass},
    resolve,
};

/// Time between scrapes, in seconds.
const SCRAPE: i64 = 15;

fn template(metrics: &Value) -> ResolvedTemplate {
    let spec: AnalysisTemplateSpec =
        serde_json::from_value(json!({ "metrics": metrics })).expect("a template");
    let subject = Subject { namespace: "shop", rollout: "checkout" };
    resolve("golden", &spec, subject, &BTreeMap::new()).expect("a sound template")
}

fn errors() -> ResolvedTemplate {
    template(&json!([{"name": "errors", "compare":
        {"bad": r#"bad{pod=~"{{stablePods}}"}"#, "total": "all", "by": {"pod": {}}}}]))
}

fn request<'a>(templates: &'a [ResolvedTemplate], pods: &'a str) -> PastRequest<'a> {
    PastRequest {
        cluster: "eu",
        templates,
        pods,
        since: TimeDelta::minutes(70),
        window_min: TimeDelta::seconds(15),
    }
}

/// What a query asks for: its selector, its range in seconds and its moment in ms.
fn asked(query: &str) -> (&str, i64, i64) {
    let (selector, rest) = query.split_once('[').expect("a range");
    let (seconds, at) = rest.split_once("s] @ ").expect("a moment");
    let (whole, ms) = at.split_once('.').expect("milliseconds");
    let at: i64 = format!("{whole}{ms}").parse().expect("a time");
    (selector, seconds.parse().expect("seconds"), at)
}

/// Pods that are scraped every 15 s for ever, each at a second of its own: 30 requests a scrape,
/// and a bad one in every 40th scrape.
fn served(pods: &'static [&'static str]) -> impl Fn(&str) -> Reply + Clone + Send + Sync {
    move |query| {
        let (selector, seconds, at) = asked(query);
        let series = pods.iter().zip(1..).map(|(pod, phase)| {
            let first = (at / 1000 - seconds - phase).div_euclid(SCRAPE) + 1;
            let last = (at / 1000 - phase).div_euclid(SCRAPE);
            let samples = (first..=last).map(|n| {
                let value = if selector.starts_with("bad") { n / 40 } else { n * 30 };
                format!("[{},\"{value}\"]", n * SCRAPE + phase)
            });
            let samples: Vec<_> = samples.collect();
            format!(r#"{{"metric":{{"pod":"{pod}"}},"values":[{}]}}"#, samples.join(","))
        });
        Reply::Result("matrix", format!("[{}]", series.collect::<Vec<_>>().join(",")))
    }
}

async fn read(mock: &Mock, request: PastRequest<'_>) -> Result<StablePast, String> {
    stable_past(&mock.provider("5s"), request).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_past_has_every_window_once_and_all_pods_are_stable() {
    // At every phase of the scrapes.
    for _ in 0..30 {
        has_every_window_once(&["web-a", "web-b", "web-c", "other"]).await;
        pass(TimeDelta::milliseconds(500));
    }
}

async fn has_every_window_once(pods: &'static [&'static str]) {
    let mock = Mock::start(TimeDelta::zero(), served(pods)).await;
    let templates = [errors()];
    let past = read(&mock, request(&templates, "web-")).await.expect("a past");
    assert_eq!(past.complaints, [""; 0]);
    assert_eq!(past.pods.iter().collect::<Vec<_>>(), ["web-a", "web-b", "web-c"]);
    let ends: Vec<i64> = past.windows.iter().map(|one| one.window.ends_at.timestamp()).collect();
    assert!(ends.windows(2).all(|pair| pair[1] - pair[0] == SCRAPE), "{ends:?}");
    // 70 minutes, less what is not yet certain. The pods served long before, and so were warm.
    assert!((275..=279).contains(&ends.len()), "{}", ends.len());
    for (number, one) in past.windows.iter().enumerate() {
        let Counts::Cells(cells) = &one.window.counts else { panic!("no cells") };
        // A pod whose last sample lies before the beginning is counted from its next one on.
        assert!(cells.len() == 3 || (number == 0 && cells.len() == 2), "{cells:?}");
        assert!(cells.iter().all(|cell| cell.arm == Arm::Stable && cell.events == 30));
        assert_eq!((&*one.metric, &*one.cluster, one.stream), ("golden/errors", "eu", 0));
    }
    let bad: u64 = past.windows.iter().map(|one| one.window.arms().1.bad).sum();
    assert!((18..=24).contains(&bad), "{bad}");
    // Three pieces, and two selectors of each.
    let queries = mock.asked();
    assert_eq!(queries.len(), 1 + 2 * 3, "{queries:?}");
    assert!(queries.iter().any(|query| query.starts_with(r#"bad{pod=~"web-.*"}["#)), "{queries:?}");
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let label = json!([{"name": "errors", "compare": {"bad": "bad", "total": "all",
        "by": {"label": {"name": "service", "stable": "s", "canary": "c"}}}}]);
    let threshold = json!([{"name": "load", "threshold":
        {"query": "1", "pass": "result[0] < 2", "interval": "15s", "failureLimit": 0}}]);
    let mock = Mock::start(TimeDelta::zero(), served(&["web-a"])).await;
    let complaint = |past: StablePast| past.complaints.join("; ");
    let cases = [
        (template(&label), "web-", "use a template with by.pod"),
        (errors(), "web-", "no "),
        (errors(), "elsewhere-", "pod"),
        (template(&threshold), "", "no metric compares"),
    ];
    for (template, pods, expect) in cases {
        let templates = [template];
        let found = read(&mock, request(&templates, pods)).await.map(complaint);
        let text = found.unwrap_or_else(|error| error);
        assert!(text.contains(expect), "{pods}: {text}");
    }
    let templates = [errors()];
    let long = PastRequest { since: TimeDelta::hours(49), ..request(&templates, "") };
    assert!(read(&mock, long).await.expect_err("too long").contains("--since"));
    let refused = |_: &str| Reply::Status(422, r#"{"status":"error","error":"no"}"#.to_owned());
    let mock = Mock::start(TimeDelta::zero(), refused).await;
    let error = read(&mock, request(&templates, "")).await.expect_err("refused");
    assert!(error.contains("refused the query (no)"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_smaller_pieces() {
    let small = served(&["web-a", "web-b"]);
    let reply = move |query: &str| {
        let (_, seconds, _) = asked(query);
        if seconds > 1500 { Reply::Status(200, " ".repeat(17 << 20)) } else { small(query) }
    };
    let mock = Mock::start(TimeDelta::zero(), reply).await;
    let templates = [errors()];
    let past = read(&mock, request(&templates, "")).await.expect("a past");
    let ends: Vec<i64> = past.windows.iter().map(|one| one.window.ends_at.timestamp()).collect();
    assert!(ends.windows(2).all(|pair| pair[1] - pair[0] == SCRAPE), "{ends:?}");
    assert!(ends.len() > 265, "{}", ends.len());
}
