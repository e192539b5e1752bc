//! One round of a gate: ask everything at once, then judge.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use lockflight_analysis::{
    ArmWindow, Birth, ComparisonRule, MetricVerdict, Series, Verdict, Windows, compare, gate,
    reaches_back, scrape_interval, threshold,
};
use tokio::time::{Instant, timeout_at};

use super::{
    answer::{self, Answer, AnswerError},
    arms::{self, BothArms},
    pace::{ROUND_MAX, ROUND_MIN, after_silence, until_next_scrape},
    plan::{Plan, PlannedMetric, Question, SKEW_MAX, TIME},
    provider::Provider,
    state::{Evidence, GateRequest, GateState, ThresholdState},
    template::{By, Judge, ResolvedMetric},
};

/// Requests to one provider at once.
const REQUESTS_AT_ONCE: usize = 16;

/// Since a gate opened, missing data mean nothing for so long: new pods have to be found and
/// scraped, and a rate needs two samples.
const FIRST_SAMPLES_MIN: TimeDelta = TimeDelta::seconds(10);

/// The same in scrapes.
const FIRST_SAMPLES_SCRAPES: i32 = 3;

/// Asks the provider and judges what it says. Never fails: what cannot be read is a verdict.
pub async fn evaluate(
    provider: &Provider,
    request: &GateRequest,
    state: &mut GateState,
) -> Evidence {
    state.turn_to(request);
    let asked_at = Utc::now();
    let plan = Plan::new(request, state, asked_at);
    let answers = ask_all(provider, plan.queries()).await;
    let answered_at = Utc::now();

    let silent = answers.values().all(Result::is_err);
    state.silent_rounds = if silent { state.silent_rounds.saturating_add(1) } else { 0 };
    let (judged_at, judgeable) = match now_of(provider, &answers, asked_at, answered_at) {
        Ok(now) => (now, Ok(())),
        Err((verdict, message)) => (answered_at, Err((verdict, message))),
    };
    let mut round = Round { provider, request, answers, judged_at, newest: Vec::new() };
    let metrics = plan.metrics.iter().map(|planned| match &judgeable {
        Ok(()) => {
            let judged = round.judge(&plan, planned, state);
            round.awaiting_first_samples(judged, state)
        }
        Err((verdict, message)) => unjudged(planned.metric, *verdict, message),
    });
    let gate = gate(metrics.collect());
    let next_round_in = if state.silent_rounds > 0 {
        after_silence(state.silent_rounds)
    } else {
        next_round(&plan, &round, state)
    };
    Evidence { gate, opened_at: request.opened_at, judged_at, next_round_in }
}

type Answers = BTreeMap<String, Result<Answer, AnswerError>>;

/// Asks all queries at once; whatever has not been answered at the deadline has timed out.
async fn ask_all(provider: &Provider, queries: Vec<String>) -> Answers {
    let deadline = Instant::now() + provider.timeout();
    stream::iter(queries)
        .map(|query| async move {
            let answer = timeout_at(deadline, provider.ask(&query)).await;
            let timed_out = |_| AnswerError::TimedOut(provider.timeout().as_millis());
            let answer = answer.map_err(timed_out).and_then(|answer| answer);
            (query, answer)
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .collect()
        .await
}

/// The provider's time; or why nothing can be judged in this round.
fn now_of(
    provider: &Provider,
    answers: &Answers,
    asked_at: DateTime<Utc>,
    answered_at: DateTime<Utc>,
) -> Result<DateTime<Utc>, (Verdict, String)> {
    let now = answered(answers, TIME)
        .and_then(answer::time)
        .map_err(|error| (Verdict::Error, format!("{} {error}", provider.address())))?;
    // It said so at some time between the question and the answer.
    let ahead = now - answered_at;
    let behind = asked_at - now;
    let skew = ahead.max(behind);
    if skew > SKEW_MAX {
        let message = format!(
            "clock skew: the clock of {} differs from the hub's by {} s; synchronise them",
            provider.address(),
            skew.num_seconds()
        );
        return Err((Verdict::NoData, message));
    }
    Ok(now)
}

fn answered<'a>(answers: &'a Answers, query: &str) -> Result<&'a Answer, AnswerError> {
    match answers.get(query) {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(error.clone()),
        None => Err(AnswerError::Unusable("nothing".to_owned())),
    }
}

/// The answers of one round, and what was learned from them.
struct Round<'a> {
    provider: &'a Provider,
    request: &'a GateRequest,
    answers: Answers,
    judged_at: DateTime<Utc>,
    /// Times of the newest samples of the canary's sources.
    newest: Vec<DateTime<Utc>>,
}

