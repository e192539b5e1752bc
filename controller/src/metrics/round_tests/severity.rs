//! Metrics that only inform, stable's own health, and thresholds of Argo Rollouts in a round.

use super::*;

fn informing(mut metric: Value) -> Value {
    metric["severity"] = json!("Info");
    metric
}

/// A comparison of counters that nobody has.
fn unseen() -> Value {
    json!({"name": "unseen", "compare": {"bad": "none", "total": "none", "by": {"pod": {}}}})
}

#[tokio::test]
async fn what_only_informs_is_shown_and_decides_nothing() {
    let mock = Mock::start(TimeDelta::zero(), |query: &str| match query {
        "load" => Reply::Result("scalar", r#"[1,"0.9"]"#.to_owned()),
        query if query.starts_with("none[") => matrix(&[]),
        query => two_pods(199.0, 1)(query),
    })
    .await;
    // Each of these would hold the release or take it back.
    let cases = [
        (informing(by_pod()), Verdict::Fail, "most of the canary's requests fail"),
        (informing(unseen()), Verdict::NoData, "unseen"),
        (informing(threshold("load", "result[0] < 0.8", "0s", 0)), Verdict::Fail, "does not hold"),
    ];
    for (metric, shown, message) in cases {
        let request = request(&[metric]);
        let evidence = ask(mock.provider("5s"), &request, &mut GateState::default()).await;
        assert_eq!(evidence.gate.verdict, Verdict::Pass, "{message}");
        assert_eq!((evidence.gate.samples, evidence.compared), (None, None), "{message}");
        assert!(evidence.gate.decisive.is_none() && !evidence.fleet);
        let metric = &evidence.gate.metrics[0];
        assert_eq!(metric.verdict, shown, "{metric:?}");
        assert!(metric.message.contains(message), "{metric:?}");
    }
}

#[tokio::test]
async fn no_step_waits_for_the_windows_of_what_only_informs() {
    let mock = Mock::start(TimeDelta::zero(), |query: &str| {
        if query.starts_with("none[") { matrix(&[]) } else { two_pods(0.0, 1)(query) }
    })
    .await;
    for (metrics, counts) in
        [(vec![by_pod(), informing(unseen())], true), (vec![by_pod(), unseen()], false)]
    {
        let request = request(&metrics);
        let evidence = ask(mock.provider("5s"), &request, &mut GateState::default()).await;
        let step = evidence.compared.expect("a comparison").step;
        assert_eq!((step.windows > 0, step.first_at.is_some()), (counts, counts), "{step:?}");
        assert_eq!(evidence.gate.verdict == Verdict::Pass, counts);
    }
}

#[tokio::test]
async fn while_stable_itself_is_unwell_the_release_waits() {
    // Of 1000 events of stable 100 are bad, and nearly all of the canary's.
    let mock = Mock::start(TimeDelta::zero(), |query: &str| {
        if query.starts_with("bad[") {
            let (canary, stable) = (&[("pod", "c")], &[("pod", "s")]);
            matrix(&[counter(canary, 1, 199.0), counter(stable, 1, 100.0)])
        } else {
            two_pods(0.0, 1)(query)
        }
    })
    .await;
    for (limit, expect, message) in [
        (Some("0.05"), Verdict::NoData, "errors: stable itself is unwell"),
        (Some("0.2"), Verdict::Fail, "most of the canary's requests fail"),
        (None, Verdict::Fail, "most of the canary's requests fail"),
    ] {
        let mut metric = by_pod();
        if let Some(limit) = limit {
            metric["compare"]["stableHealth"] = json!(limit);
        }
        let mut state = GateState::default();
        let (verdict, text, _) = check(&mock, &request(&[metric]), &mut state).await;
        assert_eq!(verdict, expect, "{limit:?}: {text}");
        assert!(text.starts_with(message) || text.contains(message), "{text}");
    }
}

#[tokio::test]
async fn a_threshold_of_argo_asks_when_it_is_due_and_counts_a_silent_source() {
    let metric = |fields: Value| json!({"name": "m", "threshold": {"query": "m", "argo": fields}});
    let mock = Mock::start(TimeDelta::zero(), |_: &str| {
        Reply::Result("vector", r#"[{"metric":{},"value":[1,"0.99"]}]"#.to_owned())
    })
    .await;
    let counted =
        metric(json!({"successCondition": "result[0] >= 0.95", "interval": "2s", "count": 2}));
    let (asking, mut state) = (request(&[counted]), GateState::default());
    let (verdict, text, wait) = check(&mock, &asking, &mut state).await;
    assert_eq!(verdict, Verdict::Watch, "{text}");
    assert!(wait > Duration::from_millis(1_500) && wait <= Duration::from_secs(2), "{wait:?}");
    assert_eq!(mock.asked(), ["m", "time()"]);
    check(&mock, &asking, &mut state).await;
    assert_eq!(mock.asked(), ["time()"], "not before its interval has passed");

    let between = metric(json!({"successCondition": "result[0] > 1",
        "failureCondition": "result[0] < 0"}));
    for (metrics, undecided) in [
        (vec![between.clone()], true),
        (vec![between.clone(), threshold("m", "result[0] < 1.0", "0s", 0)], true),
        (vec![between.clone(), threshold("m", "result[0] < 0.5", "0s", 9)], false),
        (vec![informing(between)], false),
    ] {
        let request = request(&metrics);
        let evidence = ask(mock.provider("5s"), &request, &mut GateState::default()).await;
        assert_eq!(evidence.undecided, undecided, "{:?}", evidence.gate);
    }

    let silent = Mock::start(TimeDelta::zero(), |_: &str| Reply::Status(503, String::new())).await;
    let patient = metric(json!({"successCondition": "result[0] >= 0.95"}));
    let mut state = GateState::default();
    let (verdict, text, _) = check(&silent, &request(&[patient]), &mut state).await;
    assert_eq!(verdict, Verdict::Error, "{text}");
    assert!(text.contains("1 errors in a row, consecutiveErrorLimit is 4"), "{text}");
    let strict = metric(json!({"consecutiveErrorLimit": 0}));
    let mut state = GateState::default();
    let (verdict, text, _) = check(&silent, &request(&[strict]), &mut state).await;
    assert_eq!(verdict, Verdict::Fail, "{text}");
}
