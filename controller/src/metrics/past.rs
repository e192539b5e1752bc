//! What the stable pods did in the last hours, for `kubectl lockflight aa`: the same windows that
//! a gate would have seen, read by the same code.
//!
//! Raw samples are asked for in pieces, each at a moment of the past. The pieces are read in
//! rounds, as the hub reads what is new, so that the reader forgets and remembers as it does there.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{
    judge::{Arm, Counts, Observation},
    reading::{self, Cursor, PodFacts, Pods, Split},
};

use super::{
    answer::{self, AnswerError},
    comparison::Comparison,
    provider::Provider,
    query::{Builtins, alternation},
    template::{Judge, ResolvedTemplate},
};
use crate::judgement::metric_name;

/// How much is asked for at once: at 15 s and a thousand series about 4 MB of answer.
const PIECE: TimeDelta = TimeDelta::minutes(30);

/// An answer of less time than that which is still too large is one of a selector that is too wide.
const PIECE_MIN: TimeDelta = TimeDelta::minutes(2);

/// Time from one round to the next. A reader forgets a target after five minutes.
const ROUND: TimeDelta = TimeDelta::minutes(2);

/// Scrapes that are read behind the last window, as a gate does.
const SCRAPES_BEHIND: i32 = 6;

/// Scrape interval until the first one is seen.
const INTERVAL_DEFAULT: TimeDelta = TimeDelta::seconds(60);

/// The longest past: two days of windows of 15 s are 11 520.
const SINCE_MAX: TimeDelta = TimeDelta::hours(48);

/// Windows of all metrics together; a window of ten pods takes about 500 B.
const WINDOWS_MAX: usize = 500_000;

/// What is read.
#[derive(Debug, Clone, Copy)]
pub struct PastRequest<'a> {
    /// The name that the windows carry as their cluster's.
    pub cluster: &'a str,
    /// What compares the two revisions; thresholds are passed over.
    pub templates: &'a [ResolvedTemplate],
    /// Only pods whose names begin so; all that the selectors select where it is empty.
    pub pods: &'a str,
    /// How far back, at most 48 hours.
    pub since: TimeDelta,
    /// The shortest window.
    pub window_min: TimeDelta,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct StablePast {
    /// Windows of the stable pods alone, by metric and time.
    pub windows: Vec<Observation>,
    /// Names of the pods in them.
    pub pods: BTreeSet<String>,
    /// Metrics of which there is no window, and why.
    pub complaints: Vec<String>,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The provider does not give what was asked.
    #[error("{0}")]
    Provider(String),
    /// Nothing is compared.
    #[error("no metric compares two revisions: name a template with compare")]
    NoComparison,
    /// The past is too long or too short.
    #[error("--since must be from 2m to 48h")]
    Since,
    /// More windows than fit.
    #[error("more than {WINDOWS_MAX} windows: ask for less time or fewer metrics")]
    TooMany,
}

/// Reads what the stable pods did.
pub async fn stable_past(
    provider: &Provider,
    request: PastRequest<'_>,
) -> Result<StablePast, PastError> {
    if request.since < ROUND || request.since > SINCE_MAX {
        return Err(PastError::Since);
    }
    let failed =
        |error: AnswerError| PastError::Provider(format!("{} {error}", provider.address()));
    let metrics = request.templates.iter().flat_map(|template| {
        template.metrics.iter().filter_map(move |metric| match &metric.judge {
            Judge::Compare(comparison) => Some((template, metric, comparison)),
            Judge::Threshold { .. } => None,
        })
    });
    let now = ask(provider, "time()").await.and_then(|found| answer::time(&found));
    let now = now.map_err(failed)?;
    let mut past =
        StablePast { windows: Vec::new(), pods: BTreeSet::new(), complaints: Vec::new() };
    let mut compared = false;
    for (template, metric, comparison) in metrics {
        compared = true;
        let key = metric_name(template, &metric.name);
        let Split::Pod { label } = &comparison.reading.split else {
            past.complaints.push(format!(
                "{key}: tells revisions apart by a label, not pods, so no pod of stable can play \
                 the canary; use a template with by.pod, for example builtin:app"
            ));
            continue;
        };
        let mut reader = PodReader { request, comparison, label, cursor: Cursor::default() };
        let read = reader.read(provider, now).await.map_err(failed)?;
        past.pods.extend(read.pods);
        if read.windows.is_empty() {
            let why = read.gap.unwrap_or_else(|| "the selector has no series".to_owned());
            past.complaints.push(format!("{key}: {why}"));
        }
        past.windows.extend(read.windows.into_iter().map(|found| Observation {
            metric: key.clone(),
            stream: found.stream,
            cluster: request.cluster.into(),
            window: found.window,
        }));
        if past.windows.len() > WINDOWS_MAX {
            return Err(PastError::TooMany);
        }
    }
    if compared { Ok(past) } else { Err(PastError::NoComparison) }
}

/// Reads one metric.
struct PodReader<'a> {
    request: PastRequest<'a>,
    comparison: &'a Comparison,
    label: &'a str,
    cursor: Cursor,
}

/// What a metric has shown.
#[derive(Default)]
struct ReadPods {
    windows: Vec<reading::StreamWindow>,
    pods: BTreeSet<String>,
    /// The last reason for a round without windows.
    gap: Option<String>,
}

