//! Conditions and what they give: the examples of Argo's documentation, more of our own, and what is
//! refused.

#![allow(clippy::panic, reason = "a test may stop at what cannot be")]

use lockflight_analysis::compat::argo::{Conditions, Expression, Measured, Phase, Trap};
use proptest::prelude::*;

fn vector(values: &[f64]) -> Measured {
    Measured::Vector(values.to_vec())
}

fn conditions(success: &str, failure: &str) -> Conditions {
    let compile = |text: &str| {
        (!text.is_empty())
            .then(|| Expression::compile(text).unwrap_or_else(|e| panic!("{text}: {e}")))
    };
    Conditions { success: compile(success), failure: compile(failure) }
}

fn check(rows: &[(&str, &str, Measured, Phase)]) {
    for (success, failure, result, phase) in rows {
        let (got, error) = conditions(success, failure).phase(result);
        assert_eq!(got, *phase, "{success} | {failure} | {result:?} {error:?}");
        assert_eq!(error.is_some(), got == Phase::Error);
    }
}

/// The examples that Argo's page "Analysis & Progressive Delivery" gives with their phase: NaN,
/// infinity, empty answers, failure conditions, inconclusive runs. Its `default(result, 0)` for a
/// source without an answer is left out: no source of ours gives nil.
#[test]
fn the_examples_of_argos_documentation_give_their_phases() {
    use Phase::{Failed, Inconclusive, Successful};
    let (nan, infinity) = (Measured::Scalar(f64::NAN), Measured::Scalar(f64::INFINITY));
    check(&[
        ("isNaN(result) || result >= 0.95", "", nan.clone(), Successful),
        ("result >= 0.95", "result < 0.95", nan.clone(), Inconclusive),
        ("result >= 0.95", "", nan, Failed),
        ("result >= 0.95", "", infinity.clone(), Successful),
        ("", "isInf(result)", infinity, Failed),
        ("len(result) == 0 || result[0] >= 0.95", "", vector(&[]), Successful),
        ("len(result) > 0 && result[0] >= 0.95", "", vector(&[]), Failed),
        ("", "result[0] >= 10", vector(&[10.0]), Failed),
        ("", "result[0] >= 10", vector(&[9.0]), Successful),
        ("result[0] >= 0.90", "result[0] < 0.50", vector(&[0.70]), Inconclusive),
    ]);
}

/// The same page calls a metric without conditions inconclusive; what Argo does is to pass it.
#[test]
fn a_metric_without_conditions_passes() {
    check(&[("", "", vector(&[0.1]), Phase::Successful)]);
}

#[test]
fn conditions_give_the_phases_of_argos_evaluation() {
    use Phase::{Error, Failed, Inconclusive, Successful};
    let nan = f64::NAN;
    let inf = f64::INFINITY;
    check(&[
        ("", "", vector(&[]), Successful),
        ("result[0] >= 0.95", "", vector(&[0.95]), Successful),
        ("result[0] >= 0.95", "", vector(&[0.94]), Failed),
        ("result[0] >= 0.95", "", vector(&[]), Error),
        ("result[0] >= 0.95", "", vector(&[nan]), Failed),
        ("", "result[0] >= 0.95", vector(&[nan]), Successful),
        ("", "result[0] >= 0.95", vector(&[0.99]), Failed),
        ("", "result[0] >= 0.95", vector(&[]), Error),
        ("result[0] >= 0.95", "result[0] < 0.5", vector(&[0.7]), Inconclusive),
        ("result[0] >= 0.95", "result[0] < 0.5", vector(&[0.4]), Failed),
        ("result[0] >= 0.95", "result[0] < 0.5", vector(&[0.99]), Successful),
        ("result[0] >= 0.95", "result[0] < 0.5", vector(&[nan]), Inconclusive),
        ("len(result) == 0 || result[0] >= 0.95", "", vector(&[]), Successful),
        ("len(result) > 0 and result[0] < 1", "", vector(&[0.5]), Successful),
        ("isNaN(result[0]) || result[0] >= 0.95", "", vector(&[nan]), Successful),
        ("isInf(result[0])", "", vector(&[inf]), Successful),
        ("isInf(result[0])", "", vector(&[-inf]), Successful),
        ("isInf(result[0])", "", vector(&[]), Error),
        ("result < 0.05", "", Measured::Scalar(0.01), Successful),
        ("result[0] < 0.05", "", Measured::Scalar(0.01), Error),
        ("default(result, 0) < 0.05", "", Measured::Scalar(0.01), Successful),
        ("default(result[0], 1) < 0.05", "", vector(&[]), Error),
        ("isNil(result)", "", Measured::Scalar(0.01), Failed),
        ("asInt(result[0]) == 3", "", vector(&[3.9]), Successful),
        ("asInt(result[0]) == 3", "", vector(&[nan]), Error),
        ("asFloat('0.5') < result[0]", "", vector(&[0.6]), Successful),
        ("all(result, # < 0.5)", "", vector(&[0.1, 0.4]), Successful),
        ("all(result, {# < 0.5})", "", vector(&[0.1, 0.6]), Failed),
        ("all(result, # < 0.5)", "", vector(&[]), Successful),
        ("any(result, {# > 0.5})", "", vector(&[0.1, 0.6]), Successful),
        ("len(filter(result, # > 0.5)) == 1", "", vector(&[0.1, 0.6]), Successful),
        ("len(map(result, {# * 2})) == 2", "", vector(&[0.1, 0.6]), Successful),
        ("result[-1] == 2", "", vector(&[1.0, 2.0]), Successful),
        ("result[0] in [1.0, 2.0]", "", vector(&[2.0]), Successful),
        ("result[0] > result[1] ? true : false", "", vector(&[2.0, 1.0]), Successful),
        ("!(result[0] > 1e-3)", "", vector(&[0.0001]), Successful),
        ("result[0] != 1", "", vector(&[]), Error),
        ("result[0] == nil", "", vector(&[]), Error),
        ("result[0]", "", vector(&[1.0]), Error),
        ("result[0] > 'a'", "", vector(&[1.0]), Error),
        // Both are evaluated: an error in one is an error, whatever the other says.
        ("result[1] > 0", "result[0] > 0", vector(&[1.0]), Error),
        ("result[0] > 0", "result[1] > 0", vector(&[1.0]), Error),
    ]);
}

