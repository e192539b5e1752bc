//! The judge of one attempt and what it has been shown: shared by the gates of all members, for
//! the fleet's evidence is one.

mod memory;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::judge::{
    Calibration, ClusterName, Evidence, Judge, Margin, Margins, MetricName, MetricPlan,
    Observation, Standing,
};
use lockflight_crds::{EvidencePolicy, Severity};

pub use self::memory::{LeftOut, Memory, Saved};
use crate::{
    metrics::ResolvedTemplate,
    recording::{Before, Recorder, Tape},
    shelf::Key,
};

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
    /// What thresholds have counted, by cluster.
    counters: BTreeMap<String, Counted>,
    /// How often anything in them has changed that a restart must not lose.
    changes: u64,
    /// Clusters that are through with their steps.
    finished: BTreeSet<String>,
    /// Where it is recorded, if it is.
    tape: Option<Tape>,
}

/// What the thresholds of a cluster have counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// All of it, in a versioned form.
    pub state: Vec<u8>,
    /// The counters of what speaks against the release. What speaks for it may be measured once
    /// more; these must not be lost. None where another process has counted.
    pub against: Option<Vec<u32>>,
}

impl Judgement {
    /// The judge of a trial. It goes on with what was known of the same attempt, carries over
    /// what was known of an earlier one of the same revision, and knows nothing of others.
    #[must_use]
    pub fn open(trial: Trial, judge: Judge, known: Option<Memory>) -> Self {
        let known = known.filter(|known| known.trial.revision == trial.revision);
        let (seen, attempts) = match known {
            Some(known) if known.trial.attempt == trial.attempt => {
                let Memory { evidence, levels, counters, attempts, .. } = known;
                let counted = |state| Counted { state, against: None };
                let counters = counters.into_iter().map(|(name, state)| (name, counted(state)));
                let counters = counters.collect();
                // What cannot be read any more is gathered anew.
                let evidence = evidence.unwrap_or_default();
                (Seen { evidence, levels, counters, ..Seen::default() }, attempts)
            }
            // Another attempt finds stable with all of its traffic again, and counts anew.
            Some(Memory { evidence: Some(evidence), attempts, .. }) => {
                let evidence = evidence.next_attempt();
                (Seen { evidence, ..Seen::default() }, attempts.saturating_add(1))
            }
            _ => (Seen::default(), 1),
        };
        Self { trial, judge, attempts, seen: Mutex::new(seen) }
    }

    /// All that it knows, for a judge of other metrics or of another attempt.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = seen.counters.iter();
        Memory {
            trial: self.trial.clone(),
            attempts: self.attempts,
            evidence: Some(seen.evidence.clone()),
            levels: seen.levels.clone(),
            counters: counters.map(|(name, of)| (name.clone(), of.state.clone())).collect(),
        }
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
        let Seen { evidence, calibrations, tape, .. } = &mut *seen;
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

    /// The level of a gauge that was reached in a cluster earlier in this attempt. `metric` is its
    /// name with the mark of what it asks for behind an `@`.
    #[must_use]
    pub fn level(&self, metric: &str, cluster: &str) -> Option<f64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let level = seen.levels.get(metric)?.get(cluster)?.parse::<f64>().ok()?;
        level.is_finite().then_some(level)
    }

    /// Keeps the level of a gauge for a hub that starts again, in the place of those that the same
    /// metric had when it asked for something else.
    pub fn keep_level(&self, metric: &str, cluster: &str, level: f64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let plain = |name: &str| name.rsplit_once('@').map(|(plain, _)| plain.to_owned());
        seen.levels.retain(|name, _| name == metric || plain(name) != plain(metric));
        let of_metric = seen.levels.entry(metric.to_owned()).or_default();
        // The shortest form that reads as the same number.
        of_metric.insert(cluster.to_owned(), level.to_string());
    }

    /// A member is through with its steps: its evidence is fixed.
    pub fn finish(&self, cluster: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.evidence.finish(cluster);
        // Its thresholds are not measured any more.
        seen.counters.remove(cluster);
        seen.finished.insert(cluster.to_owned());
        if let Some(tape) = &mut seen.tape {
            tape.finished(cluster);
        }
    }

    /// Records from now on what it is shown, where that is not being done yet.
    pub fn record(&self, recorder: &Recorder, rollout: &Key) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.tape.get_or_insert_with(|| Tape::new(recorder, rollout, &self.trial));
    }

    /// What the thresholds of a cluster have counted earlier in this attempt.
    #[must_use]
    pub fn counted(&self, cluster: &str) -> Option<Vec<u8>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.counters.get(cluster).map(|counted| counted.state.clone())
    }

    /// Keeps what the thresholds of a cluster have counted for a hub that starts again.
    pub fn keep_counted(&self, cluster: &str, counted: Counted) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.finished.contains(cluster) {
            return;
        }
        let is_news = match seen.counters.get(cluster).map(|before| &before.against) {
            None => counted.against.iter().flatten().any(|count| *count > 0),
            // Taken over from the status, it is known there.
            Some(None) => false,
            Some(before) => *before != counted.against,
        };
        seen.counters.insert(cluster.to_owned(), counted);
        seen.changes = seen.changes.saturating_add(u64::from(is_news));
    }

    /// How often something has changed that a restart must not lose.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).changes
    }

    /// What a restarted hub needs to go on, as far as the status has room for it.
    #[must_use]
    pub fn status(&self) -> Saved {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        memory::saved(&self.trial, self.attempts, &seen)
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
