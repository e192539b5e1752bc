//! Templates, parsed at the door: what comes out of here can be asked and judged.

use std::collections::BTreeMap;

use lockflight_analysis::ConditionError;
use lockflight_crds::{AnalysisTemplateSpec, InvalidQuantity, Metric, Severity};

use super::{
    arguments::{Subject, arguments},
    comparison::Comparison,
    compat::FlaggerAnalysis,
    threshold::{Rule, Threshold},
};

/// A template with its arguments filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedTemplate {
    /// Name of the `AnalysisTemplate`.
    pub name: String,
    /// Its metrics, in the template's order.
    pub metrics: Vec<ResolvedMetric>,
    /// What its checks in Flagger's words share; none without such checks.
    pub(super) flagger: Option<FlaggerAnalysis>,
}

impl ResolvedTemplate {
    /// Whether any metric that decides compares the canary with the stable revision, so that steps
    /// wait for evidence.
    #[must_use]
    pub fn compares(&self) -> bool {
        let mut deciding = self.metrics.iter().filter(|metric| metric.decides());
        deciding.any(|metric| metric.comparison().is_some())
    }

    /// Whether any metric that decides counts events, so that a step can wait for a number of
    /// them.
    #[must_use]
    pub fn counts_events(&self) -> bool {
        let deciding = self.metrics.iter().filter(|metric| metric.decides());
        deciding.filter_map(ResolvedMetric::comparison).any(Comparison::counts_events)
    }

    /// The providers that its thresholds name.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().filter_map(ResolvedMetric::provider)
    }

    /// Whether any metric needs raw samples.
    #[must_use]
    pub fn reads_counters(&self) -> bool {
        self.metrics.iter().any(|metric| metric.comparison().is_some())
    }
}

/// A metric that can be asked and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedMetric {
    /// Name of the metric.
    pub name: String,
    /// How much its evidence weighs.
    pub severity: Severity,
    pub(super) judge: Judge,
}

impl ResolvedMetric {
    /// The provider that is asked, where that is not the Cluster's own.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        match &self.judge {
            Judge::Threshold(threshold) => threshold.provider.as_deref(),
            Judge::Compare(_) => None,
        }
    }

    /// Whether it is a check of Flagger.
    #[must_use]
    pub fn is_flagger(&self) -> bool {
        matches!(&self.judge, Judge::Threshold(Threshold { rule: Rule::Flagger(_), .. }))
    }

    /// Whether anything follows from it; one that only informs is shown and no more.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.severity != Severity::Info
    }

    /// How it compares the two revisions, if it does.
    #[must_use]
    pub fn comparison(&self) -> Option<&Comparison> {
        match &self.judge {
            Judge::Compare(comparison) => Some(comparison),
            Judge::Threshold(_) => None,
        }
    }
}

/// How a metric is judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judge {
    /// Against the stable revision.
    Compare(Comparison),
    /// Against a condition.
    Threshold(Threshold),
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
    /// The default of an argument has a placeholder of its own.
    #[error(
        "args[{argument}].value: {{{{{placeholder}}}}} cannot stand in a default; only {{{{rollout}}}} and {{{{namespace}}}} can"
    )]
    Default {
        /// Name of the argument.
        argument: String,
        /// Name of the placeholder.
        placeholder: String,
    },
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
    #[error("{field}: must be a plain selector, without functions and ranges")]
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
    /// A time is none.
    #[error("{field}: must be a duration, for example 90s")]
    WarmUp {
        /// The field.
        field: String,
    },
    /// A number is none, or out of range.
    #[error("{field}: ratio must be a number from 1, difference one from 0 to 1")]
    Margin {
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
    /// A field has a value that cannot be used.
    #[error("{field}: {why}")]
    Unusable {
        /// The field.
        field: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// Exactly one of several fields has to be set.
    #[error("{field}: must have exactly one of {choice}")]
    Choice {
        /// The field.
        field: String,
        /// Those to choose from.
        choice: &'static str,
    },
}

/// Fills the Rollout's arguments into a template and parses everything in it.
pub fn resolve(
    name: &str,
    template: &AnalysisTemplateSpec,
    subject: Subject<'_>,
    args: &BTreeMap<String, String>,
) -> Result<ResolvedTemplate, TemplateError> {
    let args = arguments(template, subject, args)?;
    let mut flagger = template.flagger.as_ref().map(FlaggerAnalysis::parse).transpose()?;
    let metrics =
        template.metrics.iter().map(|metric| parse_metric(metric, &args, flagger.as_mut()));
    let metrics = metrics.collect::<Result<_, _>>()?;
    if flagger.as_ref().is_some_and(FlaggerAnalysis::is_empty) {
        return Err(TemplateError::Unusable {
            field: "flagger".to_owned(),
            why: "has no metric with threshold.flagger: add one or remove it".to_owned(),
        });
    }
    Ok(ResolvedTemplate { name: name.to_owned(), metrics, flagger })
}

fn parse_metric(
    metric: &Metric,
    args: &BTreeMap<String, String>,
    flagger: Option<&mut FlaggerAnalysis>,
) -> Result<ResolvedMetric, TemplateError> {
    let field = format!("metrics[{}]", metric.name);
    let judge = match (&metric.compare, &metric.threshold) {
        (Some(compare), None) => {
            Judge::Compare(Comparison::parse(&format!("{field}.compare"), compare, args)?)
        }
        (None, Some(threshold)) => {
            Judge::Threshold(Threshold::parse(metric, threshold, args, flagger)?)
        }
        _ => {
            return Err(TemplateError::Choice { field, choice: "compare and threshold" });
        }
    };
    Ok(ResolvedMetric { name: metric.name.clone(), severity: metric.severity, judge })
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
