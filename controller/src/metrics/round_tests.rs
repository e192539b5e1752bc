mod gauges;
mod severity;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use lockflight_analysis::{
    Verdict,
    judge::Arm,
    reading::{PodFacts, Pods},
};
use lockflight_crds::{AnalysisTemplateSpec, EvidencePolicy};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    Desk, Evidence, GateRequest, GateState, Provider, Sources, Subject, evaluate,
    mock::{Mock, Reply, now, pass, provider, series},
    pace::ROUND_MAX,
    resolve,
};
use crate::judgement::{Judgement, Trial, judge_of};

fn by_pod() -> Value {
    json!({"name": "errors", "compare":
        {"bad": "bad", "total": "all", "by": {"pod": {}}, "warmUp": "0s"}})
}

fn threshold(query: &str, pass: &str, interval: &str, limit: u32) -> Value {
    json!({"name": "load", "threshold":
        {"query": query, "pass": pass, "interval": interval, "failureLimit": limit}})
}

/// A gate that opened 30 s ago, with canary pod `c` and stable pod `s`.
fn request(metrics: &[Value]) -> GateRequest {
    let spec: AnalysisTemplateSpec =
        serde_json::from_value(json!({ "metrics": metrics })).expect("a template");
    let subject = Subject { namespace: "shop", rollout: "checkout" };
    GateRequest {
        namespace: "shop".to_owned(),
        rollout: "checkout".to_owned(),
        cluster: "eu-west-1".to_owned(),
        revision: "6f9d".to_owned(),
        opened_at: now() - TimeDelta::seconds(30),
        both_arms: true,
        pods: pods(),
        analysis: vec![
            resolve("golden", &spec, subject, &BTreeMap::new()).expect("a sound template"),
        ],
    }
}

/// A canary pod that is as old as the gate, and a stable one that is older.
fn pods() -> Pods {
    let facts = |arm, age| {
        let at = now() - TimeDelta::seconds(age);
        let since = Some(at);
        PodFacts {
            created_at: since,
            first_traffic: since,
            ready_since: since,
            ..PodFacts::of(arm)
        }
    };
    Pods::from([("c".into(), facts(Arm::Canary, 29)), ("s".into(), facts(Arm::Stable, 900))])
}

/// The judge of a request, with windows of 5 s.
fn judgement(request: &GateRequest) -> Judgement {
    let policy = EvidencePolicy { episode: "20s".into(), ..EvidencePolicy::default() };
    let clusters = vec![request.cluster.as_str().into()];
    let judge = judge_of(&request.analysis, clusters, &policy);
    let trial = Trial { revision: request.revision.clone(), attempt: 1 };
    Judgement::open(trial, judge, None)
}

fn sources(provider: Provider) -> Sources {
    Sources::of(Arc::new(Desk::open(provider))).at(now)
}

async fn ask(provider: Provider, request: &GateRequest, state: &mut GateState) -> Evidence {
    evaluate(&sources(provider), request, state, &judgement(request)).await
}

/// A counter scraped every 5 s, the newest sample this many seconds old, that rose by `events`
/// in even steps since the gate opened.
fn counter(labels: &[(&str, &str)], newest: i64, events: f64) -> String {
    let risen = |n: i64| f64::from(i32::try_from((n - 3).max(0)).unwrap_or(0)) / 6.0;
    let samples: Vec<_> =
        (0..10).map(|n| (newest + 45 - 5 * n, 10.0 + (events * risen(n)).floor())).collect();
    series(labels, &samples)
}

fn matrix(series: &[String]) -> Reply {
    Reply::Result("matrix", format!("[{}]", series.join(",")))
}

/// Two pods and a stranger; so many bad events of 200 for the canary, and none of 1000 for stable.
fn two_pods(bad: f64, newest: i64) -> impl Fn(&str) -> Reply + Clone + Send + Sync + 'static {
    move |query| {
        if query.starts_with("bad[") {
            matrix(&[
                counter(&[("pod", "c")], newest, bad),
                counter(&[("pod", "stranger")], newest, 1e6),
            ])
        } else {
            matrix(&[
                counter(&[("pod", "c")], newest, 200.0),
                counter(&[("pod", "s")], newest, 1000.0),
                counter(&[("pod", "stranger")], newest, 1e6),
            ])
        }
    }
}

