//! Gauges in a round.

use super::*;

fn memory(more: &Value) -> Value {
    let mut compare = json!({"gauge": "memory", "by": {"pod": {}}, "warmUp": "0s"});
    let fields = compare.as_object_mut().expect("fields");
    fields.extend(more.as_object().expect("fields").clone());
    json!({"name": "memory", "compare": compare})
}

/// What a pod shows in the scrapes of the last `seconds`, one every 5 s.
fn shows(pod: &str, seconds: i64, value: f64) -> String {
    let samples: Vec<_> = (0..seconds / 5).rev().map(|n| (1 + 5 * n, value)).collect();
    series(&[("pod", pod)], &samples)
}

/// Both pods, the canary's for as long as it has been there.
fn both(canary: f64, stable: f64) -> impl Fn(&str) -> Reply + Clone + Send + Sync + 'static {
    let born = now() - TimeDelta::seconds(29);
    move |_| {
        let age = (now() - born).num_seconds();
        matrix(&[shows("c", age, canary), shows("s", 390, stable), shows("stranger", 390, 1e9)])
    }
}

/// Looks every 5 s until the metric is not `Pass` any more, or so many times.
async fn follow(
    sources: &Sources,
    request: &GateRequest,
    state: &mut GateState,
    judgement: &Judgement,
    rounds: usize,
) -> Evidence {
    let mut last = evaluate(sources, request, state, judgement).await;
    for _ in 0..rounds {
        if last.gate.verdict == Verdict::Fail {
            break;
        }
        pass(TimeDelta::seconds(5));
        last = evaluate(sources, request, state, judgement).await;
    }
    last
}

#[tokio::test]
async fn twice_the_memory_is_taken_back_and_as_much_passes() {
    let given = json!({"above": "150"});
    for (more, level) in [(json!({}), "125.000"), (given, "150.000")] {
        for (value, expect) in [(200.0, Verdict::Fail), (100.0, Verdict::Pass)] {
            let request = request(&[memory(&more)]);
            let mock = Mock::start(TimeDelta::zero(), both(value, 100.0)).await;
            let (sources, judgement) = (sources(mock.provider("60s")), judgement(&request));
            let mut state = GateState::default();
            let last = follow(&sources, &request, &mut state, &judgement, 80).await;
            let metric = last.gate.metrics.first().expect("a metric");
            assert_eq!(last.gate.verdict, expect, "{value}: {}", metric.message);
            let told = format!("windows of pods above {level}");
            assert!(metric.observed.ends_with(&told), "{}", metric.observed);
            assert!(metric.limit.starts_with("stable: 0 of "), "{}", metric.limit);
            assert_eq!(last.gate.samples, None, "no step waits for a number of windows of pods");
            let standing = last.compared.expect("a comparison").standing;
            let favoured = standing.in_favour_ln >= standing.in_favour_bar_ln;
            assert_eq!(favoured, expect == Verdict::Pass, "{}", standing.sentence);
        }
    }
}

#[tokio::test]
async fn a_gauge_costs_one_request_a_round_however_many_ask() {
    let mut other = memory(&json!({}));
    other["name"] = json!("again");
    let request = request(&[memory(&json!({})), other]);
    let mock = Mock::start(TimeDelta::zero(), both(100.0, 100.0)).await;
    let (sources, judgement) = (sources(mock.provider("60s")), judgement(&request));
    let mut state = GateState::default();
    follow(&sources, &request, &mut state, &judgement, 0).await;
    // The time of the round and of the samples, and the samples; stable's past is in them.
    assert_eq!(mock.asked(), ["memory[395s]", "time()", "time()"]);
}

