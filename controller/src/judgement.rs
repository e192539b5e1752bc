//! The judge of one attempt and what it has been shown: shared by the gates of all members, for
//! the fleet's evidence is one.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::judge::{
    Calibration, ClusterName, Evidence, Judge, Margin, Margins, MetricName, MetricPlan,
    Observation, Standing,
};
use lockflight_crds::{EvidencePolicy, EvidenceStatus, Severity};

use crate::{
    metrics::ResolvedTemplate,
    recording::{Before, Recorder, Tape},
    shelf::Key,
};

/// Length of the evidence in the status, as the schema allows it.
const STATE_LENGTH_MAX: usize = 400_000;

/// Length of the levels of gauges there, in names and digits.
const LEVELS_LENGTH_MAX: usize = 100_000;

/// Parts of the chance of a false abort that critical and normal metrics share.
const CRITICAL_SHARE: f64 = 0.8;
const NORMAL_SHARE: f64 = 0.2;

/// The judge's name for the scrapes of the pods themselves.
pub const SCRAPE_HEALTH: &str = "scrape-health";

/// Part of the chance of a false abort that the health of the scrapes has.
const SCRAPE_HEALTH_SHARE: f64 = 0.05;

/// How many more scrapes may fail than stable's: a pod that cannot be scraped now and then is
/// no regression.
const SCRAPES_TOLERATED: Margin = Margin { ratio: 2.0, difference: 0.05 };

/// Chance of error, and length of an episode, where what the status says cannot be read.
const CHANCE_DEFAULT: f64 = 0.05;
const EPISODE_DEFAULT: TimeDelta = TimeDelta::seconds(60);

/// Which attempt is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The revision on trial.
    pub revision: String,
    /// The number of the attempt.
    pub attempt: i64,
}

/// The judge of one attempt.
#[derive(Debug)]
pub struct Judgement {
    trial: Trial,
    judge: Judge,
    /// Attempts of this revision, this one included.
    attempts: u32,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    evidence: Evidence,
    calibrations: BTreeMap<(MetricName, ClusterName), Calibration>,
    /// Levels of gauges by metric and cluster, in the form in which the status keeps them.
    levels: BTreeMap<String, BTreeMap<String, String>>,
    /// Where it is recorded, if it is.
    tape: Option<Tape>,
}

impl Judgement {
    /// The judge of a trial. It goes on with what was known of the same attempt, carries over
    /// what was known of an earlier one of the same revision, and knows nothing of others.
    #[must_use]
    pub fn open(trial: Trial, judge: Judge, known: Option<&EvidenceStatus>) -> Self {
        let known = known.filter(|known| known.revision == trial.revision);
        // Another attempt finds stable with all of its traffic again.
        let levels = known.filter(|known| known.attempt == trial.attempt);
        let levels = levels.map(|known| known.levels.clone()).unwrap_or_default();
        let decoded = known.and_then(|known| Some((known, decode(known)?)));
        let (evidence, attempts) = match decoded {
            Some((known, evidence)) if known.attempt == trial.attempt => (evidence, known.attempts),
            Some((known, evidence)) => (evidence.next_attempt(), known.attempts.saturating_add(1)),
            None => (Evidence::default(), 1),
        };
        let seen = Mutex::new(Seen { evidence, levels, ..Seen::default() });
        Self { trial, judge, attempts, seen }
    }

    /// The trial.
    #[must_use]
    pub fn trial(&self) -> &Trial {
        &self.trial
    }

    /// How it judges.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Takes in the windows of a round and says where the evidence stands now.
    #[must_use]
    pub fn take(&self, round: Vec<Observation>) -> Standing {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { evidence, calibrations, tape, levels: _ } = &mut *seen;
        if !round.is_empty() {
            if let Some(tape) = tape {
                let (judge, attempts) = (&self.judge, self.attempts);
                tape.round(Before { judge, attempts, evidence, calibrations }, &round);
            }
            let report = self.judge.observe(evidence, calibrations, round);
            tracing::debug!(revision = self.trial.revision, ?report, "windows judged");
        }
        self.judge.standing(evidence)
    }

    /// End of the last window of a metric in a cluster that was taken in.
    #[must_use]
    pub fn counted_until(&self, metric: &str, cluster: &str) -> Option<DateTime<Utc>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.evidence.counted_until(metric, cluster)
    }

    /// Sets what stable shows against itself; the first word counts for the whole attempt.
    pub fn calibrate(&self, metric: &MetricName, cluster: &ClusterName, found: Calibration) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { calibrations, tape, .. } = &mut *seen;
        if let Entry::Vacant(place) = calibrations.entry((metric.clone(), cluster.clone())) {
            place.insert(found);
            if let Some(tape) = tape {
                tape.calibrated(metric, cluster, &found);
            }
        }
    }

    /// The level of a gauge that was reached in a cluster earlier in this attempt.
    #[must_use]
    pub fn level(&self, metric: &str, cluster: &str) -> Option<f64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let level = seen.levels.get(metric)?.get(cluster)?.parse::<f64>().ok()?;
        level.is_finite().then_some(level)
    }

    /// Keeps the level of a gauge for a hub that starts again.
    pub fn keep_level(&self, metric: &str, cluster: &str, level: f64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let of_metric = seen.levels.entry(metric.to_owned()).or_default();
        // The shortest form that reads as the same number.
        of_metric.insert(cluster.to_owned(), level.to_string());
    }

    /// A member is through with its steps: its evidence is fixed.
    pub fn finish(&self, cluster: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.evidence.finish(cluster);
        if let Some(tape) = &mut seen.tape {
            tape.finished(cluster);
        }
    }

    /// Records from now on what it is shown, where that is not being done yet.
    pub fn record(&self, recorder: &Recorder, rollout: &Key) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.tape.get_or_insert_with(|| Tape::new(recorder, rollout, &self.trial));
    }

    /// What a restarted hub needs to go on; none when it is too large for the status, and then a
    /// restart costs time but no truth.
    #[must_use]
    pub fn status(&self) -> Option<EvidenceStatus> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let state = BASE64_STANDARD.encode(seen.evidence.encode());
        if state.len() > STATE_LENGTH_MAX {
            tracing::warn!(length = state.len(), "the evidence is too large for the status");
            return None;
        }
        Some(EvidenceStatus {
            revision: self.trial.revision.clone(),
            attempt: self.trial.attempt,
            attempts: self.attempts,
            state,
            levels: kept(&seen.levels),
        })
    }
}

