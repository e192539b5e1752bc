//! Runs of Argo Rollouts.
//!
//! The metrics of a Rollout's templates make two runs in each member. Those with an end make one in
//! every step, as an analysis step does: the step waits for it. Those without one make a run over
//! the whole attempt, as a background analysis does: a step waits for it only while its newest
//! measurement is none that speaks for the release.

use chrono::{DateTime, Utc};
use lockflight_analysis::{
    MetricVerdict, Verdict,
    compat::argo::{Measured, MetricRule, MetricState, Phase, Run, RunMetric},
    judge::MetricName,
};
use lockflight_crds::Severity;

use super::shown;
use crate::{
    judgement::metric_name,
    metrics::{
        answer::Answer,
        counters::{KeptRun, time},
        state::GateRequest,
        template::Judge,
        threshold::ArgoMetric,
    },
};

/// Both runs of a member.
#[derive(Debug, Default)]
pub(super) struct Runs {
    step: Option<OpenRun>,
    attempt: Option<OpenRun>,
}

/// A run and what its metrics are called.
#[derive(Debug)]
struct OpenRun {
    run: Run,
    /// In the order of the run's metrics.
    labels: Vec<Label>,
}

#[derive(Debug, Clone)]
struct Label {
    key: MetricName,
    /// What the newest measurement saw, or why it saw nothing.
    seen: String,
}

/// Whether a metric has no end of its own.
fn is_endless(rule: &MetricRule) -> bool {
    rule.effective_count().is_none() && rule.consecutive_success_limit <= 0
}

impl Runs {
    /// Takes up the metrics of a request.
    pub(super) fn turn_to(&mut self, request: &GateRequest, new_step: bool) {
        if new_step {
            self.step = None;
        }
        self.step = renewed(self.step.take(), request, false);
        self.attempt = renewed(self.attempt.take(), request, true);
        self.assess();
    }

    /// What was counted, of the step and of the attempt.
    pub(super) fn kept(&self) -> (Option<KeptRun>, Option<KeptRun>) {
        let kept = |open: &Option<OpenRun>| {
            let OpenRun { run, labels } = open.as_ref()?;
            let states = labels.iter().zip(&run.metrics);
            Some(KeptRun {
                started_at_ms: run.started_at.timestamp_millis(),
                metrics: states
                    .map(|(label, metric)| (label.key.to_string(), (&metric.state).into()))
                    .collect(),
            })
        };
        (kept(&self.step), kept(&self.attempt))
    }

    /// Runs that count on. Their rules come with the next request.
    pub(super) fn counting_on(step: Option<KeptRun>, attempt: Option<KeptRun>) -> Self {
        let open = |kept: KeptRun| {
            let started_at = time(kept.started_at_ms)?;
            let (mut metrics, mut labels) = (Vec::new(), Vec::new());
            for (key, state) in kept.metrics {
                labels.push(Label { key: key.as_str().into(), seen: String::new() });
                let (rule, state) = (MetricRule::default(), landed(state.into()));
                metrics.push(RunMetric { rule, state, dry_run: false });
            }
            Some(OpenRun { run: Run { started_at, metrics, terminate: false }, labels })
        };
        Self { step: step.and_then(open), attempt: attempt.and_then(open) }
    }

    /// Judges what was recorded.
    pub(super) fn assess(&mut self) {
        for open in [&mut self.step, &mut self.attempt].into_iter().flatten() {
            open.run.assess();
        }
    }

    /// When a metric is to be measured; none if it is not.
    pub(super) fn next_at(&self, key: &MetricName) -> Option<DateTime<Utc>> {
        let (open, metric, _) = self.find(key)?;
        metric.state.next_at(&metric.rule, open.run.started_at, open.run.is_terminating())
    }

    /// The earliest time at which any metric is to be measured.
    pub(super) fn earliest(&self) -> Option<DateTime<Utc>> {
        let open = [&self.step, &self.attempt].into_iter().flatten();
        open.flat_map(|open| &open.labels).filter_map(|label| self.next_at(&label.key)).min()
    }

