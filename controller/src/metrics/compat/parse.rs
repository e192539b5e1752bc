//! Metrics of Argo Rollouts and of Flagger, from the template's fields.

use std::time::Duration;

use lockflight_analysis::compat::{
    argo::{Conditions, Expression, MetricRule},
    flagger::{Check, CheckKind, Limits},
};
use lockflight_crds as wire;

use crate::metrics::{template::TemplateError, threshold::ArgoMetric};

/// A metric of Argo Rollouts; `field` is that of its threshold.
pub(crate) fn argo_metric(
    field: &str,
    argo: &wire::ArgoMetric,
) -> Result<ArgoMetric, TemplateError> {
    let unusable = |name: &str, why: String| TemplateError::Unusable {
        field: format!("{field}.argo.{name}"),
        why,
    };
    let expression = |name: &str, text: &Option<String>| {
        let compiled = text.as_deref().map(Expression::compile).transpose();
        compiled.map_err(|error| unusable(name, error.to_string()))
    };
    if argo.count.is_some_and(|count| count > 1) && argo.interval.is_none() {
        return Err(unusable("interval", "must be set where count is more than 1".to_owned()));
    }
    let interval = argo.interval.as_ref();
    Ok(ArgoMetric {
        conditions: Conditions {
            success: expression("successCondition", &argo.success_condition)?,
            failure: expression("failureCondition", &argo.failure_condition)?,
        },
        rule: MetricRule {
            count: argo.count,
            interval: interval
                .map(|interval| span(&format!("{field}.argo.interval"), interval))
                .transpose()?,
            initial_delay: span(&format!("{field}.argo.initialDelay"), &argo.initial_delay)?,
            failure_limit: i64::from(argo.failure_limit),
            inconclusive_limit: i64::from(argo.inconclusive_limit),
            consecutive_error_limit: i64::from(argo.consecutive_error_limit),
            consecutive_success_limit: i64::from(argo.consecutive_success_limit),
        },
    })
}

/// A check of Flagger; `field` is that of its threshold.
pub(crate) fn flagger_check(
    field: &str,
    name: &str,
    check: &wire::FlaggerCheck,
) -> Result<Check, TemplateError> {
    let field = format!("{field}.flagger");
    let bound = |name: &str, text: &str| {
        text.parse::<f64>().ok().filter(|bound| bound.is_finite()).ok_or_else(|| {
            let why = "must be a decimal number, for example \"99.5\"".to_owned();
            TemplateError::Unusable { field: format!("{field}.{name}"), why }
        })
    };
    let ends = |range: &wire::FlaggerRange| {
        let end = |name: &str, text: &Option<String>| {
            text.as_deref().map(|text| bound(&format!("thresholdRange.{name}"), text)).transpose()
        };
        Ok(Limits::Range { min: end("min", &range.min)?, max: end("max", &range.max)? })
    };
    let limits = match (&check.threshold_range, &check.threshold) {
        (Some(range), None) if range.min.is_some() || range.max.is_some() => ends(range)?,
        (None, Some(threshold)) => Limits::Threshold(bound("threshold", threshold)?),
        _ => {
            let choice = "thresholdRange, with min or max, and threshold";
            return Err(TemplateError::Choice { field, choice });
        }
    };
    let kind = match check.kind {
        wire::FlaggerKind::RequestSuccessRate => CheckKind::RequestSuccessRate,
        wire::FlaggerKind::RequestDuration => CheckKind::RequestDuration,
        wire::FlaggerKind::InlineQuery => CheckKind::InlineQuery,
        wire::FlaggerKind::Template => CheckKind::Template,
    };
    Ok(Check { name: name.to_owned(), kind, limits })
}

/// A duration of a template.
pub(super) fn span(field: &str, text: &wire::Duration) -> Result<Duration, TemplateError> {
    text.to_std().map_err(|source| TemplateError::Interval { field: field.to_owned(), source })
}