async fn check(
    mock: &Mock,
    request: &GateRequest,
    state: &mut GateState,
) -> (Verdict, String, Duration) {
    let evidence = ask(mock.provider("60s"), request, state).await;
    assert_eq!(evidence.opened_at, request.opened_at);
    let message = evidence.gate.metrics.first().expect("a metric").message.clone();
    (evidence.gate.verdict, message, evidence.next_round_in)
}

#[tokio::test]
async fn pods_are_compared_in_three_requests() {
    for (bad, newest, expect, message) in [
        (0.0, 1, Verdict::Pass, "evidence that it is good"),
        (199.0, 1, Verdict::Fail, "most of the canary's requests fail"),
        (260.0, 1, Verdict::Error, "total must count the bad ones too"),
    ] {
        let mock = Mock::start(TimeDelta::zero(), two_pods(bad, newest)).await;
        let mut state = GateState::default();
        let (verdict, text, wait) = check(&mock, &request(&[by_pod()]), &mut state).await;
        assert_eq!(verdict, expect, "{bad}: {text}");
        assert!(text.contains(message), "{text}");
        // Read back to the opening, six assumed scrape intervals and the tolerated skew; once for
        // each metric 240 windows of stable's past. The time is asked for the round and for each
        // set of samples.
        let samples = ["all[1200s]", "all[395s]", "bad[1200s]", "bad[395s]"];
        assert_eq!(mock.asked(), [&samples[..], &["time()"; 3]].concat());
        // The next scrape, and the moment that it takes until queries see it.
        assert_eq!(wait, Duration::from_millis(4020));
        check(&mock, &request(&[by_pod()]), &mut state).await;
        let asked = mock.asked();
        assert!(!asked.contains(&"all[395s]".to_owned()), "the interval is learned: {asked:?}");
    }
}

#[tokio::test]
async fn verdicts_are_the_same_at_every_phase_of_the_scrapes() {
    for phase in 0..20 {
        for (bad, expect) in [(0.0, Verdict::Pass), (199.0, Verdict::Fail)] {
            let mock = Mock::start(TimeDelta::zero(), two_pods(bad, 1)).await;
            let mut state = GateState::default();
            let (verdict, text, _) = check(&mock, &request(&[by_pod()]), &mut state).await;
            assert_eq!(verdict, expect, "phase {phase}: {text}");
        }
        pass(TimeDelta::milliseconds(250));
    }
}

#[tokio::test]
async fn windows_of_a_step_are_counted_once_and_say_where_the_evidence_stands() {
    let mock = Mock::start(TimeDelta::zero(), two_pods(0.0, 1)).await;
    let request = request(&[by_pod()]);
    let desk = sources(mock.provider("60s"));
    let judgement = judgement(&request);
    let mut state = GateState::default();
    let first = evaluate(&desk, &request, &mut state, &judgement).await;
    let compared = first.compared.expect("a comparison");
    // 30 s are open; the last 10 s are behind the watermark, and the first delta needs a base.
    assert!((2..=4).contains(&compared.step.windows), "{:?}", compared.step);
    assert!(compared.step.first_at.is_some_and(|at| at >= request.opened_at));
    assert!(compared.standing.crossed.is_none());
    let second = evaluate(&desk, &request, &mut state, &judgement).await;
    let again = second.compared.expect("a comparison");
    assert_eq!(again.step.windows, compared.step.windows, "no window counts twice");
    let status = judgement.status().status;
    assert_eq!((status.attempt, status.attempts), (1, 1));
}

#[tokio::test]
async fn metrics_that_ask_the_same_share_a_request() {
    let mock = Mock::start(TimeDelta::zero(), two_pods(0.0, 1)).await;
    let other =
        json!({"name": "slow", "compare": {"bad": "bad", "total": "all", "by": {"pod": {}}}});
    check(&mock, &request(&[by_pod(), other]), &mut GateState::default()).await;
    // The time for the round, for the history and for the samples; both counters of the last two.
    assert_eq!(mock.asked().len(), 7);
}

#[tokio::test]
async fn labels_tell_aggregated_arms_apart() {
    let mock = Mock::start(TimeDelta::zero(), |query: &str| {
        let proxy = |arm: &str, events| counter(&[("arm", arm), ("instance", "p")], 1, events);
        if query.starts_with("bad[") {
            matrix(&[proxy("new", 190.0), proxy("other", 1e6)])
        } else {
            matrix(&[proxy("new", 200.0), proxy("old", 1000.0), proxy("other", 1e6)])
        }
    })
    .await;
    let metric = |name: &str| {
        json!({"name": "gateway", "compare": {"bad": "bad", "total": "all",
            "by": {"label": {"name": name, "stable": "old", "canary": "new"}}}})
    };
    let mut state = GateState::default();
    let (verdict, text, _) = check(&mock, &request(&[metric("arm")]), &mut state).await;
    assert_eq!(verdict, Verdict::Fail, "{text}");
    let mut state = GateState::default();
    let (verdict, text, _) = check(&mock, &request(&[metric("arms")]), &mut state).await;
    assert_eq!(verdict, Verdict::NoData);
    assert!(text.contains("has the label arms"), "{text}");
}

