//! What a metric asked in a round and what it saw, for people to look at. Nothing is decided by it.

use lockflight_analysis::judge::MetricName;

use super::{
    answer::Answer,
    bounds,
    plan::{PlannedMetric, Question},
    state::GateRequest,
    template::Judge,
};

/// What a metric asked and saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The name under which the judge knows it: unique over the templates of a rollout.
    pub key: MetricName,
    /// How it is judged.
    pub kind: AskedKind,
    /// Whether nothing follows from it.
    pub informs: bool,
    /// The question on which it is judged, in the language of its source; none where it was not
    /// asked in this round.
    pub query: Option<String>,
    /// Numbers that its threshold speaks of, where they can be told from it.
    pub bounds: Vec<f64>,
}

/// How a metric is judged, and what it saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AskedKind {
    /// Against the stable revision: what it saw is in the evidence.
    Compared,
    /// Against a condition.
    Measured {
        /// Whether this round brought an answer, or a reason why there is none.
        is_new: bool,
        /// The first number of the answer; none where it has no number that can be drawn.
        value: Option<f64>,
    },
}

/// What a planned metric asked, and was `answered`.
pub(super) fn of(
    planned: &PlannedMetric<'_>,
    request: &GateRequest,
    answered: Option<Result<Answer, String>>,
) -> Asked {
    let query = match &planned.question {
        Question::Compare(raw, _) => Some(raw.selectors.join("\n")),
        Question::Threshold(query) => Some(query.clone()),
        // What is only counted at the end is not what was compared before.
        Question::Count(..) | Question::NotDue(_) | Question::Waits => None,
    };
    let template = request.analysis.iter().find(|template| template.name == planned.template);
    let (kind, bounds) = match &planned.metric.judge {
        Judge::Compare(_) => (AskedKind::Compared, Vec::new()),
        Judge::Threshold(threshold) => {
            let is_new = answered.is_some();
            let value = answered.and_then(Result::ok).and_then(|answer| first(&answer));
            let analysis = template.and_then(|template| template.flagger.as_ref());
            (AskedKind::Measured { is_new, value }, bounds::of(&threshold.rule, analysis))
        }
    };
    Asked { key: planned.key.clone(), kind, informs: !planned.metric.decides(), query, bounds }
}

fn first(answer: &Answer) -> Option<f64> {
    let value = match answer {
        Answer::Scalar(_, value) => Some(*value),
        Answer::Vector(values) => values.first().copied(),
        Answer::Matrix(series) => {
            series.first().and_then(|one| one.floats.last()).map(|sample| sample.value)
        }
        Answer::Job(passed) => Some(f64::from(u8::from(*passed))),
    };
    value.filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::{Answer, first};

    #[test]
    fn only_numbers_that_can_be_drawn_are_shown() {
        for (answer, expected) in [
            (Answer::Scalar(Utc::now(), 0.25), Some(0.25)),
            (Answer::Vector(vec![3.0, 4.0]), Some(3.0)),
            (Answer::Vector(vec![f64::NAN]), None),
            (Answer::Vector(Vec::new()), None),
            (Answer::Job(true), Some(1.0)),
        ] {
            assert_eq!(first(&answer), expected, "{answer:?}");
        }
    }
}