#[tokio::test]
async fn the_level_outlives_the_hub_and_not_the_attempt() {
    let request = request(&[memory(&json!({}))]);
    let mock = Mock::start(TimeDelta::zero(), both(100.0, 100.0)).await;
    let known = judgement(&request);
    let mut state = GateState::default();
    follow(&sources(mock.provider("60s")), &request, &mut state, &known, 10).await;
    let status = known.status().status;
    let (name, of_metric) = status.levels.first_key_value().expect("a level");
    assert_eq!((status.levels.len(), of_metric["eu-west-1"].as_str()), (1, "125"));
    assert!(name.starts_with("golden/memory@"), "{name}");

    // With most of the traffic gone stable's pods show less than ever.
    let quiet = Mock::start(TimeDelta::zero(), both(100.0, 40.0)).await;
    for (attempt, expect) in [(1, 125.0), (2, 50.0)] {
        let trial = Trial { revision: request.revision.clone(), attempt };
        let judge = known.judge().clone();
        let resumed = Judgement::open(trial, judge, Some((&status).into()));
        let (sources, mut state) = (sources(quiet.provider("60s")), GateState::default());
        let last = follow(&sources, &request, &mut state, &resumed, 6).await;
        assert_eq!(resumed.level(name, "eu-west-1"), Some(expect), "{attempt}");
        assert!(last.compared.is_some_and(|compared| compared.step.windows > 0), "{attempt}");
    }
}

#[tokio::test]
async fn a_source_without_the_series_says_which_field_to_look_at() {
    let none = |_: &str| matrix(&[]);
    let only_stable = |_: &str| matrix(&[shows("s", 390, 100.0)]);
    let stranger = |_: &str| matrix(&[shows("stranger", 390, 100.0)]);
    let cases = [
        (Mock::start(TimeDelta::zero(), none).await, "no series of gauge for the canary: check"),
        (Mock::start(TimeDelta::zero(), only_stable).await, "no series of gauge for the canary"),
        (Mock::start(TimeDelta::zero(), stranger).await, "check the selector and label pod"),
    ];
    for (mock, expect) in cases {
        let request = request(&[memory(&json!({}))]);
        let (verdict, text, _) = check(&mock, &request, &mut GateState::default()).await;
        assert_eq!(verdict, Verdict::NoData, "{text}");
        assert!(text.starts_with("memory: ") && text.contains(expect), "{text}");
    }
}

#[tokio::test]
async fn without_stable_a_gauge_is_not_compared() {
    let mock = Mock::start(TimeDelta::zero(), both(200.0, 100.0)).await;
    let request = GateRequest { both_arms: false, ..request(&[memory(&json!({}))]) };
    let evidence = ask(mock.provider("60s"), &request, &mut GateState::default()).await;
    assert_eq!((evidence.gate.verdict, evidence.gate.samples), (Verdict::Pass, None));
    assert!(evidence.gate.metrics[0].message.contains("nothing to compare with"));
}

#[tokio::test]
async fn an_edited_template_gets_a_level_of_its_own() {
    let before = request(&[memory(&json!({}))]);
    // Another series, another margin, and nothing that concerns the level.
    let cases = [
        (json!({"gauge": "queue"}), 5.0, "another series"),
        (
            json!({"tolerate": {"ratio": "2", "difference": "0.05"},
            "ruleOut": {"ratio": "3", "difference": "0.2"}}),
            200.0,
            "another margin",
        ),
        (json!({"ruleOut": {"ratio": "3", "difference": "0.2"}}), 125.0, "the same level"),
    ];
    for (edit, expect, what) in cases {
        let shown = |query: &str| {
            let (canary, stable) =
                if query.starts_with("queue") { (4.0, 4.0) } else { (100.0, 100.0) };
            matrix(&[shows("c", 390, canary), shows("s", 390, stable)])
        };
        let mock = Mock::start(TimeDelta::zero(), shown).await;
        let known = judgement(&before);
        let (sources, mut state) = (sources(mock.provider("60s")), GateState::default());
        follow(&sources, &before, &mut state, &known, 6).await;
        let after = request(&[memory(&edit)]);
        // The hub that has seen the edit, and one that starts again after it.
        let status = known.status().status;
        let trial = known.trial().clone();
        let again = Judgement::open(trial, known.judge().clone(), Some((&status).into()));
        for (judgement, mut state) in [(&known, state), (&again, GateState::default())] {
            follow(&sources, &after, &mut state, judgement, 6).await;
            let levels = judgement.status().status.levels;
            assert_eq!(levels.len(), 1, "{what}: {levels:?}");
            let level = levels.values().next().and_then(|of| of.get("eu-west-1"));
            let level = level.and_then(|level| level.parse::<f64>().ok());
            assert_eq!(level, Some(expect), "{what}");
        }
    }
}
