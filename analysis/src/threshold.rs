//! A query's result against an absolute condition.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::condition::Condition;
use crate::figures::short;
use crate::verdict::{MetricVerdict, Verdict};

/// Values shown in a verdict; a query may return a thousand.
const SHOWN_VALUES_MAX: usize = 4;

/// Judges one evaluation: the verdict and the failures in a row after it. The metric fails when
/// more than `failure_limit` evaluations in a row failed; until then it watches. An evaluation
/// that could not be judged neither adds a failure nor forgives one.
#[must_use]
pub fn threshold(
    metric: &str,
    condition: &Condition,
    values: &[f64],
    failure_limit: u32,
    previous_failures: u32,
) -> (MetricVerdict, u32) {
    let (verdict, failures, message) = judge(condition, values, failure_limit, previous_failures);
    let verdict = MetricVerdict {
        metric: metric.to_owned(),
        verdict,
        observed: shown(values),
        limit: condition.text().to_owned(),
        samples: None,
        // Beside those of other metrics it has to say whose it is.
        message: format!("{metric}: {message}"),
    };
    (verdict, failures)
}

fn judge(
    condition: &Condition,
    values: &[f64],
    limit: u32,
    previous: u32,
) -> (Verdict, u32, String) {
    if values.is_empty() {
        let message = "the query returned nothing: check that what it measures exists".to_owned();
        return (Verdict::NoData, previous, message);
    }
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        let message = format!("the query returned {value}, which is no number to compare");
        return (Verdict::NoData, previous, message);
    }
    match condition.evaluate(values) {
        Ok(true) => (Verdict::Pass, 0, format!("{} holds", condition.text())),
        Ok(false) => {
            let failures = previous.saturating_add(1);
            let not_met = format!("{} does not hold ({})", condition.text(), shown(values));
            if failures > limit {
                (Verdict::Fail, failures, not_met)
            } else {
                let message =
                    format!("{not_met}: failure {failures} of {limit} tolerated in a row");
                (Verdict::Watch, failures, message)
            }
        }
        Err(error) => (Verdict::Error, previous, error.to_string()),
    }
}

/// The time until which a query with this range still sees what was before the evidence
/// opened; None once it does not. Until then its result is about another weight.
#[must_use]
pub fn reaches_back(
    range: Duration,
    opened_at: DateTime<Utc>,
    judged_at: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    // A range beyond what a date can hold reaches back for ever.
    let until = TimeDelta::from_std(range)
        .ok()
        .and_then(|range| opened_at.checked_add_signed(range))
        .unwrap_or(DateTime::<Utc>::MAX_UTC);
    (judged_at < until).then_some(until)
}

fn shown(values: &[f64]) -> String {
    let mut text = Vec::new();
    text.extend(values.iter().take(SHOWN_VALUES_MAX).map(|value| short(*value)));
    if values.len() > SHOWN_VALUES_MAX {
        text.push(format!("and {} more", values.len() - SHOWN_VALUES_MAX));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    use super::{reaches_back, threshold};
    use crate::{Condition, Verdict};

    #[test]
    fn only_failures_in_a_row_beyond_the_limit_fail() {
        type Case = (&'static str, &'static [f64], u32, u32, Verdict, u32);
        use Verdict::{Error, Fail, NoData, Pass, Watch};
        let below = "result[0] < 0.8";
        let cases: [Case; 9] = [
            (below, &[0.5], 2, 2, Pass, 0),
            (below, &[0.9], 2, 0, Watch, 1),
            (below, &[0.9], 2, 1, Watch, 2),
            (below, &[0.9], 2, 2, Fail, 3),
            (below, &[0.9], 0, 0, Fail, 1),
            (below, &[], 2, 2, NoData, 2),
            (below, &[f64::NAN], 0, 0, NoData, 0),
            (below, &[0.1, f64::INFINITY], 0, 0, NoData, 0),
            ("result[5] < 0.8", &[0.1], 0, 7, Error, 7),
        ];
        for (text, values, limit, previous, verdict, failures) in cases {
            let condition = Condition::compile(text).expect(text);
            let (metric, after) = threshold("m", &condition, values, limit, previous);
            assert_eq!(
                (metric.verdict, after),
                (verdict, failures),
                "{text} {values:?}: {metric:?}"
            );
            assert!(metric.message.starts_with("m: "), "{metric:?}");
            let names_values = metric.message.contains(&format!("({})", metric.observed));
            assert_eq!(names_values, matches!(verdict, Watch | Fail), "{metric:?}");
        }
    }

    #[test]
    fn a_range_reaches_back_until_it_is_full() {
        let opened = DateTime::UNIX_EPOCH;
        let after = |seconds| opened + TimeDelta::seconds(seconds);
        let minute = Duration::from_mins(1);
        assert_eq!(reaches_back(minute, opened, after(59)), Some(after(60)));
        assert_eq!(reaches_back(minute, opened, after(60)), None);
        assert!(reaches_back(Duration::MAX, opened, after(60)).is_some());
    }

    proptest! {
        #[test]
        fn any_values_are_judged(
            values in prop::collection::vec(any::<f64>(), 0..8),
            limit in any::<u32>(),
            previous in any::<u32>(),
        ) {
            let condition = Condition::compile("result.all(x, x < 1.0)")?;
            let (metric, _) = threshold("m", &condition, &values, limit, previous);
            if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
                prop_assert_eq!(metric.verdict, Verdict::NoData);
            }
        }
    }
}