impl PodReader<'_> {
    async fn read(
        &mut self,
        provider: &Provider,
        now: DateTime<Utc>,
    ) -> Result<ReadPods, AnswerError> {
        let selectors = self.selectors();
        let settings = reading::Settings {
            window_min: self.request.window_min,
            ..self.comparison.reading.clone()
        };
        let begin = now - self.request.since;
        let (mut piece, mut from, mut read) = (PIECE, begin, ReadPods::default());
        while from < now {
            let until = now.min(from + piece);
            let behind = self.behind();
            let samples = match samples(provider, &selectors, until, until - from + behind).await {
                Err(AnswerError::TooLarge(_)) if piece > PIECE_MIN => {
                    piece = (piece / 2).max(PIECE_MIN);
                    continue;
                }
                found => found?,
            };
            // Within an attempt a level never falls; these are the pasts of many.
            self.cursor = std::mem::take(&mut self.cursor).without_level();
            let pods = self.pods(&samples);
            read.pods.extend(pods.keys().map(ToString::to_string));
            let mut at = from;
            while at < until {
                let next = until.min(at + ROUND);
                let span = next - at + behind;
                let part =
                    samples.iter().map(|answer| within(answer, next, span)).collect::<Vec<_>>();
                at = next;
                let Some(answers) = self.comparison.source.answers(&part) else { continue };
                let round = reading::Round {
                    settings: &settings,
                    pods: &pods,
                    answers: &answers,
                    since: begin,
                    skew: TimeDelta::zero(),
                };
                let found = reading::read(&self.cursor, &round);
                self.cursor = found.cursor;
                read.gap = found.gap.map(|gap| gap.to_string()).or(read.gap);
                read.windows.extend(found.windows.into_iter().map(all_stable));
            }
            from = until;
        }
        Ok(read)
    }

    /// Time that is read behind what is new.
    fn behind(&self) -> TimeDelta {
        let interval = self.cursor.scrape_interval().unwrap_or(INTERVAL_DEFAULT);
        interval.max(self.request.window_min) * SCRAPES_BEHIND
    }

    fn selectors(&self) -> Vec<String> {
        let prefix = self.request.pods;
        let pods = if prefix.is_empty() { String::new() } else { alternation([prefix]) } + ".*";
        let builtins = Builtins {
            window: String::new(),
            canary_pods: pods.clone(),
            stable_pods: pods,
            revision: "",
            cluster: self.request.cluster,
        };
        self.comparison.source.selectors(&builtins)
    }

    /// The pods in the answers. A window has both arms, so every second one plays the canary
    /// while it is read.
    fn pods(&self, samples: &[reading::Answer]) -> Pods {
        let series = samples.iter().flat_map(|answer| &answer.series);
        let names: BTreeSet<&str> = series
            .filter_map(|series| series.labels.get(self.label).map(String::as_str))
            .filter(|name| name.starts_with(self.request.pods))
            .collect();
        let arms = [Arm::Canary, Arm::Stable].into_iter().cycle();
        names.into_iter().zip(arms).map(|(name, arm)| (name.into(), PodFacts::of(arm))).collect()
    }
}

/// The samples of each selector in the `span` up to a moment.
async fn samples(
    provider: &Provider,
    selectors: &[String],
    at: DateTime<Utc>,
    span: TimeDelta,
) -> Result<Vec<reading::Answer>, AnswerError> {
    let mut found = Vec::with_capacity(selectors.len());
    let (seconds, ms) = (span.num_seconds().max(1), at.timestamp_millis());
    for selector in selectors {
        let query = format!("{selector}[{seconds}s] @ {}.{:03}", ms / 1000, ms % 1000);
        let series = answer::series(ask(provider, &query).await?)?;
        found.push(reading::Answer {
            evaluated_at: at,
            range: TimeDelta::seconds(seconds),
            series,
        });
    }
    Ok(found)
}

async fn ask(provider: &Provider, query: &str) -> Result<answer::Answer, AnswerError> {
    let limit: Duration = provider.timeout();
    let answer = tokio::time::timeout(limit, provider.ask(query)).await;
    answer.unwrap_or(Err(AnswerError::TimedOut(limit.as_millis())))
}

/// What an answer would have held, had it been given at that moment.
fn within(answer: &reading::Answer, at: DateTime<Utc>, span: TimeDelta) -> reading::Answer {
    let known = |moment: DateTime<Utc>| moment > at - span && moment <= at;
    let series = answer.series.iter().filter_map(|series| {
        let floats: Vec<_> =
            series.floats.iter().filter(|sample| known(sample.at)).copied().collect();
        let histograms: Vec<_> =
            series.histograms.iter().filter(|sample| known(sample.at)).cloned().collect();
        let labels = series.labels.clone();
        (!floats.is_empty() || !histograms.is_empty()).then_some(reading::RawSeries {
            labels,
            floats,
            histograms,
        })
    });
    reading::Answer { evaluated_at: at, range: span, series: series.collect() }
}

/// The window, with its pods as what they are.
fn all_stable(found: reading::StreamWindow) -> reading::StreamWindow {
    let mut window = found.window;
    if let Counts::Cells(cells) = &mut window.counts {
        for cell in cells {
            cell.arm = Arm::Stable;
        }
    }
    reading::StreamWindow { window, ..found }
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