    /// A measurement has begun that takes its time.
    pub(super) fn begin(&mut self, key: &MetricName) {
        for open in [&mut self.step, &mut self.attempt].into_iter().flatten() {
            let found = open.labels.iter().zip(&mut open.run.metrics);
            for (_, running) in found.filter(|(label, _)| label.key == *key) {
                running.state.begin();
            }
        }
    }

    /// Takes in a measurement: an answer, or why there is none.
    pub(super) fn record(
        &mut self,
        key: &MetricName,
        metric: &ArgoMetric,
        answer: Result<Answer, String>,
        now: DateTime<Utc>,
    ) {
        let has_conditions =
            metric.conditions.success.is_some() || metric.conditions.failure.is_some();
        let (phase, seen) = match answer {
            // As there: what a Job says needs no condition.
            Ok(Answer::Job(passed)) if !has_conditions => {
                let phase = if passed { Phase::Successful } else { Phase::Failed };
                (phase, if passed { "succeeded" } else { "failed" }.to_owned())
            }
            Ok(answer) => {
                let (measured, seen) = measured(&answer);
                let (phase, error) = metric.conditions.phase(&measured);
                (phase, error.map_or(seen, |error| error.to_string()))
            }
            Err(why) => (Phase::Error, why),
        };
        for open in [&mut self.step, &mut self.attempt].into_iter().flatten() {
            let found = open.labels.iter_mut().zip(&mut open.run.metrics);
            for (label, running) in found.filter(|(label, _)| label.key == *key) {
                running.state.record(phase, now);
                label.seen.clone_from(&seen);
            }
        }
    }

    fn find(&self, key: &MetricName) -> Option<(&OpenRun, &RunMetric, &Label)> {
        [&self.step, &self.attempt].into_iter().flatten().find_map(|open| {
            let mut metrics = open.run.metrics.iter().zip(&open.labels);
            let (metric, label) = metrics.find(|(_, label)| label.key == *key)?;
            Some((open, metric, label))
        })
    }

    /// Whether a metric is neither passed nor failed, and will not be measured again.
    pub(super) fn is_inconclusive(&self, key: &MetricName) -> bool {
        self.find(key).is_some_and(|(_, metric, _)| metric.state.phase == Phase::Inconclusive)
    }

    /// What a metric has come to.
    pub(super) fn verdict(
        &self,
        key: &MetricName,
        name: &str,
        metric: &ArgoMetric,
    ) -> MetricVerdict {
        let (verdict, sentence, seen) = match self.find(key) {
            Some((_, running, label)) => {
                let (verdict, sentence) = judged(running);
                (verdict, sentence, label.seen.clone())
            }
            None => (Verdict::Watch, "has no run yet".to_owned(), String::new()),
        };
        let mut message = format!("{name}: {sentence}");
        if !seen.is_empty() {
            message = format!("{message}; last: {seen}");
        }
        if let Some(trap) = metric.conditions.trap() {
            message = format!("{message}; warning: {trap}");
        }
        let limit = [
            metric.conditions.success.as_ref().map(|c| format!("success: {}", c.text())),
            metric.conditions.failure.as_ref().map(|c| format!("failure: {}", c.text())),
        ];
        MetricVerdict {
            metric: name.to_owned(),
            verdict,
            observed: seen,
            limit: limit.into_iter().flatten().collect::<Vec<_>>().join("; "),
            samples: None,
            message,
        }
    }
}

/// The run of the metrics with or without an end; what is known of them is kept.
fn renewed(old: Option<OpenRun>, request: &GateRequest, endless: bool) -> Option<OpenRun> {
    let started_at = old.as_ref().map_or(request.opened_at, |old| old.run.started_at);
    let known: Vec<(Label, MetricState)> = old
        .into_iter()
        .flat_map(|old| old.labels.into_iter().zip(old.run.metrics.into_iter().map(|m| m.state)))
        .collect();
    let (mut metrics, mut labels) = (Vec::new(), Vec::new());
    for template in &request.analysis {
        for metric in &template.metrics {
            let Judge::Threshold(threshold) = &metric.judge else { continue };
            let Some(argo) = threshold.argo().filter(|argo| is_endless(&argo.rule) == endless)
            else {
                continue;
            };
            let key = metric_name(template, &metric.name);
            let (label, state) =
                known.iter().find(|(label, _)| label.key == key).cloned().unwrap_or_else(|| {
                    (Label { key, seen: String::new() }, MetricState::default())
                });
            let dry_run = metric.severity == Severity::Info;
            metrics.push(RunMetric { rule: argo.rule.clone(), state, dry_run });
            labels.push(label);
        }
    }
    let run = Run { started_at, metrics, terminate: false };
    (!labels.is_empty()).then_some(OpenRun { run, labels })
}

