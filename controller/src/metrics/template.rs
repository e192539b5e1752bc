//! Templates, parsed at the door: what comes out of here can be asked and judged.

use std::{collections::BTreeMap, time::Duration};

use lockflight_analysis::{
    ComparisonRule, Condition, ConditionError, Piece, longest_range, pieces,
};
use lockflight_crds::{AnalysisTemplateSpec, Arms, Comparison, InvalidQuantity, Metric, Threshold};

use super::query::{Query, fill_plain, is_builtin};

/// A template with its arguments filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedTemplate {
    /// Name of the `AnalysisTemplate`.
    pub name: String,
    /// Its metrics, in the template's order.
    pub metrics: Vec<ResolvedMetric>,
}

impl ResolvedTemplate {
    /// Whether any metric compares the canary with the stable revision, and so counts events.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.metrics.iter().any(|metric| matches!(metric.judge, Judge::Compare { .. }))
    }
}

/// A metric that can be asked and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedMetric {
    /// Name of the metric.
    pub name: String,
    pub(super) judge: Judge,
}

/// How a metric is judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judge {
    /// Against the stable revision.
    Compare {
        /// Selector of the counters of bad events.
        bad: Query,
        /// Selector of the counters of all events.
        total: Query,
        /// How the arms are told apart.
        by: By,
        /// When the canary is too bad.
        rule: ComparisonRule,
    },
    /// Against a condition.
    Threshold {
        /// What is asked.
        query: Query,
        /// The longest fixed range in it; `{{window}}` never reaches back before the step.
        range: Option<Duration>,
        /// What its result has to meet.
        condition: Condition,
        /// Time from one evaluation to the next.
        interval: Duration,
        /// Failures in a row that are tolerated.
        failure_limit: u32,
    },
}

/// How series are told apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum By {
    /// By the pod that this label names.
    Pod(String),
    /// By the value of a label.
    Label {
        /// Name of the label.
        name: String,
        /// Its value for the stable arm.
        stable: String,
        /// Its value for the canary.
        canary: String,
    },
}

/// Why a template cannot be used. Each message names the field.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The Rollout gives an argument that the template does not have.
    #[error("args: the template has no argument {0}")]
    UnknownArgument(String),
    /// The Rollout gives no value for an argument without a default.
    #[error("args: the template needs the argument {0}")]
    MissingArgument(String),
    /// An argument has the name of something that the hub fills in.
    #[error("args: {0} is filled in by Lockflight; give the argument another name")]
    ReservedArgument(String),
    /// A placeholder stands for nothing.
    #[error("{field}: {{{{{placeholder}}}}} is neither an argument nor known to Lockflight")]
    UnknownPlaceholder {
        /// The field.
        field: String,
        /// Name of the placeholder.
        placeholder: String,
    },
    /// A placeholder stands where its value could become part of the query.
    #[error("{field}: {{{{{placeholder}}}}} must stand within quotes")]
    Unquoted {
        /// The field.
        field: String,
        /// Name of the placeholder.
        placeholder: String,
    },
    /// A placeholder stands where its value cannot be escaped.
    #[error("{field}: {{{{{placeholder}}}}} cannot stand between backticks; use double quotes")]
    InBackticks {
        /// The field.
        field: String,
        /// Name of the placeholder.
        placeholder: String,
    },
    /// A string in a query does not end.
    #[error("{field}: a string lacks its closing quote")]
    UnclosedString {
        /// The field.
        field: String,
    },
    /// A comparison needs raw counters.
    #[error("{field}: must be a plain selector of counters, without functions and ranges")]
    NotASelector {
        /// The field.
        field: String,
    },
    /// A condition cannot be used.
    #[error("{field}: {source}")]
    Condition {
        /// The field.
        field: String,
        /// Why.
        source: ConditionError,
    },
    /// A number is none, or out of range.
    #[error(
        "{field}: maxRatio must be a number from 1, toleratedShare one from 0 to 1, minSamples at least 1"
    )]
    Rule {
        /// The field.
        field: String,
    },
    /// A duration is none.
    #[error("{field}: {source}")]
    Interval {
        /// The field.
        field: String,
        /// Why.
        source: InvalidQuantity,
    },
    /// Exactly one of two fields has to be set.
    #[error("{field}: must have exactly one of {choice}")]
    Choice {
        /// The field.
        field: String,
        /// The two.
        choice: &'static str,
    },
}

