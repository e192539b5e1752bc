//! One metric check of Flagger.

/// Where a metric comes from; it decides how the value is compared and when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// `request-success-rate`, in percent: a single threshold is a lower bound.
    RequestSuccessRate,
    /// `request-duration`, the 99th percentile in milliseconds: value and bounds are cut to
    /// whole milliseconds before they are compared.
    RequestDuration,
    /// A query within the Canary: a single threshold is an upper bound.
    InlineQuery,
    /// A `MetricTemplate`: as an inline query, but looked at after all others.
    Template,
}

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limits {
    /// `thresholdRange`: both ends are allowed values, and each end is optional.
    Range {
        /// Values below fail.
        min: Option<f64>,
        /// Values above fail.
        max: Option<f64>,
    },
    /// The deprecated `threshold`, 0 when it is not set.
    Threshold(f64),
}

/// A metric of a Canary's analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Its name, for messages.
    pub name: String,
    /// Where it comes from.
    pub kind: CheckKind,
    /// What is allowed.
    pub limits: Limits,
}

/// What a query came to in one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// A number. NaN is no value, as in Flagger since its pull request 1095.
    Value(f64),
    /// The query returned nothing.
    NoValues,
    /// The query could not be run.
    QueryFailed,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The value is allowed.
    Passed,
    /// The value is not allowed.
    Failed,
    /// There is no value.
    NoValue,
    /// There could be none: the query failed.
    QueryFailed,
}

impl Check {
    /// Judges a reading.
    #[must_use]
    pub fn judge(&self, reading: Reading) -> Outcome {
        let value = match reading {
            Reading::Value(value) if !value.is_nan() => value,
            Reading::Value(_) | Reading::NoValues => return Outcome::NoValue,
            Reading::QueryFailed => return Outcome::QueryFailed,
        };
        let in_unit = |number: f64| {
            if self.kind == CheckKind::RequestDuration { number.trunc() } else { number }
        };
        let value = in_unit(value);
        let fails = match self.limits {
            Limits::Range { min, max } => {
                min.is_some_and(|min| value < in_unit(min))
                    || max.is_some_and(|max| value > in_unit(max))
            }
            Limits::Threshold(least) if self.kind == CheckKind::RequestSuccessRate => least > value,
            Limits::Threshold(most) => value > in_unit(most),
        };
        if fails { Outcome::Failed } else { Outcome::Passed }
    }
}
