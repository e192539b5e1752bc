//! A plan with everything that its forecast follows from.

use chrono::{DateTime, Utc};
use kube::ResourceExt as _;
use lockflight_analysis::{
    judge::{Calibration, Judge},
    trust::Load,
};
use lockflight_crds::{PlanStatus, Rollout};

use super::{Compared, Expected, PlanView};
use crate::{
    draft::draft,
    hub::Hub,
    judgement::{judge_of, metric_name},
    metrics::{Comparison, ResolvedTemplate, Subject},
    validate::resolve_all,
};

/// A rollout's plan, and the templates that it is gated by.
#[derive(Debug)]
pub struct Planned {
    /// The rollout.
    pub rollout: Rollout,
    /// What it will do.
    pub plan: PlanStatus,
    /// Whether the hub has committed to it.
    pub stored: bool,
    /// What gates it.
    pub templates: Vec<ResolvedTemplate>,
}

impl Planned {
    /// The plan that the hub has stored, or the one that a new attempt would get from the
    /// clusters, templates and providers of `hub`. Fails with all that is wrong with the spec.
    pub fn of(rollout: Rollout, hub: &Hub, now: DateTime<Utc>) -> Result<Self, Vec<String>> {
        let known = rollout.status.as_ref().and_then(|status| status.plan.clone());
        let stored = known.is_some();
        let plan = match known {
            Some(plan) => plan,
            None => draft(&rollout, hub, now)?,
        };
        let namespace = rollout.namespace().unwrap_or_default();
        let subject = Subject { namespace: &namespace, rollout: &rollout.name_any() };
        let mut problems = Vec::new();
        let templates = resolve_all(&plan.analysis, subject, hub, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { rollout, plan, stored, templates })
    }

    /// The judge of its comparisons; none where nothing is compared.
    #[must_use]
    pub fn judge(&self) -> Option<Judge> {
        if !self.templates.iter().any(ResolvedTemplate::compares) {
            return None;
        }
        let clusters = self.plan.waves.iter().flat_map(|wave| &wave.clusters);
        let clusters = clusters.map(|name| name.as_str().into()).collect();
        Some(judge_of(&self.templates, clusters, &self.plan.evidence))
    }

    /// The metric that forecasts are made for: the first that decides and counts events. Of a
    /// gauge no number of requests tells how soon it decides.
    #[must_use]
    pub fn counted_metric(&self) -> Option<String> {
        let counted = self.templates.iter().flat_map(|template| {
            let counting = template.metrics.iter().filter(|metric| {
                metric.decides() && metric.comparison().is_some_and(Comparison::counts_events)
            });
            counting.map(|metric| metric_name(template, &metric.name))
        });
        let counted: Vec<_> = counted.collect();
        let judge = self.judge()?;
        let decisive = judge.metrics.iter().find(|metric| counted.contains(&metric.name));
        decisive.map(|metric| metric.name.to_string())
    }

    /// What a person or a program reads of it. With traffic there are forecasts.
    #[must_use]
    pub fn view(&self, expected: Option<Expected>) -> PlanView {
        let judge = self.judge();
        let metrics = self.templates.iter().flat_map(|template| &template.metrics);
        let deciding = metrics.filter(|metric| metric.decides());
        let warm_ups = deciding.filter_map(|metric| Some(metric.comparison()?.warm_up()));
        let warm_up = warm_ups.max().unwrap_or_default();
        let compared = judge.as_ref().map(|judge| Compared { judge, warm_up });
        PlanView::of(&self.rollout, &self.plan, self.stored, compared, expected)
    }
}

impl Expected {
    /// Traffic of which only the amount and the share of bad requests are known; batches and
    /// pods are as the judge expects them before it has measured any.
    #[must_use]
    pub fn usual(metric: String, requests_per_second: f64, bad_share: f64, measured: bool) -> Self {
        let Calibration { batch_mean, pod_sd, .. } = Calibration::default();
        let load = Load { requests_per_second, bad_share, batch_mean, pod_sd };
        Self { metric, load, measured }
    }
}
