//! Thresholds that decide as Argo Rollouts and Flagger do.
//!
//! The decisions are those of [`lockflight_analysis::compat`]; here is what they live in: which
//! metrics make a run or an analysis, when they are asked, and what a person reads of it.
//! What is counted lives in memory, and in `status.evidence.counters` for a hub that starts again
//! ([`super::counters`]).

mod argo;
mod flagger;
mod parse;

use chrono::{DateTime, Utc};
use lockflight_analysis::{MetricVerdict, judge::MetricName};

use self::{argo::Runs, flagger::Analyses};
pub(super) use self::{
    flagger::FlaggerAnalysis,
    parse::{argo_metric, flagger_check},
};
use super::{
    answer::{self, Answer},
    counters::{KeptAnalysis, KeptRun},
    plan::PlannedMetric,
    state::GateRequest,
    template::Judge,
    threshold::Rule,
};

/// Values shown of an answer; a query may return a thousand.
const SHOWN_VALUES_MAX: usize = 4;

/// What is kept between rounds.
#[derive(Debug, Default)]
pub(super) struct Compat {
    runs: Runs,
    analyses: Analyses,
}

impl Compat {
    /// Takes up what a request asks for. With `new_step` what belongs to a step starts over.
    pub(super) fn turn_to(&mut self, request: &GateRequest, new_step: bool) {
        self.runs.turn_to(request, new_step);
        self.analyses.turn_to(request, new_step);
    }

    /// What the runs of the step and of the attempt have counted.
    pub(super) fn kept_runs(&self) -> (Option<KeptRun>, Option<KeptRun>) {
        self.runs.kept()
    }

    /// What the analyses have counted, by template.
    pub(super) fn kept_analyses(&self) -> Vec<(String, KeptAnalysis)> {
        self.analyses.kept()
    }

    /// Counts on where another process stopped, before anything else.
    pub(super) fn count_on(
        &mut self,
        (step, attempt): (Option<KeptRun>, Option<KeptRun>),
        analyses: Vec<(String, KeptAnalysis)>,
    ) {
        self.runs = Runs::counting_on(step, attempt);
        self.analyses = Analyses::counting_on(analyses);
    }

    /// Whether a metric is to be asked now.
    pub(super) fn is_due(
        &self,
        template: &str,
        key: &MetricName,
        rule: &Rule,
        now: DateTime<Utc>,
    ) -> bool {
        let at = match rule {
            Rule::Argo(_) => self.runs.next_at(key),
            Rule::Flagger(_) => self.analyses.next_at(template),
            Rule::Pass(_) => None,
        };
        at.is_some_and(|at| at <= now)
    }

    /// A measurement has begun that takes its time.
    pub(super) fn begin(&mut self, key: &MetricName) {
        self.runs.begin(key);
    }

    /// The next time at which something is to be asked.
    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        [self.runs.earliest(), self.analyses.earliest()].into_iter().flatten().min()
    }

    /// Takes in a round: for each metric that was asked, its answer or why there is none.
    pub(super) fn take(
        &mut self,
        plan: &[PlannedMetric<'_>],
        answered: impl Fn(&PlannedMetric<'_>) -> Option<Result<Answer, String>>,
        now: DateTime<Utc>,
    ) {
        for planned in plan {
            let Judge::Threshold(threshold) = &planned.metric.judge else { continue };
            let Some(answer) = answered(planned) else { continue };
            match &threshold.rule {
                Rule::Pass(_) => {}
                Rule::Argo(metric) => self.runs.record(&planned.key, metric, answer, now),
                Rule::Flagger(position) => {
                    let values = answer.and_then(|a| answer::values(&a).map_err(|e| e.to_string()));
                    self.analyses.read(planned.template, *position, values);
                }
            }
        }
        self.runs.assess();
        self.analyses.tick(now);
    }

    /// Whether a metric is neither passed nor failed, and will not be measured again.
    pub(super) fn is_inconclusive(&self, key: &MetricName) -> bool {
        self.runs.is_inconclusive(key)
    }

    /// The verdict of a metric; none for one that is judged otherwise.
    pub(super) fn verdict(&self, planned: &PlannedMetric<'_>) -> Option<MetricVerdict> {
        let Judge::Threshold(threshold) = &planned.metric.judge else { return None };
        match &threshold.rule {
            Rule::Pass(_) => None,
            Rule::Argo(metric) => {
                Some(self.runs.verdict(&planned.key, &planned.metric.name, metric))
            }
            Rule::Flagger(position) => {
                Some(self.analyses.verdict(planned.template, *position, &planned.metric.name))
            }
        }
    }
}

/// Some of the values of an answer.
fn shown(values: &[f64]) -> String {
    let mut text: Vec<String> =
        values.iter().take(SHOWN_VALUES_MAX).map(|value| format!("{value}")).collect();
    if values.is_empty() {
        text.push("nothing".to_owned());
    }
    if values.len() > SHOWN_VALUES_MAX {
        text.push(format!("and {} more", values.len() - SHOWN_VALUES_MAX));
    }
    text.join(", ")
}

#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod tests;
