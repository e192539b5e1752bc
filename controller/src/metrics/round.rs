//! One round of a gate: ask everything at once, then judge.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use lockflight_analysis::{
    GateVerdict, MetricVerdict, Verdict, gate, reaches_back, reading, threshold,
};

use super::{
    answer::{self, Answer, AnswerError},
    asked,
    batch::Desk,
    compared, history,
    jobs::{LOOK_EVERY, Running},
    pace::{ROUND_MAX, ROUND_MIN, after_silence, until_next_scrape},
    plan::{PlannedMetric, Question, SKEW_MAX, plan},
    sources::Sources,
    state::{Evidence, GateRequest, GateState, ThresholdState},
    template::{Judge, ResolvedMetric},
    threshold::{Rule, Threshold},
};
use crate::judgement::Judgement;

/// Since a gate opened, missing data mean nothing for so long: new pods have to be found and
/// scraped, and a rate needs two samples.
const FIRST_SAMPLES_MIN: TimeDelta = TimeDelta::seconds(10);

/// The same in scrapes.
const FIRST_SAMPLES_SCRAPES: i32 = 3;

/// Asks the provider and judges what it says. Never fails: what cannot be read is a verdict.
pub async fn evaluate(
    sources: &Sources,
    request: &GateRequest,
    state: &mut GateState,
    judgement: &Judgement,
) -> Evidence {
    let desk = sources.own();
    if state.is_new()
        && let Some(counted) = judgement.counted(&request.cluster)
    {
        state.count_on(&counted, &request.revision);
    }
    state.turn_to(request);
    let asked_at = sources.now();
    let plan = plan(request, state, asked_at);
    let turns = begin_jobs(sources, request, &plan, state);
    let (time, answers) = ask_all(sources, &plan, &turns).await;
    end_jobs(&plan, &turns, &answers, state);
    let answered_at = sources.now();

    let silent = time.is_err() && answers.values().all(Result::is_err);
    state.silent_rounds = if silent { state.silent_rounds.saturating_add(1) } else { 0 };
    let (judged_at, unusable) = match now_of(desk, time, asked_at, answered_at) {
        Ok(now) => (now, None),
        Err((verdict, message)) => (answered_at, Some((verdict, message))),
    };
    let round = Round { sources, request, answers, judged_at };
    if unusable.is_none() {
        history::learn(desk, request, &plan, state, judgement).await;
    }
    let comparing = compared::compare(&round, &plan, state, judgement, unusable.is_none());
    state.compat.take(&plan, |planned| round.measured(planned), answered_at);
    let metrics = plan.iter().map(|planned| {
        if let Some(verdict) = state.compat.verdict(planned) {
            return verdict;
        }
        if let Some((verdict, message)) = &unusable {
            return unjudged(planned.metric, *verdict, message);
        }
        let judged = match &planned.question {
            Question::NotDue(verdict) => verdict.clone(),
            Question::Threshold(_) if state.jobs.is_under_way(&planned.key) => {
                let message = format!("{}: its Job is under way", planned.metric.name);
                unjudged(planned.metric, Verdict::Watch, &message)
            }
            Question::Threshold(_) | Question::Waits => round.judge_threshold(planned, state),
            Question::Compare(..) | Question::Count(..) => comparing.verdict(planned),
        };
        round.awaiting_first_samples(judged, state)
    });
    let gate = combine(&plan, metrics.collect());
    if let Some(counted) = state.counted() {
        judgement.keep_counted(&request.cluster, counted);
    }
    let next_round_in = if state.silent_rounds > 0 {
        after_silence(state.silent_rounds)
    } else {
        next_round(&plan, judged_at, state)
    };
    let next_round_in = next_round_in.min(until_due(state, answered_at));
    let next_round_in =
        if state.jobs.are_under_way() { next_round_in.min(LOOK_EVERY) } else { next_round_in };
    let mut shut = plan
        .iter()
        .zip(&gate.metrics)
        .filter(|(planned, metric)| planned.metric.decides() && metric.verdict != Verdict::Pass);
    let undecided = gate.verdict == Verdict::NoData
        && shut.all(|(planned, _)| state.compat.is_inconclusive(&planned.key));
    let asked = plan.iter().map(|one| asked::of(one, request, round.measured(one))).collect();
    Evidence {
        undecided,
        asked,
        fleet: comparing.fleet && gate.verdict == Verdict::Fail,
        gate,
        compared: comparing.compared,
        opened_at: request.opened_at,
        judged_at,
        next_round_in,
    }
}