/// The levels, as far as the status has room for them; without them they are chosen anew.
fn kept(
    levels: &BTreeMap<String, BTreeMap<String, String>>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let texts = levels.iter().flat_map(|(metric, of_metric)| {
        let pairs = of_metric.iter().map(|(cluster, level)| cluster.len() + level.len());
        std::iter::once(metric.len()).chain(pairs)
    });
    let length: usize = texts.sum();
    if length <= LEVELS_LENGTH_MAX {
        return levels.clone();
    }
    tracing::warn!(length, "the levels of the gauges are too large for the status");
    BTreeMap::new()
}

fn decode(known: &EvidenceStatus) -> Option<Evidence> {
    let bytes = BASE64_STANDARD.decode(&known.state).ok()?;
    match Evidence::decode(&bytes) {
        Ok(evidence) => Some(evidence),
        Err(error) => {
            tracing::warn!(%error, "the evidence so far is lost; it is gathered anew");
            None
        }
    }
}

/// The judge that a plan asks for.
#[must_use]
pub fn judge_of(
    templates: &[ResolvedTemplate],
    clusters: Vec<ClusterName>,
    policy: &EvidencePolicy,
) -> Judge {
    let compared: Vec<_> = templates
        .iter()
        .flat_map(|template| {
            template.metrics.iter().map(move |metric| (metric_name(template, &metric.name), metric))
        })
        .filter_map(|(name, metric)| Some((name, metric.severity, metric.comparison()?)))
        .collect();
    let count = |severity| compared.iter().filter(|(_, of, _)| *of == severity).count();
    let weights = Weights::of(count(Severity::Critical), count(Severity::Normal));
    let others = 1.0 - SCRAPE_HEALTH_SHARE;
    let metrics = compared.iter().map(|(name, severity, comparison)| MetricPlan {
        name: name.clone(),
        weight: weights.of_metric(*severity) * others,
        promotes: *severity != Severity::Info,
        margins: comparison.margins,
        streams: comparison.streams,
    });
    let health = MetricPlan {
        name: SCRAPE_HEALTH.into(),
        weight: SCRAPE_HEALTH_SHARE,
        promotes: false,
        margins: Margins { tolerate: SCRAPES_TOLERATED, ..Margins::default() },
        streams: 1,
    };
    Judge {
        metrics: metrics.chain([health]).collect(),
        clusters,
        false_abort: policy.false_aborts.parse().unwrap_or(CHANCE_DEFAULT),
        missed: policy.missed.parse().unwrap_or(CHANCE_DEFAULT),
        episode: policy
            .episode
            .to_std()
            .ok()
            .and_then(|span| TimeDelta::from_std(span).ok())
            .unwrap_or(EPISODE_DEFAULT),
    }
}

/// The name under which the judge knows a metric: unique over the templates of a rollout.
#[must_use]
pub fn metric_name(template: &ResolvedTemplate, metric: &str) -> MetricName {
    format!("{}/{metric}", template.name).into()
}

/// The part of each metric in the chance of a false abort.
struct Weights {
    critical: f64,
    normal: f64,
}

impl Weights {
    fn of(critical: usize, normal: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "metrics are few")]
        let each = |share: f64, metrics: usize| share / metrics.max(1) as f64;
        match (critical, normal) {
            (_, 0) => Self { critical: each(1.0, critical), normal: 0.0 },
            (0, _) => Self { critical: 0.0, normal: each(1.0, normal) },
            (_, _) => Self {
                critical: each(CRITICAL_SHARE, critical),
                normal: each(NORMAL_SHARE, normal),
            },
        }
    }

    fn of_metric(&self, severity: Severity) -> f64 {
        match severity {
            Severity::Critical => self.critical,
            Severity::Normal => self.normal,
            Severity::Info => 0.0,
        }
    }
}

/// Windows of the present step in one member.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepCount {
    /// Windows that the metric with the fewest has had.
    pub windows: u32,
    /// Canary events that the metric with the fewest has had; none where no metric counts any.
    pub events: Option<u64>,
    /// Start of the first window of the metric that was last to have one.
    pub first_at: Option<DateTime<Utc>>,
}

impl StepCount {
    /// Counts a window of this step that began at `begins_at`.
    pub(crate) fn add(&mut self, begins_at: DateTime<Utc>, events: Option<u64>) {
        self.windows = self.windows.saturating_add(1);
        if let Some(events) = events {
            self.events = Some(self.events.unwrap_or(0).saturating_add(events));
        }
        self.first_at = Some(self.first_at.map_or(begins_at, |first| first.min(begins_at)));
    }

    /// What both metrics have had.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            windows: self.windows.min(other.windows),
            events: self.events.into_iter().chain(other.events).min(),
            first_at: self.first_at.zip(other.first_at).map(|(a, b)| a.max(b)),
        }
    }
}
