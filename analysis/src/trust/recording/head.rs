//! The first line: the judge's settings, and what it knew before.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{FORMAT, RecordingError, VERSION, bounded, exact, length, ranged, seconds};
use crate::judge::{
    Calibration, ClusterName, Evidence, Judge, Margin, Margins, MetricName, MetricPlan,
};

/// A cluster's and a metric's lists are bounded as those of a Rollout are.
const CLUSTERS_MAX: usize = 500;
const METRICS_MAX: usize = 64;

/// A revision has no more attempts than that: each doubles the bar.
const ATTEMPTS_MAX: u32 = 64;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// Which attempt of the revision it is, from 1: each further one has a higher bar.
    #[serde(default = "first")]
    pub attempt: u32,
    /// Chance that a release as good as stable is taken back, above 0 and below 1.
    #[serde(with = "exact")]
    pub false_abort: f64,
    /// Chance that a release worse by `ruleOut` passes, above 0 and below 1.
    #[serde(with = "exact")]
    pub missed: f64,
    /// The longest disturbance of a cluster that must not decide alone, in seconds.
    #[serde(with = "exact")]
    pub episode_seconds: f64,
    /// The clusters of the plan.
    pub clusters: Vec<String>,
    /// The comparison metrics.
    pub metrics: Vec<MetricLine>,
    /// What stable has shown against itself; the usual where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibrations: Vec<CalibrationLine>,
    /// What the judge had been shown before, in its own form, in hexadecimal digits. With it
    /// `attempt` says nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// A metric in the first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricLine {
    /// Its name.
    pub name: String,
    /// Its part of the chance of a false abort, from 0 to 1.
    #[serde(with = "exact")]
    pub weight: f64,
    /// Whether a promotion waits for it.
    pub promotes: bool,
    /// Within it the canary is not worse.
    pub tolerate: MarginLine,
    /// What is ruled out before promotion.
    pub rule_out: MarginLine,
    /// Streams: 1 for counters, one per edge for a histogram.
    #[serde(default = "one")]
    pub streams: usize,
}

/// A margin in the first line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MarginLine {
    /// Multiple of stable's bad share, from 1.
    #[serde(with = "exact")]
    pub ratio: f64,
    /// Bad share above stable's, from 0 to 1.
    #[serde(with = "exact")]
    pub difference: f64,
}

/// A calibration in the first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalibrationLine {
    /// The metric.
    pub metric: String,
    /// The cluster.
    pub cluster: String,
    /// Standard deviation of lasting differences of pods, of the logarithm of their rates.
    #[serde(with = "exact")]
    pub pod_sd: f64,
    /// Mean size of a batch of bad events, from 1.
    #[serde(with = "exact")]
    pub batch_mean: f64,
    /// Its upper bound.
    #[serde(with = "exact")]
    pub batch_mean_upper: f64,
}

fn first() -> u32 {
    1
}

fn one() -> usize {
    1
}

impl MarginLine {
    fn read(self, field: &str) -> Result<Margin, RecordingError> {
        let ratio = ranged(format!("{field}.ratio"), self.ratio, 1.0..=1e6, "a number from 1")?;
        let difference =
            ranged(format!("{field}.difference"), self.difference, 0.0..=1.0, "0 to 1")?;
        Ok(Margin { ratio, difference })
    }
}

impl From<Margin> for MarginLine {
    fn from(margin: Margin) -> Self {
        Self { ratio: margin.ratio, difference: margin.difference }
    }
}