#[tokio::test]
async fn without_stable_only_events_are_counted() {
    let mock = Mock::start(TimeDelta::zero(), two_pods(200.0, 1)).await;
    let request = GateRequest { both_arms: false, ..request(&[by_pod()]) };
    let evidence = ask(mock.provider("60s"), &request, &mut GateState::default()).await;
    assert_eq!((evidence.gate.verdict, evidence.gate.samples), (Verdict::Pass, Some(200)));
    assert_eq!(mock.asked(), ["all[395s]", "time()", "time()"]);
}

#[tokio::test]
async fn thresholds_are_evaluated_at_their_interval() {
    let mock = Mock::start(TimeDelta::zero(), |_: &str| {
        Reply::Result("vector", r#"[{"metric":{},"value":[1,"0.9"]}]"#.to_owned())
    })
    .await;
    // Three failures in a row at every turn; then not asked again before the next one.
    let often = request(&[threshold("load", "result[0] < 0.8", "0s", 2)]);
    let mut state = GateState::default();
    for expect in [Verdict::Watch, Verdict::Watch, Verdict::Fail] {
        let (verdict, text, wait) = check(&mock, &often, &mut state).await;
        assert_eq!((verdict, wait), (expect, Duration::from_millis(100)), "{text}");
    }
    assert_eq!(mock.asked().len(), 6);
    let next_step = GateRequest { opened_at: now(), ..often };
    let (verdict, ..) = check(&mock, &next_step, &mut state).await;
    assert_eq!(verdict, Verdict::Watch, "another step starts over");

    let rarely = request(&[threshold("load", "result[0] < 0.8", "1h", 2)]);
    let mut state = GateState::default();
    check(&mock, &rarely, &mut state).await;
    mock.asked();
    let (verdict, text, wait) = check(&mock, &rarely, &mut state).await;
    assert_eq!(verdict, Verdict::Watch);
    assert!(text.contains("failure 1 of 2"), "{text}");
    assert_eq!(wait, ROUND_MAX);
    assert_eq!(mock.asked(), ["time()"]);
}

#[tokio::test]
async fn what_a_threshold_cannot_judge_holds() {
    let value =
        |value: &'static str| move |_: &str| Reply::Result("scalar", format!("[1,\"{value}\"]"));
    let load = |query| request(&[threshold(query, "result[0] < 0.8", "0s", 0)]);
    let (load_now, load_back) = (load("load"), load("rate(load[5m])"));
    let mut state = GateState::default();

    let mock = Mock::start(TimeDelta::zero(), value("NaN")).await;
    let (verdict, text, _) = check(&mock, &load_now, &mut state).await;
    assert_eq!(verdict, Verdict::NoData, "{text}");

    let empty = |_: &str| Reply::Result("vector", "[]".to_owned());
    let mock = Mock::start(TimeDelta::zero(), empty).await;
    let (verdict, text, _) = check(&mock, &load_now, &mut state).await;
    assert_eq!(verdict, Verdict::NoData, "{text}");

    let mock = Mock::start(TimeDelta::zero(), value("0.9")).await;
    let (verdict, text, _) = check(&mock, &load_back, &mut state).await;
    assert_eq!(verdict, Verdict::Watch);
    assert!(text.contains(": evidence reaches back before the step: until "), "{text}");
    let (verdict, text, _) = check(&mock, &load("rate(load[{{window}}])"), &mut state).await;
    assert_eq!(verdict, Verdict::Fail, "{text}");
    assert!(mock.asked().contains(&"rate(load[30s])".to_owned()));
}

#[tokio::test]
async fn a_refused_query_says_so_and_the_others_are_judged() {
    let mock = Mock::start(TimeDelta::zero(), |query: &str| {
        if query == "broken(" {
            let body =
                r#"{"status":"error","errorType":"bad_data","error":"unclosed parenthesis"}"#;
            Reply::Status(422, body.to_owned())
        } else {
            two_pods(199.0, 1)(query)
        }
    })
    .await;
    let request = request(&[threshold("broken(", "true", "1s", 0), by_pod()]);
    let (verdict, text, _) = check(&mock, &request, &mut GateState::default()).await;
    assert_eq!(verdict, Verdict::Fail, "the other metric still decides");
    assert!(text.contains("unclosed parenthesis"), "{text}");
    assert!(
        text.starts_with("load: http://127.0.0.1:") && text.contains("AnalysisTemplate"),
        "{text}"
    );
}

#[tokio::test]
async fn clocks_that_differ_are_no_data() {
    for (ahead, expect) in [(-8, Verdict::NoData), (8, Verdict::NoData), (3, Verdict::Fail)] {
        let mock = Mock::start(TimeDelta::seconds(ahead), two_pods(199.0, 1)).await;
        let mut state = GateState::default();
        let (verdict, text, _) = check(&mock, &request(&[by_pod()]), &mut state).await;
        assert_eq!(verdict, expect, "{ahead}: {text}");
        assert_eq!(text.contains("clock skew"), expect == Verdict::NoData, "{text}");
    }
}

#[tokio::test]
async fn a_provider_that_is_gone_is_an_error_and_asked_ever_more_rarely() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", port.local_addr().expect("its address"));
    drop(port);
    let gone = provider(&address, "60s");
    let mut state = GateState::default();
    for wait_s in [1, 2, 4, 8, 15, 15] {
        let evidence = ask(gone.clone(), &request(&[by_pod()]), &mut state).await;
        assert_eq!(evidence.gate.verdict, Verdict::Error);
        assert_eq!(evidence.next_round_in, Duration::from_secs(wait_s));
        let decisive = evidence.gate.decisive.expect("a reason").message;
        assert!(decisive.contains(&address) && decisive.contains("MetricProvider"), "{decisive}");
    }
}

