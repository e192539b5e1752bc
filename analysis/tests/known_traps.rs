//! What passed or aborted releases wrongly in Argo Rollouts and Flagger, by issue number, under
//! our own conditions: it holds, or it waits for evidence.

#![allow(clippy::expect_used, reason = "a test may stop at what cannot be")]

use lockflight_analysis::compat::flagger::{
    AnalysisRule, Check, CheckKind, Decision, Limits, NoData, Reading, Stage, TickInput, TickState,
    tick,
};
use lockflight_analysis::{Condition, MetricVerdict, Verdict, gate, threshold};

fn judge(text: &str, values: &[f64], previous: u32) -> (MetricVerdict, u32) {
    threshold("errors", &Condition::compile(text).expect(text), values, 0, previous)
}

/// Neither good nor bad, and the number of failures as before.
fn holds(text: &str, values: &[f64], verdict: Verdict) {
    for previous in [0, 3] {
        let (metric, after) = judge(text, values, previous);
        assert_eq!((metric.verdict, after), (verdict, previous), "{text} {values:?}");
        let gate = gate(vec![metric]);
        assert!(!matches!(gate.verdict, Verdict::Pass | Verdict::Fail | Verdict::Watch));
    }
}

#[test]
fn nan_with_only_a_failure_condition_is_no_data() {
    // What a failure condition alone comes to when it is carried over: not (x > limit).
    for text in ["!(result[0] > 0.05)", "result[0] <= 0.05", "result.all(x, !(x > 0.05))"] {
        holds(text, &[f64::NAN], Verdict::NoData);
    }
}

#[test]
fn argo_1466_2101_3503_1548_an_empty_vector_is_no_data() {
    for text in ["result[0] < 0.05", "size(result) == 0 || result[0] < 0.05", "true"] {
        holds(text, &[], Verdict::NoData);
    }
}

#[test]
fn argo_1905_180_no_data_holds_until_there_is_some() {
    let (_, failures) = judge("result[0] < 0.05", &[], 2);
    assert_eq!(judge("result[0] < 0.05", &[0.01], failures).0.verdict, Verdict::Pass);
}

#[test]
fn argo_4479_errors_are_neither_counted_nor_passed() {
    let mut failures = 0;
    for _ in 0..20 {
        let (metric, after) = judge("result[1] < 0.05", &[0.01], failures);
        assert_eq!(metric.verdict, Verdict::Error);
        failures = after;
    }
    assert_eq!(failures, 0);
    assert_eq!(judge("result[0] < 0.05", &[0.9], failures).0.verdict, Verdict::Fail);
}

#[test]
fn argo_4792_failures_count_in_a_row_only() {
    let condition = Condition::compile("result[0] < 0.05").expect("valid");
    let mut failures = 0;
    for _ in 0..20 {
        for (value, verdict) in [(0.9, Verdict::Watch), (0.01, Verdict::Pass)] {
            let (metric, after) = threshold("errors", &condition, &[value], 1, failures);
            assert_eq!(metric.verdict, verdict);
            failures = after;
        }
    }
}

#[test]
fn argo_1329_2158_one_metric_without_data_holds_the_whole_gate() {
    let good = judge("result[0] < 0.05", &[0.01], 0).0;
    let none = judge("result[0] < 0.05", &[], 0).0;
    let gate = gate(vec![good, none]);
    assert_eq!(gate.verdict, Verdict::NoData);
    assert_eq!(gate.decisive.expect("a reason").verdict, Verdict::NoData);
}

#[test]
fn flagger_1098_1011_stopped_traffic_does_not_advance() {
    holds("result[0] >= 99.0", &[f64::NAN], Verdict::NoData);
    holds("result[0] <= 500.0", &[f64::INFINITY], Verdict::NoData);
    holds("result[0] <= 500.0", &[f64::NEG_INFINITY], Verdict::NoData);
}

#[test]
fn flagger_multi_series_each_value_is_seen() {
    assert_eq!(judge("result.all(x, x < 0.05)", &[0.9, 0.01], 0).0.verdict, Verdict::Fail);
    holds("result.all(x, x < 0.05)", &[0.01, f64::NAN], Verdict::NoData);
}

/// Flagger's machine with our two additions: no traffic neither rolls back nor advances.
#[test]
fn flagger_1035_1353_1689_883_no_traffic_holds() {
    let limits = Limits::Range { min: Some(99.0), max: None };
    let check = Check { name: "rate".to_owned(), kind: CheckKind::RequestSuccessRate, limits };
    let rule = AnalysisRule {
        checks: vec![check],
        threshold: 1,
        failed_check_decay: 1,
        no_data: NoData::default(),
    };
    let mut state = TickState::default();
    for reading in [Reading::NoValues, Reading::QueryFailed, Reading::Value(f64::NAN)] {
        let input = TickInput {
            stage: Stage::Progressing,
            has_traffic: true,
            webhooks: &[],
            readings: &[reading],
        };
        let (after, decision) = tick(&rule, state, &input);
        assert_eq!((after, decision), (TickState::default(), Decision::Hold(0)), "{reading:?}");
        state = after;
    }
}