/// Fills the Rollout's arguments into a template and parses everything in it.
pub fn resolve(
    name: &str,
    template: &AnalysisTemplateSpec,
    args: &BTreeMap<String, String>,
) -> Result<ResolvedTemplate, TemplateError> {
    let args = arguments(template, args)?;
    let metrics = template.metrics.iter().map(|metric| parse_metric(metric, &args));
    Ok(ResolvedTemplate { name: name.to_owned(), metrics: metrics.collect::<Result<_, _>>()? })
}

/// The value of every argument of the template.
fn arguments(
    template: &AnalysisTemplateSpec,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut args = BTreeMap::new();
    for argument in &template.args {
        let name = argument.name.clone();
        if is_builtin(&name) {
            return Err(TemplateError::ReservedArgument(name));
        }
        let Some(value) = given.get(&name).or(argument.value.as_ref()) else {
            return Err(TemplateError::MissingArgument(name));
        };
        args.insert(name, value.clone());
    }
    match given.keys().find(|name| !args.contains_key(*name)) {
        Some(unknown) => Err(TemplateError::UnknownArgument(unknown.clone())),
        None => Ok(args),
    }
}

fn parse_metric(
    metric: &Metric,
    args: &BTreeMap<String, String>,
) -> Result<ResolvedMetric, TemplateError> {
    let field = format!("metrics[{}]", metric.name);
    let judge = match (&metric.compare, &metric.threshold) {
        (Some(compare), None) => parse_comparison(&format!("{field}.compare"), compare, args)?,
        (None, Some(threshold)) => parse_threshold(&format!("{field}.threshold"), threshold, args)?,
        _ => {
            return Err(TemplateError::Choice { field, choice: "compare and threshold" });
        }
    };
    Ok(ResolvedMetric { name: metric.name.clone(), judge })
}

fn parse_comparison(
    field: &str,
    comparison: &Comparison,
    args: &BTreeMap<String, String>,
) -> Result<Judge, TemplateError> {
    let Comparison { bad, total, by, max_ratio, tolerated_share, min_samples } = comparison;
    let rule = max_ratio
        .parse()
        .ok()
        .zip(tolerated_share.parse().ok())
        .and_then(|(ratio, share)| ComparisonRule::new(ratio, share, u64::from(*min_samples)))
        .ok_or_else(|| TemplateError::Rule { field: field.to_owned() })?;
    Ok(Judge::Compare {
        bad: selector(&format!("{field}.bad"), bad, args)?,
        total: selector(&format!("{field}.total"), total, args)?,
        by: parse_arms(&format!("{field}.by"), by, args)?,
        rule,
    })
}

/// A selector, to which the hub appends a range.
fn selector(
    field: &str,
    text: &str,
    args: &BTreeMap<String, String>,
) -> Result<Query, TemplateError> {
    let plain = pieces(text).into_iter().all(|piece| match piece {
        Piece::Code(code) => !code.contains(['(', ')', '[', ']', '@', '+', '*', '/', ';']),
        Piece::Quoted { .. } | Piece::Comment(_) => true,
    });
    if !plain {
        return Err(TemplateError::NotASelector { field: field.to_owned() });
    }
    Query::parse(field, text, args)
}

fn parse_arms(
    field: &str,
    arms: &Arms,
    args: &BTreeMap<String, String>,
) -> Result<By, TemplateError> {
    match (&arms.pod, &arms.label) {
        (Some(pod), None) => Ok(By::Pod(pod.label.clone())),
        (None, Some(label)) => Ok(By::Label {
            name: label.name.clone(),
            stable: fill_plain(&format!("{field}.label.stable"), &label.stable, args)?,
            canary: fill_plain(&format!("{field}.label.canary"), &label.canary, args)?,
        }),
        _ => Err(TemplateError::Choice { field: field.to_owned(), choice: "pod and label" }),
    }
}

fn parse_threshold(
    field: &str,
    threshold: &Threshold,
    args: &BTreeMap<String, String>,
) -> Result<Judge, TemplateError> {
    let Threshold { query, pass, interval, failure_limit } = threshold;
    Ok(Judge::Threshold {
        query: Query::parse(&format!("{field}.query"), query, args)?,
        range: longest_range(query),
        condition: Condition::compile(pass).map_err(|source| TemplateError::Condition {
            field: format!("{field}.pass"),
            source,
        })?,
        interval: interval.to_std().map_err(|source| TemplateError::Interval {
            field: format!("{field}.interval"),
            source,
        })?,
        failure_limit: *failure_limit,
    })
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
