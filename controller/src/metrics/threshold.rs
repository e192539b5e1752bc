//! Thresholds of a template, parsed at the door.

use std::{collections::BTreeMap, time::Duration};

use lockflight_analysis::{
    Condition,
    compat::{argo, flagger},
    longest_range,
};
use lockflight_crds as wire;

use super::{
    compat::{FlaggerAnalysis, argo_metric, flagger_check},
    query::Query,
    template::TemplateError,
};

/// Wait between two evaluations where the template says nothing, as the schema promises.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// A query and what its result has to meet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Threshold {
    /// What is asked.
    pub(super) query: Query,
    /// Who is asked; without it the member's own provider.
    pub(super) provider: Option<String>,
    /// What its result has to meet.
    pub(super) rule: Rule,
}

/// In whose words a threshold is judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// Ours.
    Pass(Pass),
    /// Argo Rollouts'.
    Argo(ArgoMetric),
    /// Flagger's: the position of its check in the template's analysis.
    Flagger(usize),
}

/// A condition of ours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pass {
    /// The longest fixed range in the query; `{{window}}` never reaches back before the step.
    pub(super) range: Option<Duration>,
    /// What the result has to meet.
    pub(super) condition: Condition,
    /// Time from one evaluation to the next.
    pub(super) interval: Duration,
    /// Failures in a row that are tolerated.
    pub(super) failure_limit: u32,
}

/// A metric of Argo Rollouts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ArgoMetric {
    /// What a measurement has to meet.
    pub(super) conditions: argo::Conditions,
    /// When it is measured, and when it is decided.
    pub(super) rule: argo::MetricRule,
}

impl Threshold {
    /// The metric of Argo Rollouts that it is, if it is one.
    pub(super) fn argo(&self) -> Option<&ArgoMetric> {
        match &self.rule {
            Rule::Argo(metric) => Some(metric),
            Rule::Pass(_) | Rule::Flagger(_) => None,
        }
    }

    /// Parses a metric's threshold. A check of Flagger joins the template's `analysis`.
    pub(super) fn parse(
        metric: &wire::Metric,
        threshold: &wire::Threshold,
        args: &BTreeMap<String, String>,
        analysis: Option<&mut FlaggerAnalysis>,
    ) -> Result<Self, TemplateError> {
        let field = format!("metrics[{}].threshold", metric.name);
        let query = Query::parse(&format!("{field}.query"), &threshold.query, args)?;
        let own = threshold.interval.is_some() || threshold.failure_limit.is_some();
        let rule = match (&threshold.pass, &threshold.argo, &threshold.flagger) {
            (Some(pass), None, None) => Rule::Pass(parse_pass(&field, pass, threshold)?),
            (None, Some(written), None) if !own => Rule::Argo(argo_metric(&field, written)?),
            (None, None, Some(check)) if !own => {
                let why = "needs spec.flagger of the template: add it".to_owned();
                let analysis = analysis.ok_or_else(|| TemplateError::Unusable {
                    field: format!("{field}.flagger"),
                    why,
                })?;
                if metric.severity == wire::Severity::Info {
                    return Err(TemplateError::Unusable {
                        field: format!("metrics[{}].severity", metric.name),
                        why: "must not be Info: the checks of flagger are counted together"
                            .to_owned(),
                    });
                }
                Rule::Flagger(analysis.join(flagger_check(&field, &metric.name, check)?))
            }
            (None, _, _) if own => {
                let why =
                    "goes with pass: argo and spec.flagger have their own interval".to_owned();
                return Err(TemplateError::Unusable { field: format!("{field}.interval"), why });
            }
            _ => {
                return Err(TemplateError::Choice { field, choice: "pass, argo and flagger" });
            }
        };
        Ok(Self { query, provider: threshold.provider.clone(), rule })
    }
}

fn parse_pass(field: &str, pass: &str, threshold: &wire::Threshold) -> Result<Pass, TemplateError> {
    let interval = threshold.interval.as_ref().map(|interval| {
        interval.to_std().map_err(|source| TemplateError::Interval {
            field: format!("{field}.interval"),
            source,
        })
    });
    Ok(Pass {
        range: longest_range(&threshold.query),
        condition: Condition::compile(pass).map_err(|source| TemplateError::Condition {
            field: format!("{field}.pass"),
            source,
        })?,
        interval: interval.transpose()?.unwrap_or(INTERVAL_DEFAULT),
        failure_limit: threshold.failure_limit.unwrap_or(0),
    })
}

/// What a check of Flagger says in its limits.
pub(super) fn limit_text(limits: flagger::Limits) -> String {
    match limits {
        flagger::Limits::Range { min: Some(min), max: Some(max) } => format!("{min} to {max}"),
        flagger::Limits::Range { min: Some(min), max: None } => format!("at least {min}"),
        flagger::Limits::Range { min: None, max: Some(max) } => format!("at most {max}"),
        flagger::Limits::Range { min: None, max: None } => "any value".to_owned(),
        flagger::Limits::Threshold(bound) => format!("threshold {bound}"),
    }
}