impl Head {
    /// The first line of a recording of this judge's rounds.
    #[must_use]
    pub fn of(
        judge: &Judge,
        attempt: u32,
        calibrations: &BTreeMap<(MetricName, ClusterName), Calibration>,
    ) -> Self {
        let metrics = judge.metrics.iter().map(|plan| MetricLine {
            name: plan.name.to_string(),
            weight: plan.weight,
            promotes: plan.promotes,
            tolerate: plan.margins.tolerate.into(),
            rule_out: plan.margins.rule_out.into(),
            streams: plan.streams,
        });
        let calibrations = calibrations
            .iter()
            .map(|((metric, cluster), found)| CalibrationLine::of(metric, cluster, found));
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            attempt,
            false_abort: judge.false_abort,
            missed: judge.missed,
            episode_seconds: seconds(judge.episode),
            clusters: judge.clusters.iter().map(ToString::to_string).collect(),
            metrics: metrics.collect(),
            calibrations: calibrations.collect(),
            evidence: None,
        }
    }

    /// The same, of a judge that has been shown this much before.
    #[must_use]
    pub fn after(self, evidence: &Evidence) -> Self {
        let mut digits = String::new();
        for byte in evidence.encode() {
            // Writing into a String does not fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Self { evidence: Some(digits), ..self }
    }

    /// What the judge had been shown before.
    pub(in crate::trust) fn evidence(&self) -> Result<Evidence, RecordingError> {
        let Some(digits) = &self.evidence else {
            if !(1..=ATTEMPTS_MAX).contains(&self.attempt) {
                return Err(RecordingError::Range {
                    field: "attempt".to_owned(),
                    found: self.attempt.to_string(),
                    allowed: "1 to 64",
                });
            }
            let start = Evidence::default();
            return Ok((1..self.attempt).fold(start, |evidence, _| evidence.next_attempt()));
        };
        let unreadable = |why: String| RecordingError::Evidence(why);
        let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
        let bytes = pairs.map(|pair| u8::from_str_radix(pair.unwrap_or("?"), 16));
        let bytes: Result<Vec<u8>, _> = bytes.collect();
        let bytes = bytes.map_err(|_| unreadable("not hexadecimal digits in pairs".to_owned()))?;
        Evidence::decode(&bytes).map_err(|error| unreadable(error.to_string()))
    }

    /// The judge that the first line describes.
    pub fn judge(&self) -> Result<Judge, RecordingError> {
        const CHANCE: &str = "a chance from 0.000001 to 0.5";
        if self.format != FORMAT {
            return Err(RecordingError::Format(self.format.clone()));
        }
        if self.version != VERSION {
            return Err(RecordingError::Version(self.version));
        }
        bounded("clusters", self.clusters.len(), CLUSTERS_MAX, "1 to 500 of them")?;
        bounded("metrics", self.metrics.len(), METRICS_MAX, "1 to 64 of them")?;
        let metrics = self.metrics.iter().map(|metric| {
            let field = |part: &str| format!("metric {}, {part}", metric.name);
            bounded(&field("streams"), metric.streams, 64, "1 to 64")?;
            Ok(MetricPlan {
                name: metric.name.as_str().into(),
                weight: ranged(field("weight"), metric.weight, 0.0..=1.0, "0 to 1")?,
                promotes: metric.promotes,
                margins: Margins {
                    tolerate: metric.tolerate.read(&field("tolerate"))?,
                    rule_out: metric.rule_out.read(&field("ruleOut"))?,
                },
                streams: metric.streams,
            })
        });
        Ok(Judge {
            metrics: metrics.collect::<Result<_, RecordingError>>()?,
            clusters: self.clusters.iter().map(|name| name.as_str().into()).collect(),
            false_abort: ranged("falseAbort", self.false_abort, 1e-6..=0.5, CHANCE)?,
            missed: ranged("missed", self.missed, 1e-6..=0.5, CHANCE)?,
            episode: length("episodeSeconds", self.episode_seconds)?,
        })
    }

    /// What stable has shown against itself.
    pub(in crate::trust) fn calibrations(
        &self,
    ) -> BTreeMap<(MetricName, ClusterName), Calibration> {
        self.calibrations.iter().map(CalibrationLine::read).collect()
    }
}

impl CalibrationLine {
    /// The line of what stable has shown against itself.
    #[must_use]
    pub fn of(metric: &MetricName, cluster: &ClusterName, found: &Calibration) -> Self {
        Self {
            metric: metric.to_string(),
            cluster: cluster.to_string(),
            pod_sd: found.pod_sd,
            batch_mean: found.batch_mean,
            batch_mean_upper: found.batch_mean_upper,
        }
    }

    pub(in crate::trust) fn read(&self) -> ((MetricName, ClusterName), Calibration) {
        let calibration = Calibration {
            pod_sd: self.pod_sd,
            batch_mean: self.batch_mean,
            batch_mean_upper: self.batch_mean_upper,
        };
        ((self.metric.as_str().into(), self.cluster.as_str().into()), calibration)
    }
}
