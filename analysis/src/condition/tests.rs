use proptest::prelude::*;

use super::{Condition, ConditionError};

fn holds(text: &str, values: &[f64]) -> Result<bool, ConditionError> {
    Condition::compile(text)?.evaluate(values)
}

#[test]
fn conditions_are_evaluated() {
    let cases: [(&str, &[f64], bool); 12] = [
        ("result[0] < 0.05", &[0.01], true),
        ("result[0] < 0.05", &[0.05], false),
        ("result[0] < 1", &[0.5], true),
        ("result[0] == 2", &[2.0], true),
        ("result[0] * 100.0 <= 5.0", &[0.06], false),
        ("result.all(x, x < 0.5)", &[0.1, 0.4], true),
        ("result.all(x, x < 0.5)", &[0.1, 0.6], false),
        ("result.exists(x, x > 0.5)", &[0.1, 0.6], true),
        ("size(result) == 2 && result[1] > result[0]", &[1.0, 2.0], true),
        ("result.filter(x, x > 1.0).size() == 0", &[0.5, 2.0], false),
        ("0.3 > result[0] ? true : false", &[0.1], true),
        ("!(result[0] > 1.0)", &[0.1], true),
    ];
    for (text, values, expect) in cases {
        assert_eq!(holds(text, values), Ok(expect), "{text} {values:?}");
    }
}

#[test]
fn what_cannot_be_used_says_why() {
    let long = format!("result[0] < 1.0 || {}", "true || ".repeat(200));
    let deep = format!("{}result[0]{}", "(".repeat(20), ")".repeat(20));
    let chain = format!("result[0]{} > 0.0", " + 1.0".repeat(140));
    let cases: [(&str, &str); 13] = [
        ("", "not valid CEL"),
        ("result[0] <", "not valid CEL"),
        ("rate(x[5m])", "not valid CEL"),
        ("value < 1.0", "names value"),
        ("result.all(x, y < 1.0)", "names y"),
        ("result[0]", "instead of true or false"),
        ("'yes'", "instead of true or false"),
        ("result[1] < 1.0", "cannot be evaluated"),
        ("result[0] < 'a'", "cannot be evaluated"),
        ("nonsense(result)", "cannot be evaluated"),
        (&long, "too long"),
        (&deep, "too complex"),
        (&chain, "too complex"),
    ];
    for (text, expect) in cases {
        let error = holds(text, &[0.5]).expect_err(text).to_string();
        assert!(error.contains(expect), "{text}: {error}");
    }
    let loops = ["result.all(x, result.all(y, x < y))", "result.map(x, [x, x]).size() > 0"];
    for text in loops {
        assert!(matches!(Condition::compile(text), Err(ConditionError::Unsupported(_))), "{text}");
    }
    assert_eq!(holds("true", &[0.0; 1001]), Err(ConditionError::TooManyValues(1001)));
    assert_eq!(holds("result.all(x, x < 1.0)", &[0.0; 1000]), Ok(true));
}

/// The deepest conditions that the bounds let through, on the small stack that a caller may
/// have left.
#[test]
fn the_deepest_condition_spares_the_callers_stack() {
    let texts = [
        format!("{}result[0] > 0.0{}", "(".repeat(11), ")".repeat(11)),
        format!("{}true", "!".repeat(128)),
        format!("result[0]{} > 0.0", " + 1.0".repeat(126)),
        format!("result[0]{} > 0.0", " * 1.0 + 1.0".repeat(60)),
        format!("true{}", " && true".repeat(64)),
        format!("true{}", " ? true : true".repeat(66)),
        format!("{}true{}", "true ? ".repeat(66), " : false".repeat(66)),
        format!("result{}", ".size()".repeat(120)),
        format!("{}0{}", "[".repeat(12), "]".repeat(12)),
        format!("{}result[0]{} > 0.0", "(".repeat(11), " * 2.0)".repeat(11)),
        format!("result{} > 0.0", "[0]".repeat(120)),
        format!("-{}1.0 < result[0]", "-".repeat(100)),
        format!("[{}1] == result", "1, ".repeat(300)),
        format!("{}true", "- ! ".repeat(60)),
    ];
    let deep = std::thread::Builder::new().stack_size(512 * 1024).spawn(move || {
        for text in texts {
            // What they give does not matter; that they come back does.
            drop(holds(&text, &[0.5]));
        }
    });
    deep.expect("a thread").join().expect("no overflow");
}

proptest! {
    #[test]
    fn any_text_is_read(text in r#"(result|[0-9.]|[-+*/<>=!&|?:()\[\]{},'"`\\ ]|all|x|\PC){0,40}"#) {
        if let Ok(condition) = Condition::compile(&text) {
            drop(condition.evaluate(&[0.5, 1.5]));
        }
    }

    #[test]
    fn any_values_are_judged(values in prop::collection::vec(any::<f64>(), 0..10)) {
        drop(holds("result.all(x, x < 0.5) && result[0] / result[1] > 2.0", &values));
    }
}