#[test]
fn what_passes_without_evidence_is_named() {
    let rows = [
        ("", "", Some(Trap::NoCondition)),
        ("", "result[0] > 0.05", Some(Trap::NanPasses)),
        ("", "result > 0.05", Some(Trap::NanPasses)),
        ("", "isNaN(result[0]) || result[0] > 0.05", None),
        ("", "!(result[0] <= 0.05)", None),
        ("result[0] < 0.05", "", None),
    ];
    for (success, failure, trap) in rows {
        assert_eq!(conditions(success, failure).trap(), trap, "{success} | {failure}");
    }
}

#[test]
fn what_cannot_be_used_says_why() {
    let long = "true || ".repeat(200);
    let deep = format!("{}true{}", "(".repeat(20), ")".repeat(20));
    let chain = format!("result[0]{} > 0", " + 1".repeat(140));
    let rows = [
        (long.as_str(), "too complex"),
        (&deep, "too complex"),
        (&chain, "too complex"),
        ("", "not valid"),
        ("result[0] <", "not valid"),
        ("'open", "without an end"),
        ("value < 1", "names value"),
        ("$env", "names $env"),
        ("\u{dcf}", "names \u{dcf}"),
        ("\u{e4} > 1", "names \u{e4}"),
        ("1.repeat('x', 99) > 1", "is no number"),
        ("0x_x > 1", "is no number"),
        ("repeat('x', 999999999) == ''", "the function repeat"),
        ("__at(result, 0) == 1", "the function __at"),
        ("len(1..999999999) > 0", "a range"),
        ("all(result, all(result, # > 0))", "a loop within a loop"),
        ("len(map(map(result, [#, #]), #)) > 0", "map twice"),
        ("all(result, # < result[0])", "result within a loop"),
        ("any(result, default(1, 2) > 1)", "the function default"),
        ("let x = 1; x > 0", "names let"),
        ("true; false", "several statements"),
        ("result[0:1] == []", "a slice"),
        ("result.x > 1", "a member"),
        ("result?.[0] > 1", "optional access"),
        ("result[0] ?? 1 > 1", "a default by ??"),
        ("result | len() > 1", "a pipe"),
        ("filter(result, # > 1)[0] > 1", "an index of something other than result"),
        ("result[0] > 1 // high", "a comment"),
        ("'a' matches 'b'", "names matches"),
    ];
    for (text, expect) in rows {
        let error = Expression::compile(text).expect_err(text).to_string();
        assert!(error.contains(expect), "{text}: {error}");
    }
    let many = Measured::Vector(vec![0.0; 1001]);
    assert!(Expression::compile("true").and_then(|e| e.evaluate(&many)).is_err());
}

/// The deepest texts that the bounds let through, on a small stack.
#[test]
fn the_deepest_condition_spares_the_callers_stack() {
    let texts = [
        format!("{}result[0] > 0.0{}", "(".repeat(12), ")".repeat(12)),
        format!("{}result[0]{}", "result[".repeat(11), "]".repeat(11)),
        format!("result[0]{} > 0", " + 1".repeat(126)),
        format!("true{}", " && true".repeat(60)),
        format!("{}true{}", "true ? ".repeat(60), " : false".repeat(60)),
        format!("{}1{}", "[".repeat(12), "]".repeat(12)),
        format!("{}1{}", "abs(".repeat(12), ")".repeat(12)),
        format!("{}1{}", "{a: ".repeat(12), "}".repeat(12)),
        format!("all(map(result, [{}#]), true)", "#, ".repeat(300)),
    ];
    let deep = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        for text in texts {
            drop(Expression::compile(&text).and_then(|e| e.evaluate(&vector(&[0.0; 1000]))));
        }
    });
    deep.expect("a thread").join().expect("no overflow");
}

proptest! {
    #[test]
    fn any_text_is_read(text in r#"(result|[0-9.]|[-+*/<>=!&|?:()\[\]{},'"`\\ #]|all\(|len\(|\PC){0,40}"#) {
        if let Ok(condition) = Expression::compile(&text) {
            drop(condition.evaluate(&vector(&[0.5, 1.5])));
        }
    }

    #[test]
    fn comparisons_are_those_of_floats(
        a in any::<f64>(), b in prop_oneof![Just(f64::NAN), any::<f64>()],
    ) {
        let rows = [("<", a < b), (">", a > b), ("<=", a <= b), (">=", a >= b)];
        for (operator, expect) in rows {
            let text = format!("result[0] {operator} result[1]");
            let got = Expression::compile(&text).and_then(|e| e.evaluate(&vector(&[a, b])));
            prop_assert_eq!(got, Ok(expect), "{} {} {}", a, operator, b);
        }
    }
}