#[tokio::test]
async fn the_first_samples_of_a_step_are_waited_for() {
    let mock = Mock::start(TimeDelta::zero(), |query: &str| match query {
        "load" => Reply::Result("vector", "[]".to_owned()),
        _ => matrix(&[counter(&[("pod", "s")], 1, 1000.0)]),
    })
    .await;
    for metric in [by_pod(), threshold("load", "result[0] < 0.8", "0s", 0)] {
        for (open_for, expect) in [(3, Verdict::Watch), (16, Verdict::NoData)] {
            let opened_at = now() - TimeDelta::seconds(open_for);
            let request = GateRequest { opened_at, ..request(std::slice::from_ref(&metric)) };
            let (verdict, text, _) = check(&mock, &request, &mut GateState::default()).await;
            assert_eq!(verdict, expect, "{text}");
        }
    }
}

#[tokio::test]
async fn stable_tells_when_the_canary_is_scraped_until_the_canary_does() {
    // The ages of the canary's samples; the longest wait in ms, and the shortest.
    for (ages, at_most, at_least) in [(vec![2], 3_100, 100), (Vec::new(), 1_250, 1_250)] {
        let mock = Mock::start(TimeDelta::zero(), move |_: &str| {
            let samples: Vec<_> = ages.iter().map(|age| (*age, 50.0)).collect();
            let canary = series(&[("pod", "c")], &samples);
            let stable = counter(&[("pod", "s")], 1, 1000.0);
            matrix(&if samples.is_empty() { vec![stable] } else { vec![canary, stable] })
        })
        .await;
        let (_, _, wait) = check(&mock, &request(&[by_pod()]), &mut GateState::default()).await;
        let limits = Duration::from_millis(at_least)..=Duration::from_millis(at_most);
        assert!(limits.contains(&wait), "{wait:?}");
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let mock = Mock::start(TimeDelta::zero(), |_: &str| Reply::Silence).await;
    let request = request(&[by_pod()]);
    let evidence = ask(mock.provider("150ms"), &request, &mut GateState::default()).await;
    assert_eq!(evidence.gate.verdict, Verdict::Error);
    let decisive = evidence.gate.decisive.expect("a reason").message;
    assert!(decisive.contains("did not answer in 150 ms"), "{decisive}");
}

#[tokio::test]
async fn a_gate_without_metrics_asks_only_the_time() {
    let mock = Mock::start(TimeDelta::zero(), |_: &str| Reply::Silence).await;
    let request = GateRequest { analysis: vec![], ..request(&[]) };
    let evidence = ask(mock.provider("60s"), &request, &mut GateState::default()).await;
    assert_eq!(evidence.gate.verdict, Verdict::Pass);
    assert_eq!(mock.asked(), ["time()"]);
}