/// The gate's verdict. Metrics that only inform are shown with the others and decide nothing.
fn combine(plan: &[PlannedMetric<'_>], metrics: Vec<MetricVerdict>) -> GateVerdict {
    let decides = plan.iter().map(|planned| planned.metric.decides());
    let deciding = metrics.iter().zip(decides).filter(|(_, decides)| *decides);
    let gate = gate(deciding.map(|(metric, _)| metric.clone()).collect());
    GateVerdict { metrics, ..gate }
}

/// The Jobs that are to be begun or looked at, by the place of their metric.
fn begin_jobs(
    sources: &Sources,
    request: &GateRequest,
    plan: &[PlannedMetric<'_>],
    state: &mut GateState,
) -> BTreeMap<usize, Running> {
    let mut turns = BTreeMap::new();
    for planned in plan {
        let Question::Threshold(_) = planned.question else { continue };
        let Some(source) = sources.jobs(planned.metric) else { continue };
        state.compat.begin(&planned.key);
        turns.insert(planned.place, state.jobs.turn(&planned.key, source, request));
    }
    turns
}

/// Takes note of the Jobs that have ended, or could not be looked at.
fn end_jobs(
    plan: &[PlannedMetric<'_>],
    turns: &BTreeMap<usize, Running>,
    answers: &Answers,
    state: &mut GateState,
) {
    for planned in plan.iter().filter(|planned| turns.contains_key(&planned.place)) {
        match answers.get(&planned.place) {
            Some(Ok(_)) => state.jobs.finish(&planned.key),
            Some(Err(_)) => state.jobs.give_up(&planned.key),
            None => {}
        }
    }
}

/// What a provider's refusal means to people.
fn complaint(desk: &Desk, error: &AnswerError) -> String {
    format!("{} {error}", desk.provider().address())
}

/// What a question was answered with.
pub(super) enum Answered {
    /// The result of a query.
    Result(Answer),
    /// Raw samples, one answer per selector.
    Samples(Vec<reading::Answer>),
}

/// Answers by the place of the metric in the plan.
type Answers = BTreeMap<usize, Result<Answered, AnswerError>>;

/// Asks everything at once. Each answer has its own deadline.
async fn ask_all(
    sources: &Sources,
    plan: &[PlannedMetric<'_>],
    turns: &BTreeMap<usize, Running>,
) -> (Result<DateTime<Utc>, AnswerError>, Answers) {
    let desk = sources.own();
    let questions = plan.iter().map(|planned| async move {
        let answer = match &planned.question {
            Question::NotDue(_) | Question::Waits => return None,
            Question::Threshold(query) => {
                match (turns.get(&planned.place), planned.desk(sources)) {
                    (Some(job), _) => {
                        let passed = job.look(query).await.transpose()?;
                        passed.map(|passed| Answered::Result(Answer::Job(passed)))
                    }
                    (None, Ok(desk)) => desk.query(query.clone()).await.map(Answered::Result),
                    (None, Err(error)) => Err(error),
                }
            }
            Question::Compare(raw, _) | Question::Count(raw, _) => {
                let parts = raw.selectors.iter().map(|one| desk.raw(one.clone(), raw.seconds));
                let answers = join_all(parts).await.into_iter().collect::<Result<Vec<_>, _>>();
                answers.map(Answered::Samples)
            }
        };
        Some((planned.place, answer))
    });
    let (time, answers) = tokio::join!(desk.time(), join_all(questions));
    (time, answers.into_iter().flatten().collect())
}

/// The provider's time; or why nothing can be judged in this round.
fn now_of(
    desk: &Desk,
    time: Result<DateTime<Utc>, AnswerError>,
    asked_at: DateTime<Utc>,
    answered_at: DateTime<Utc>,
) -> Result<DateTime<Utc>, (Verdict, String)> {
    let address = desk.provider().address();
    let now = time.map_err(|error| (Verdict::Error, format!("{address} {error}")))?;
    // It said so at some time between the question and the answer.
    let ahead = now - answered_at;
    let behind = asked_at - now;
    let skew = ahead.max(behind);
    if skew > SKEW_MAX {
        let message = format!(
            "clock skew: the clock of {address} differs from the hub's by {} s; synchronise them",
            skew.num_seconds()
        );
        return Err((Verdict::NoData, message));
    }
    Ok(now)
}

/// The answers of one round.
pub(super) struct Round<'a> {
    sources: &'a Sources,
    pub(super) request: &'a GateRequest,
    answers: Answers,
    pub(super) judged_at: DateTime<Utc>,
}

impl Round<'_> {
    /// Raw samples that a metric was answered with.
    pub(super) fn samples(&self, place: usize) -> Result<&[reading::Answer], String> {
        match self.answers.get(&place) {
            Some(Ok(Answered::Samples(samples))) => Ok(samples),
            Some(Err(error)) => Err(complaint(self.sources.own(), error)),
            Some(Ok(Answered::Result(_))) | None => Err("was not asked".to_owned()),
        }
    }

    fn complaint(&self, planned: &PlannedMetric<'_>, error: &AnswerError) -> String {
        complaint(planned.desk(self.sources).unwrap_or(self.sources.own()), error)
    }

    /// The verdict, but data that can hardly be there yet are only waited for.
    fn awaiting_first_samples(&self, judged: MetricVerdict, state: &GateState) -> MetricVerdict {
        let scrapes = state.scrape_interval().map(|interval| interval * FIRST_SAMPLES_SCRAPES);
        let patience = scrapes.map_or(FIRST_SAMPLES_MIN, |span| span.max(FIRST_SAMPLES_MIN));
        if judged.verdict != Verdict::NoData || self.judged_at - self.request.opened_at > patience {
            return judged;
        }
        let message = format!("{}: waits for the first samples of this step", judged.metric);
        MetricVerdict { verdict: Verdict::Watch, message, ..judged }
    }

    fn judge_threshold(&self, planned: &PlannedMetric<'_>, state: &mut GateState) -> MetricVerdict {
        let metric = planned.metric;
        let Judge::Threshold(Threshold { rule: Rule::Pass(pass), .. }) = &metric.judge else {
            let message = format!("{}: is not a threshold", metric.name);
            return unjudged(metric, Verdict::Error, &message);
        };
        let values = match self.result(planned) {
            Ok(values) => values,
            Err(message) => {
                let message = format!("{}: {message}", metric.name);
                return unjudged(metric, Verdict::Error, &message);
            }
        };
        let before = state.failures(&planned.key);
        let (mut verdict, mut failures) =
            threshold(&metric.name, &pass.condition, &values, pass.failure_limit, before);
        let opened_at = self.request.opened_at;
        let reaching = pass.range.and_then(|range| reaches_back(range, opened_at, self.judged_at));
        if let Some(until) = reaching.filter(|_| verdict.verdict != Verdict::Error) {
            let until = until.format("%H:%M:%S");
            verdict.verdict = Verdict::Watch;
            verdict.message = format!(
                "{}: evidence reaches back before the step: until {until} UTC; use {{{{window}}}}",
                metric.name
            );
            failures = before;
        }
        let threshold = ThresholdState {
            failures,
            evaluated_at: tokio::time::Instant::now(),
            verdict: verdict.clone(),
        };
        state.thresholds.insert(planned.key.clone(), threshold);
        verdict
    }

    /// What a metric was answered with, if it was asked for a query's result.
    fn measured(&self, planned: &PlannedMetric<'_>) -> Option<Result<Answer, String>> {
        match self.answers.get(&planned.place)? {
            Ok(Answered::Result(answer)) => Some(Ok(answer.clone())),
            Ok(Answered::Samples(_)) => None,
            Err(error) => Some(Err(self.complaint(planned, error))),
        }
    }

    fn result(&self, planned: &PlannedMetric<'_>) -> Result<Vec<f64>, String> {
        match self.answers.get(&planned.place) {
            Some(Ok(Answered::Result(answer))) => {
                answer::values(answer).map_err(|error| self.complaint(planned, &error))
            }
            Some(Err(error)) => Err(self.complaint(planned, error)),
            Some(Ok(Answered::Samples(_))) | None => Err("was not asked".to_owned()),
        }
    }
}

/// A verdict without a measurement.
pub(super) fn unjudged(metric: &ResolvedMetric, verdict: Verdict, message: &str) -> MetricVerdict {
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
fn next_round(plan: &[PlannedMetric<'_>], now: DateTime<Utc>, state: &GateState) -> Duration {
    let mut wait = ROUND_MAX;
    for planned in plan {
        let due = match &planned.metric.judge {
            Judge::Compare(_) => {
                let reader = state.readers.get(&planned.key);
                let newest = reader.into_iter().flat_map(|reader| reader.newest.iter().copied());
                until_next_scrape(newest, state.scrape_interval(), now)
            }
            Judge::Threshold(_) if state.jobs.is_under_way(&planned.key) => continue,
            Judge::Threshold(Threshold { rule: Rule::Pass(pass), .. }) => {
                let last = state.thresholds.get(&planned.key);
                let passed = last.map_or(Duration::ZERO, |last| last.evaluated_at.elapsed());
                pass.interval.saturating_sub(passed)
            }
            Judge::Threshold(_) => continue,
        };
        wait = wait.min(due);
    }
    wait.clamp(ROUND_MIN, ROUND_MAX)
}

/// Wait until a run or an analysis has something to ask.
fn until_due(state: &GateState, now: DateTime<Utc>) -> Duration {
    let due = state.compat.next_at().map(|at| (at - now).to_std().unwrap_or_default());
    due.map_or(ROUND_MAX, |wait| wait.clamp(ROUND_MIN, ROUND_MAX))
}
