//! What a round asks.

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::MetricVerdict;

use super::{
    answer::AnswerError,
    batch::Desk,
    comparison::Comparison,
    pace::ROUND_MIN,
    query::{Builtins, alternation},
    sources::Sources,
    state::{GateRequest, GateState, Reader},
    template::{Judge, ResolvedMetric},
    threshold::Rule,
};
use crate::judgement::metric_name;
use lockflight_analysis::judge::{Arm, MetricName};

/// Clocks that differ by more are not synchronised: what opened when cannot be told.
pub(super) const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// Scrape interval assumed until the first one is seen; Prometheus's own default, so that the
/// first round already reads far enough back to see it.
const SCRAPE_INTERVAL_DEFAULT: TimeDelta = TimeDelta::seconds(60);

/// Scrapes that are read behind the last window that was counted, or behind the opening: the
/// base of the first delta, and whatever came late.
const SCRAPES_BEHIND: i32 = 6;

/// How far back counters are read, at least and at most.
const LOOKBACK_MIN: TimeDelta = TimeDelta::seconds(15);
const LOOKBACK_MAX: TimeDelta = TimeDelta::minutes(15);

/// What is due within this time is asked now.
const SOON: TimeDelta = TimeDelta::milliseconds(50);

/// The longest `{{window}}`, as the schema of `AnalysisTemplate` promises.
const WINDOW_MAX: TimeDelta = TimeDelta::minutes(5);

/// A metric and what it asks this time.
pub(super) struct PlannedMetric<'a> {
    /// Its place in the plan.
    pub(super) place: usize,
    /// The name of its template.
    pub(super) template: &'a str,
    /// The name under which the judge and the thresholds know it.
    pub(super) key: MetricName,
    /// The metric.
    pub(super) metric: &'a ResolvedMetric,
    /// What it asks.
    pub(super) question: Question<'a>,
}

impl PlannedMetric<'_> {
    /// Who is asked for it.
    pub(super) fn desk<'s>(&self, sources: &'s Sources) -> Result<&'s Desk, AnswerError> {
        sources.desk(self.metric)
    }
}

/// Selectors of raw samples, and how far back they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    /// The selectors: of the bad events and of all, or of the histogram or gauge alone.
    pub(super) selectors: Vec<String>,
    /// The seconds.
    pub(super) seconds: u32,
}

/// What a metric asks.
pub(super) enum Question<'a> {
    /// Raw samples of both revisions.
    Compare(Raw, &'a Comparison),
    /// Samples of the canary alone: there is nothing to compare with.
    Count(Raw, &'a Comparison),
    /// The query of a threshold that is due.
    Threshold(String),
    /// A threshold that is not due yet, and its last verdict.
    NotDue(MetricVerdict),
    /// A metric of a run or analysis that is not due: its verdict comes from there.
    Waits,
}

/// Plans a round. `now` is the hub's time, and never becomes the time of a query: it only
/// decides how far to look back from whatever time the provider has.
pub(super) fn plan<'a>(
    request: &'a GateRequest,
    state: &GateState,
    now: DateTime<Utc>,
) -> Vec<PlannedMetric<'a>> {
    let open_for = (now - request.opened_at).max(TimeDelta::zero());
    let builtins = Builtins {
        window: format!("{}s", open_for.min(WINDOW_MAX).num_seconds().max(1)),
        canary_pods: alternation(request.pods_of(Arm::Canary)),
        stable_pods: alternation(request.pods_of(Arm::Stable)),
        revision: &request.revision,
        cluster: &request.cluster,
    };
    // A round that is due a moment later would come for one metric alone.
    let soon = now + SOON;
    let question =
        |template: &str, key: &MetricName, metric: &'a ResolvedMetric| match &metric.judge {
            Judge::Compare(comparison) => {
                let reader = state.readers.get(key).filter(|reader| reader.mark == comparison.mark);
                let seconds = lookback(reader, request.opened_at, now);
                let source = &comparison.source;
                if request.both_arms {
                    let selectors = source.selectors(&builtins);
                    Question::Compare(Raw { selectors, seconds }, comparison)
                } else {
                    let selectors = source.selector_of_all(&builtins);
                    Question::Count(Raw { selectors, seconds }, comparison)
                }
            }
            Judge::Threshold(threshold) => {
                let ask = || Question::Threshold(threshold.query.render(&builtins));
                match (&threshold.rule, state.thresholds.get(key)) {
                    _ if state.jobs.is_under_way(key) => ask(),
                    (Rule::Pass(pass), Some(last))
                        if last.evaluated_at.elapsed() + ROUND_MIN / 2 < pass.interval =>
                    {
                        Question::NotDue(last.verdict.clone())
                    }
                    (Rule::Pass(_), _) => ask(),
                    (rule, _) if state.compat.is_due(template, key, rule, soon) => ask(),
                    (Rule::Argo(_) | Rule::Flagger(_), _) => Question::Waits,
                }
            }
        };
    request
        .analysis
        .iter()
        .flat_map(|template| template.metrics.iter().map(move |metric| (template, metric)))
        .enumerate()
        .map(|(place, (template, metric))| {
            let key = metric_name(template, &metric.name);
            let question = question(&template.name, &key, metric);
            PlannedMetric { place, template: &template.name, question, key, metric }
        })
        .collect()
}

/// Seconds from now back to what has been counted, and some scrapes more.
fn lookback(reader: Option<&Reader>, opened_at: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
    let interval = reader
        .and_then(|reader| reader.cursor.scrape_interval())
        .unwrap_or(SCRAPE_INTERVAL_DEFAULT);
    let counted = reader.and_then(|reader| reader.cursor.counted_until());
    let from = counted.map_or(opened_at, |counted| counted.max(opened_at)).min(now);
    // The provider's clock may be ahead of the hub's, up to the tolerated skew.
    let span = (now - from) + interval * SCRAPES_BEHIND + SKEW_MAX;
    let seconds = span.clamp(LOOKBACK_MIN, LOOKBACK_MAX).num_seconds();
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// The series of a histogram in its native form and in classic buckets, whichever there are.
pub(super) fn both_forms(selector: &str) -> String {
    let (name, matchers) = selector.split_once('{').unwrap_or((selector, "}"));
    let name = name.trim();
    if name.is_empty() {
        return selector.to_owned();
    }
    let matchers = matchers.trim().trim_end_matches('}').trim_end_matches(',');
    let comma = if matchers.is_empty() { "" } else { "," };
    format!("{{__name__=~\"{name}|{name}_bucket\"{comma}{matchers}}}")
}

#[cfg(test)]
mod tests {
    use super::both_forms;

    #[test]
    fn a_histogram_has_two_forms() {
        let cases = [
            ("h", r#"{__name__=~"h|h_bucket"}"#),
            ("h{}", r#"{__name__=~"h|h_bucket"}"#),
            (r#"h{a="b",}"#, r#"{__name__=~"h|h_bucket",a="b"}"#),
            (r#"{__name__=~"x"}"#, r#"{__name__=~"x"}"#),
        ];
        for (selector, expect) in cases {
            assert_eq!(both_forms(selector), expect);
        }
    }
}
