//! The numbers that a threshold compares with, as far as they can be told from it.
//!
//! A condition is CEL and may be anything; lines are drawn only for those that compare the one
//! result with a number.

use lockflight_analysis::compat::flagger::Limits;

use super::{compat::FlaggerAnalysis, threshold::Rule};

/// The numbers of a rule.
pub(super) fn of(rule: &Rule, analysis: Option<&FlaggerAnalysis>) -> Vec<f64> {
    match rule {
        Rule::Pass(pass) => of_condition(pass.condition.text()).into_iter().collect(),
        Rule::Argo(metric) => {
            let conditions = [&metric.conditions.success, &metric.conditions.failure];
            let conditions = conditions.into_iter().flatten();
            let mut bounds: Vec<f64> =
                conditions.filter_map(|condition| of_condition(condition.text())).collect();
            bounds.dedup();
            bounds
        }
        Rule::Flagger(position) => match analysis.and_then(|analysis| analysis.limits(*position)) {
            Some(Limits::Range { min, max }) => [min, max].into_iter().flatten().collect(),
            Some(Limits::Threshold(bound)) => vec![bound],
            None => Vec::new(),
        },
    }
}

/// The number in a condition such as `result[0] < 0.05`.
fn of_condition(text: &str) -> Option<f64> {
    let text = text.trim();
    let rest = text.strip_prefix("result[0]").or_else(|| text.strip_prefix("result"))?.trim_start();
    let number = ["<=", ">=", "<", ">"].iter().find_map(|sign| rest.strip_prefix(sign))?;
    number.trim().parse().ok().filter(|bound: &f64| bound.is_finite())
}

#[cfg(test)]
mod tests {
    use super::of_condition;

    #[test]
    fn only_plain_comparisons_have_a_line() {
        for (text, expected) in [
            ("result[0] < 0.05", Some(0.05)),
            ("result[0]>=2", Some(2.0)),
            ("result <= 1e3", Some(1000.0)),
            ("result[0] < 0.05 && result[0] > 0.01", None),
            ("result[0] < result[1]", None),
            ("result.all(x, x < 1)", None),
            ("0.05 > result[0]", None),
            ("result[0] < inf", None),
        ] {
            assert_eq!(of_condition(text), expected, "{text}");
        }
    }
}