/// A measurement that was under way in another process is looked at once more: its Job has the
/// same name.
fn landed(mut state: MetricState) -> MetricState {
    if state.is_in_flight() {
        let before = match &state {
            MetricState { consecutive_error: 1.., .. } => Some(Phase::Error),
            MetricState { consecutive_success: 1.., .. } => Some(Phase::Successful),
            MetricState { count: 1.., .. } => Some(Phase::Failed),
            _ => None,
        };
        state.last = before.map(|phase| (phase, Some(DateTime::UNIX_EPOCH)));
    }
    state
}

/// A result as a condition sees it, and as a person does.
fn measured(answer: &Answer) -> (Measured, String) {
    match answer {
        Answer::Scalar(_, value) => (Measured::Scalar(*value), shown(&[*value])),
        Answer::Job(passed) => {
            let value = f64::from(u8::from(*passed));
            (Measured::Scalar(value), shown(&[value]))
        }
        Answer::Vector(values) => (Measured::Vector(values.clone()), shown(values)),
        Answer::Matrix(series) => {
            let samples = series.iter().flat_map(|series| &series.floats);
            let values: Vec<f64> = samples.map(|sample| sample.value).collect();
            (Measured::Vector(values.clone()), shown(&values))
        }
    }
}

/// The verdict that follows from a metric's phase, and why.
fn judged(metric: &RunMetric) -> (Verdict, String) {
    let RunMetric { rule, state, .. } = metric;
    let of = |count: u32, what: &str, limit: i64, name: &str| {
        format!("{count} {what} measurements, {name} is {limit}")
    };
    let errors = || {
        let limit = rule.consecutive_error_limit;
        format!("{} errors in a row, consecutiveErrorLimit is {limit}", state.consecutive_error)
    };
    match state.phase {
        Phase::Successful => {
            (Verdict::Pass, format!("{} of {} successful", state.successful, state.count))
        }
        Phase::Failed if rule.failure_limit < 0 => {
            let needed = rule.consecutive_success_limit;
            (Verdict::Fail, format!("Failed: never {needed} successful measurements in a row"))
        }
        Phase::Failed => {
            let why = of(state.failed, "failed", rule.failure_limit, "failureLimit");
            (Verdict::Fail, format!("Failed: {why}"))
        }
        Phase::Error => (Verdict::Fail, format!("Error: {}", errors())),
        Phase::Inconclusive => {
            let limit = rule.inconclusive_limit;
            let why = of(state.inconclusive, "inconclusive", limit, "inconclusiveLimit");
            (Verdict::NoData, format!("Inconclusive, a person has to decide: {why}"))
        }
        Phase::Pending => (Verdict::Watch, "waits for its first measurement".to_owned()),
        Phase::Running => match (rule.effective_count(), state.last) {
            (_, Some((Phase::Running, _))) => {
                (Verdict::Watch, "a measurement is under way".to_owned())
            }
            (_, Some((Phase::Error, _))) => (Verdict::Error, errors()),
            (None, Some((Phase::Successful, _))) if is_endless(rule) => (
                Verdict::Pass,
                format!("{} of {} successful so far", state.successful, state.count),
            ),
            (Some(count), _) => {
                (Verdict::Watch, format!("{} of {count} measurements taken", state.count))
            }
            (None, _) => (
                Verdict::Watch,
                format!("{} of {} successful so far", state.successful, state.count),
            ),
        },
    }
}
