//! What a round asks.

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{ComparisonRule, MetricVerdict};

use super::{
    pace::ROUND_MIN,
    query::{Builtins, Query, alternation},
    state::{GateRequest, GateState},
    template::{By, Judge, ResolvedMetric},
};

/// The query for the provider's time.
pub(super) const TIME: &str = "time()";

/// Clocks that differ by more are not synchronised: what opened when cannot be told.
pub(super) const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// Scrape interval assumed until the first one is seen; Prometheus's own default, so that the
/// first round already reads far enough back to see it.
const SCRAPE_INTERVAL_DEFAULT: TimeDelta = TimeDelta::seconds(60);

/// How far back counters are read, at least and at most.
const LOOKBACK_MIN: TimeDelta = TimeDelta::seconds(15);
const LOOKBACK_MAX: TimeDelta = TimeDelta::minutes(10);

/// The longest `{{window}}`, as the schema of `AnalysisTemplate` promises.
const WINDOW_MAX: TimeDelta = TimeDelta::minutes(5);

/// What is asked in one round.
pub(super) struct Plan<'a> {
    /// The metrics, in the request's order.
    pub(super) metrics: Vec<PlannedMetric<'a>>,
    /// How far back counters are read.
    pub(super) lookback: TimeDelta,
    /// Scrape interval that the lookback allows for.
    pub(super) interval: TimeDelta,
}

/// A metric and what it asks this time.
pub(super) struct PlannedMetric<'a> {
    /// Name of its template.
    pub(super) template: &'a str,
    /// The metric.
    pub(super) metric: &'a ResolvedMetric,
    /// What it asks.
    pub(super) question: Question<'a>,
}

/// What a metric asks.
pub(super) enum Question<'a> {
    /// Raw counters; bad ones only where there is something to compare with.
    Compare {
        /// Query for the bad events.
        bad: Option<String>,
        /// Query for all events.
        total: String,
        /// How the arms are told apart.
        by: &'a By,
        /// How they are compared.
        rule: &'a ComparisonRule,
    },
    /// The query of a threshold that is due.
    Threshold(String),
    /// A threshold that is not due yet, and its last verdict.
    NotDue(MetricVerdict),
}

impl<'a> Plan<'a> {
    /// Plans a round. `now` is the hub's time, and never becomes the time of a query: it only
    /// decides how far to look back from whatever time the provider has.
    pub(super) fn new(request: &'a GateRequest, state: &GateState, now: DateTime<Utc>) -> Self {
        let open_for = (now - request.opened_at).max(TimeDelta::zero());
        let interval = state.scrape_interval.unwrap_or(SCRAPE_INTERVAL_DEFAULT);
        // The provider's clock may be ahead of the hub's, up to the tolerated skew.
        let lookback = (open_for + interval * 2 + SKEW_MAX).clamp(LOOKBACK_MIN, LOOKBACK_MAX);
        let builtins = Builtins {
            window: format!("{}s", open_for.min(WINDOW_MAX).num_seconds().max(1)),
            canary_pods: alternation(&request.canary_pods),
            stable_pods: alternation(&request.stable_pods),
            revision: &request.revision,
            cluster: &request.cluster,
        };
        let counters = |selector: &Query| {
            format!("{}[{}s]", selector.render(&builtins), lookback.num_seconds())
        };
        let ask = |template: &str, metric: &'a ResolvedMetric| match &metric.judge {
            Judge::Compare { bad, total, by, rule } => Question::Compare {
                bad: request.both_arms.then(|| counters(bad)),
                total: counters(total),
                by,
                rule,
            },
            Judge::Threshold { query, interval, .. } => {
                let key = (template.to_owned(), metric.name.clone());
                match state.thresholds.get(&key) {
                    // A round that is due a moment later would come for this metric alone.
                    Some(last) if last.evaluated_at.elapsed() + ROUND_MIN / 2 < *interval => {
                        Question::NotDue(last.verdict.clone())
                    }
                    _ => Question::Threshold(query.render(&builtins)),
                }
            }
        };
        let metrics = request
            .analysis
            .iter()
            .flat_map(|template| template.metrics.iter().map(move |m| (template.name.as_str(), m)))
            .map(|(template, metric)| PlannedMetric {
                template,
                metric,
                question: ask(template, metric),
            })
            .collect();
        Self { metrics, lookback, interval }
    }

    /// Every distinct query once, the one for the provider's time included.
    pub(super) fn queries(&self) -> Vec<String> {
        let mut queries = vec![TIME.to_owned()];
        for planned in &self.metrics {
            match &planned.question {
                Question::Compare { bad, total, .. } => {
                    queries.extend(bad.clone());
                    queries.push(total.clone());
                }
                Question::Threshold(query) => queries.push(query.clone()),
                Question::NotDue(_) => {}
            }
        }
        queries.sort_unstable();
        queries.dedup();
        queries
    }
}
