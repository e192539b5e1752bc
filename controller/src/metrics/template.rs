//! Templates, parsed at the door: what comes out of here can be asked and judged.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use lockflight_analysis::{
    ConditionError, Piece,
    judge::{Margin, Margins},
    pieces,
    reading::{self, Split},
};
use lockflight_crds::{AnalysisTemplateSpec, Arms, InvalidQuantity, Metric, Severity};

use super::{
    arguments::{Subject, arguments},
    compat::FlaggerAnalysis,
    query::{Query, fill_plain},
    threshold::{Rule, Threshold},
};

/// Bounds at which a histogram is compared: above stable's p50, p90 and p99.
const EDGES_MAX: usize = 3;

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
    /// wait for events.
    #[must_use]
    pub fn compares(&self) -> bool {
        let mut deciding = self.metrics.iter().filter(|metric| metric.decides());
        deciding.any(|metric| metric.comparison().is_some())
    }

    /// The providers that its thresholds name.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().filter_map(ResolvedMetric::provider)
    }

    /// Whether any metric needs raw counters.
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

/// A comparison with the stable revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub(super) source: Source,
    /// How the series are read.
    pub(super) reading: reading::Settings,
    /// How much worse is worse.
    pub margins: Margins,
    /// Greatest bad share that stable may have by itself; none where that is not looked at.
    pub(super) stable_health: Option<f64>,
    /// Streams of the judge: one for counters, up to three for a histogram.
    pub streams: usize,
}

/// What a comparison counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// Bad events among all.
    Counters {
        /// Selector of the counters of bad events.
        bad: Query,
        /// Selector of the counters of all events.
        total: Query,
    },
    /// Slow events among all: selector of a histogram, without the suffix of its counters.
    Histogram(Query),
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
        (Some(compare), None) => parse_comparison(&format!("{field}.compare"), compare, args)?,
        (None, Some(threshold)) => {
            Judge::Threshold(Threshold::parse(metric, threshold, args, flagger)?)
        }
        _ => {
            return Err(TemplateError::Choice { field, choice: "compare and threshold" });
        }
    };
    Ok(ResolvedMetric { name: metric.name.clone(), severity: metric.severity, judge })
}

fn parse_comparison(
    field: &str,
    comparison: &lockflight_crds::Comparison,
    args: &BTreeMap<String, String>,
) -> Result<Judge, TemplateError> {
    let lockflight_crds::Comparison {
        bad,
        total,
        histogram,
        by,
        tolerate,
        rule_out,
        warm_up,
        stable_health,
    } = comparison;
    let source = match (bad, total, histogram) {
        (Some(bad), Some(total), None) => Source::Counters {
            bad: selector(&format!("{field}.bad"), bad, args)?,
            total: selector(&format!("{field}.total"), total, args)?,
        },
        (None, None, Some(histogram)) => {
            Source::Histogram(selector(&format!("{field}.histogram"), histogram, args)?)
        }
        _ => {
            let choice = "bad with total, and histogram";
            return Err(TemplateError::Choice { field: field.to_owned(), choice });
        }
    };
    let warm_up = warm_up.to_std().ok().and_then(|span| TimeDelta::from_std(span).ok());
    let split = parse_arms(&format!("{field}.by"), by, args)?;
    let reading = reading::Settings {
        observer_labels: observer_labels(&split),
        split,
        warm_up: warm_up
            .ok_or_else(|| TemplateError::WarmUp { field: format!("{field}.warmUp") })?,
        ..reading::Settings::by_pod("pod")
    };
    let stable_health = stable_health.as_deref().map(|share| {
        let share = share.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        share.filter(|_| bad.is_some()).ok_or_else(|| TemplateError::Unusable {
            field: format!("{field}.stableHealth"),
            why: "must be a share from 0 to 1 and goes with bad and total".to_owned(),
        })
    });
    Ok(Judge::Compare(Comparison {
        stable_health: stable_health.transpose()?,
        streams: match source {
            Source::Counters { .. } => 1,
            Source::Histogram(_) => EDGES_MAX,
        },
        source,
        reading,
        margins: Margins {
            tolerate: parse_margin(&format!("{field}.tolerate"), tolerate)?,
            rule_out: parse_margin(&format!("{field}.ruleOut"), rule_out)?,
        },
    }))
}

/// Labels that say who scraped. The one that tells the arms apart says what was counted: Traefik
/// has `service` for that.
fn observer_labels(split: &Split) -> Vec<String> {
    let mut labels = reading::Settings::by_pod("pod").observer_labels;
    if let Split::Label { name, .. } = split {
        labels.retain(|label| label != name);
    }
    labels
}

fn parse_margin(field: &str, margin: &lockflight_crds::Margin) -> Result<Margin, TemplateError> {
    let ratio = margin.ratio.parse::<f64>().ok().filter(|r| r.is_finite() && *r >= 1.0);
    let difference = margin.difference.parse::<f64>().ok().filter(|d| (0.0..=1.0).contains(d));
    match (ratio, difference) {
        (Some(ratio), Some(difference)) => Ok(Margin { ratio, difference }),
        _ => Err(TemplateError::Margin { field: field.to_owned() }),
    }
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
) -> Result<Split, TemplateError> {
    match (&arms.pod, &arms.label) {
        (Some(pod), None) => Ok(Split::Pod { label: pod.label.clone() }),
        (None, Some(label)) => Ok(Split::Label {
            name: label.name.clone(),
            stable: fill_plain(&format!("{field}.label.stable"), &label.stable, args)?,
            canary: fill_plain(&format!("{field}.label.canary"), &label.canary, args)?,
        }),
        _ => Err(TemplateError::Choice { field: field.to_owned(), choice: "pod and label" }),
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
