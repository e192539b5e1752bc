//! What thresholds have counted outlives the hub.

use lockflight_analysis::Verdict;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{Play, argo, flagger};
use crate::metrics::GateState;

/// A hub that starts again: all that it knows is what the status keeps.
fn restart(play: &mut Play) {
    let counted = play.state.counted().expect("thresholds");
    play.state = GateState::default();
    play.state.count_on(&counted.state, &play.request.revision);
}

/// Rules of every kind of limit.
fn rules() -> Vec<Value> {
    let success = "result[0] >= 0.95";
    let both = json!({"successCondition": success, "failureCondition": "result[0] < 0.5",
        "interval": "10s", "count": 12, "failureLimit": 3, "inconclusiveLimit": 3,
        "consecutiveErrorLimit": 2});
    let endless = json!({"successCondition": success, "interval": "20s", "failureLimit": 4});
    let in_a_row = json!({"successCondition": success, "interval": "10s", "failureLimit": -1,
        "consecutiveSuccessLimit": 3, "count": 20});
    vec![both, endless, in_a_row]
}

fn check(kind: &str, end: &str, limit: &str) -> Value {
    json!({"kind": kind, "thresholdRange": {end: limit}})
}

/// One of each, and an analysis of Flagger with two checks.
fn templates() -> Value {
    let mut metrics: Vec<Value> =
        rules().iter().zip(["a", "b", "c"]).map(|(rule, name)| argo(name, rule)).collect();
    metrics.push(flagger("e", &check("Template", "min", "0.9")));
    metrics.push(flagger("f", &check("RequestSuccessRate", "max", "0.99")));
    json!({"metrics": metrics, "flagger": {"interval": "10s", "threshold": 4,
        "failedCheckDecay": 1}})
}

/// An answer to every metric: good, bad, between, empty, or none.
fn answer() -> impl Strategy<Value = Option<Vec<f64>>> {
    prop_oneof![
        4 => Just(Some(vec![0.99])),
        1 => Just(Some(vec![0.1])),
        1 => Just(Some(vec![0.7])),
        1 => Just(Some(Vec::new())),
        1 => Just(None),
    ]
}

proptest! {
    // A case is up to forty rounds of five metrics in two gates.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_restart_changes_no_verdict(
        rounds in prop::collection::vec(
            (prop::collection::vec(answer(), 5), any::<bool>(), 0..20_u8), 1..40),
    ) {
        let (mut kept, mut restarted) = (Play::new(&templates()), Play::new(&templates()));
        for ((answers, restarts, step), second) in rounds.into_iter().zip((0..).step_by(5)) {
            if step == 0 {
                kept.open(second);
                restarted.open(second);
            }
            let names = ["a", "b", "c", "e", "f"].into_iter().zip(&answers);
            let given: Vec<(&str, &[f64])> =
                names.filter_map(|(name, values)| Some((name, values.as_deref()?))).collect();
            let (asked, verdicts, _) = kept.round(second, &given);
            let (asked_again, verdicts_again, _) = restarted.round(second, &given);
            prop_assert_eq!(asked, asked_again, "{}", second);
            prop_assert_eq!(verdicts, verdicts_again, "{}", second);
            if restarts {
                restart(&mut restarted);
            }
        }
    }

    #[test]
    fn any_bytes_are_counted_on_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..120), version in 0..3_u8,
    ) {
        let bytes: Vec<u8> = [version].into_iter().chain(bytes).collect();
        let mut play = Play::new(&templates());
        play.state.count_on(&bytes, "6f9d");
        play.round(0, &[("a", &[0.99])]);
    }
}

#[test]
fn a_failure_limit_holds_over_restarts() {
    let rule = json!({"successCondition": "result[0] >= 0.95", "interval": "10s",
        "failureLimit": 2});
    let mut play = Play::metrics(&[argo("m", &rule)]);
    let failures = (0..3).map(|number| {
        let (_, verdicts, messages) = play.round(10 * number, &[("m", &[0.1])]);
        restart(&mut play);
        (verdicts[0], messages[0].clone())
    });
    let seen: Vec<_> = failures.collect();
    assert_eq!(seen[1].0, Verdict::Watch, "{seen:?}");
    assert_eq!(seen[2].0, Verdict::Fail, "{seen:?}");
    assert!(seen[2].1.contains("3 failed measurements, failureLimit is 2"), "{seen:?}");
}

#[test]
fn another_step_counts_anew_and_the_attempt_goes_on() {
    let of_step = json!({"successCondition": "result[0] >= 0.95", "interval": "10s", "count": 3,
        "failureLimit": 1});
    let of_attempt = json!({"successCondition": "result[0] >= 0.95", "interval": "10s",
        "failureLimit": 1});
    let mut play = Play::metrics(&[argo("step", &of_step), argo("attempt", &of_attempt)]);
    play.round(0, &[("step", &[0.1]), ("attempt", &[0.1])]);
    restart(&mut play);
    play.open(60);
    let (_, verdicts, _) = play.round(60, &[("step", &[0.1]), ("attempt", &[0.1])]);
    assert_eq!(verdicts, [Verdict::Watch, Verdict::Fail]);
}

#[test]
fn only_what_speaks_against_the_release_has_to_be_written_at_once() {
    let rule = json!({"successCondition": "result[0] >= 0.95", "interval": "10s",
        "failureLimit": 2});
    let mut play = Play::metrics(&[argo("m", &rule)]);
    let against = |play: &Play| play.state.counted().expect("a threshold").against;
    play.round(0, &[("m", &[0.99])]);
    let before = against(&play);
    play.round(10, &[("m", &[0.99])]);
    assert_eq!(against(&play), before, "a success");
    play.round(20, &[("m", &[0.1])]);
    let failed = against(&play);
    assert_ne!(failed, before, "a failure");
    play.round(30, &[]);
    let error = against(&play);
    assert_ne!(error, failed, "an error");
    play.round(40, &[("m", &[0.99])]);
    assert_ne!(against(&play), error, "the errors in a row are over");
}

#[test]
fn counters_are_small() {
    let metrics: Vec<Value> = (0..10).map(|n| argo(&format!("metric-{n}"), &rules()[0])).collect();
    let mut play = Play::metrics(&metrics);
    for number in 0..5 {
        play.round(10 * number, &[]);
    }
    let bytes = play.state.counted().expect("thresholds").state.len();
    println!("{bytes} bytes for ten metrics");
    assert!(bytes <= 400, "{bytes}");
}