impl Round<'_> {
    fn judge(
        &mut self,
        plan: &Plan<'_>,
        planned: &PlannedMetric<'_>,
        state: &mut GateState,
    ) -> MetricVerdict {
        let judged = match &planned.question {
            Question::NotDue(verdict) => Ok(verdict.clone()),
            Question::Threshold(query) => self.judge_threshold(planned, query, state),
            Question::Compare { bad, total, by, rule } => {
                self.read_arms(total, by).and_then(|total| {
                    let bad = bad.as_ref().map(|bad| self.read_arms(bad, by)).transpose()?;
                    self.learn(&total.canary, state);
                    Ok(self.judge_comparison(plan, planned.metric, rule, by, bad, total, state))
                })
            }
        };
        judged.unwrap_or_else(|error| {
            let message = format!("{}: {} {error}", planned.metric.name, self.provider.address());
            unjudged(planned.metric, Verdict::Error, &message)
        })
    }

    /// The verdict, but data that can hardly be there yet are only waited for.
    fn awaiting_first_samples(&self, judged: MetricVerdict, state: &GateState) -> MetricVerdict {
        let scrapes = state.scrape_interval.map(|interval| interval * FIRST_SAMPLES_SCRAPES);
        let patience = scrapes.map_or(FIRST_SAMPLES_MIN, |span| span.max(FIRST_SAMPLES_MIN));
        if judged.verdict != Verdict::NoData || self.judged_at - self.request.opened_at > patience {
            return judged;
        }
        let message = format!("{}: waits for the first samples of this step", judged.metric);
        MetricVerdict { verdict: Verdict::Watch, message, ..judged }
    }

    fn read_arms(&self, query: &str, by: &By) -> Result<BothArms, AnswerError> {
        let counters = answer::counters(answered(&self.answers, query)?)?;
        Ok(arms::sort(counters, by, self.request))
    }

    /// Keeps what these samples say about the scrapes.
    fn learn(&mut self, canary: &[Series], state: &mut GateState) {
        state.scrape_interval = scrape_interval(canary).or(state.scrape_interval);
        let mut newest: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
        for series in canary {
            for sample in &series.samples {
                let at = newest.entry(&series.source).or_insert(sample.at);
                *at = sample.at.max(*at);
            }
        }
        self.newest.extend(newest.into_values());
    }

    #[expect(clippy::too_many_arguments, reason = "each is one thing the comparison looks at")]
    fn judge_comparison(
        &self,
        plan: &Plan<'_>,
        metric: &ResolvedMetric,
        rule: &ComparisonRule,
        by: &By,
        bad: Option<BothArms>,
        total: BothArms,
        state: &GateState,
    ) -> MetricVerdict {
        if total.unlabelled && self.request.both_arms {
            let label = match by {
                By::Pod(label) => label,
                By::Label { name, .. } => name,
            };
            let message = format!("no series of the total has the label {label}: name another one");
            return unjudged(metric, Verdict::NoData, &message);
        }
        // Older samples are only bases. When the lookback no longer covers the opening, events
        // count from where it begins, and a canary's first value says nothing any more.
        let covered_since = self.judged_at - plan.lookback + plan.interval * 2;
        let opened_at = self.request.opened_at.max(covered_since);
        let covered = opened_at == self.request.opened_at;
        let bad = bad.unwrap_or_default();
        let stable = ArmWindow { bad: bad.stable, total: total.stable };
        let windows = Windows {
            opened_at,
            judged_at: self.judged_at,
            scrape_interval: state.scrape_interval,
            canary_birth: match by {
                By::Pod(_) if covered => Birth::FromZero,
                By::Pod(_) | By::Label { .. } => Birth::Unknown,
            },
            canary: ArmWindow { bad: bad.canary, total: total.canary },
            stable: self.request.both_arms.then_some(stable),
        };
        compare(&metric.name, rule, &windows)
    }

    fn judge_threshold(
        &self,
        planned: &PlannedMetric<'_>,
        query: &str,
        state: &mut GateState,
    ) -> Result<MetricVerdict, AnswerError> {
        let metric = planned.metric;
        let Judge::Threshold { condition, failure_limit, range, .. } = &metric.judge else {
            return Err(AnswerError::Unusable("nothing".to_owned()));
        };
        let values = answer::values(answered(&self.answers, query)?)?;
        let key = (planned.template.to_owned(), metric.name.clone());
        let before = state.thresholds.get(&key).map_or(0, |threshold| threshold.failures);
        let (mut verdict, mut failures) =
            threshold(&metric.name, condition, &values, *failure_limit, before);
        let reaching = range.and_then(|r| reaches_back(r, self.request.opened_at, self.judged_at));
        if let Some(until) = reaching.filter(|_| verdict.verdict != Verdict::Error) {
            let until = until.format("%H:%M:%S");
            verdict.verdict = Verdict::Watch;
            verdict.message = format!(
                "evidence reaches back before the step: until {until} UTC; use {{{{window}}}}"
            );
            failures = before;
        }
        let threshold =
            ThresholdState { failures, evaluated_at: Instant::now(), verdict: verdict.clone() };
        state.thresholds.insert(key, threshold);
        Ok(verdict)
    }
}

fn unjudged(metric: &ResolvedMetric, verdict: Verdict, message: &str) -> MetricVerdict {
    MetricVerdict {
        metric: metric.name.clone(),
        verdict,
        observed: String::new(),
        limit: String::new(),
        samples: None,
        message: message.to_owned(),
    }
}

/// Wait until there can be something new: the next scrape, or a threshold's next turn.
fn next_round(plan: &Plan<'_>, round: &Round<'_>, state: &GateState) -> Duration {
    let mut wait = ROUND_MAX;
    for planned in &plan.metrics {
        let due = match &planned.metric.judge {
            Judge::Compare { .. } => {
                let newest = round.newest.iter().copied();
                until_next_scrape(newest, state.scrape_interval, round.judged_at)
            }
            Judge::Threshold { interval, .. } => {
                let key = (planned.template.to_owned(), planned.metric.name.clone());
                let passed =
                    state.thresholds.get(&key).map_or(Duration::ZERO, |t| t.evaluated_at.elapsed());
                interval.saturating_sub(passed)
            }
        };
        wait = wait.min(due);
    }
    wait.clamp(ROUND_MIN, ROUND_MAX)
}
