//! What a gate asks, what it gets, and what is kept from one round to the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{
    GateVerdict, MetricVerdict,
    judge::{Arm, MetricName, Standing},
    reading::{Cursor, Pods},
};
use tokio::time::Instant;

use super::{asked::Asked, compat::Compat, jobs::Jobs, template::ResolvedTemplate};
use crate::judgement::StepCount;

/// What a gate asks in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRequest {
    /// Namespace of the Rollout, here and in the member.
    pub namespace: String,
    /// Name of the Rollout.
    pub rollout: String,
    /// Name of the cluster.
    pub cluster: String,
    /// The revision on trial.
    pub revision: String,
    /// When the evidence of this step opened: the router acknowledged the weight and settled.
    pub opened_at: DateTime<Utc>,
    /// Whether both revisions carry traffic. Without stable's, comparisons only count events.
    pub both_arms: bool,
    /// Pods of both revisions, those that have died included: their errors count.
    pub pods: Pods,
    /// The templates that gate the rollout.
    pub analysis: Vec<ResolvedTemplate>,
}

impl GateRequest {
    /// Names of the pods of one revision.
    pub(super) fn pods_of(&self, arm: Arm) -> impl Iterator<Item = &str> {
        self.pods.iter().filter(move |(_, facts)| facts.arm == arm).map(|(name, _)| &**name)
    }
}

/// The evidence of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What follows from it.
    pub gate: GateVerdict,
    /// What the comparison metrics have shown; none where nothing is compared.
    pub compared: Option<Compared>,
    /// Whether a failure is the whole fleet's.
    pub fleet: bool,
    /// Whether all that keeps the gate shut are inconclusive runs of Argo Rollouts, so that only a
    /// person can open it.
    pub undecided: bool,
    /// The request's own `opened_at`: evidence of another opening is not this gate's.
    pub opened_at: DateTime<Utc>,
    /// The provider's time of the judgement; the hub's when the provider gave none, and then no
    /// metric is better than `Error`.
    pub judged_at: DateTime<Utc>,
    /// When to ask again: as soon as there can be something new.
    pub next_round_in: Duration,
    /// What each metric asked and saw, in the order of `gate.metrics`.
    pub asked: Vec<Asked>,
}

/// What the comparison metrics have shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Over the whole rollout.
    pub standing: Standing,
    /// In this step, here.
    pub step: StepCount,
}

/// What is kept of a member from one round to the next, over the steps of an attempt. It may be
/// lost at any time: what thresholds have counted is in the status as well, and for the rest a
/// gate that starts over only takes longer.
#[derive(Debug, Default)]
pub struct GateState {
    /// The gate that the thresholds below belong to.
    pub(super) gate: Option<(String, DateTime<Utc>)>,
    /// Thresholds by metric.
    pub(super) thresholds: BTreeMap<MetricName, ThresholdState>,
    /// Failures in a row that another process had counted, of thresholds not evaluated since.
    pub(super) failures_before: BTreeMap<MetricName, u32>,
    /// Runs and analyses in the words of Argo Rollouts and Flagger.
    pub(super) compat: Compat,
    /// Jobs under way.
    pub(super) jobs: Jobs,
    /// Readers of comparison metrics.
    pub(super) readers: BTreeMap<MetricName, Reader>,
    /// Metrics of which it was asked what stable shows against itself.
    pub(super) calibrated: BTreeSet<MetricName>,
    /// Rounds in a row in which the provider could not be used at all.
    pub(super) silent_rounds: u32,
}

/// How far a comparison metric has been read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What was consumed.
    pub(super) cursor: Cursor,
    /// The mark of the comparison that it was read for.
    pub(super) mark: String,
    /// Times of the newest samples of the canary's sources.
    pub(super) newest: Vec<DateTime<Utc>>,
    /// Time between scrapes, until the cursor knows better.
    pub(super) interval: Option<TimeDelta>,
    /// Windows and events of this step.
    pub(super) step: StepCount,
}

/// A threshold's last evaluation.
#[derive(Debug, Clone)]
pub(super) struct ThresholdState {
    /// Failed evaluations in a row.
    pub(super) failures: u32,
    /// When it was evaluated, on the hub's own steady clock.
    pub(super) evaluated_at: Instant,
    /// What came out.
    pub(super) verdict: MetricVerdict,
}

impl GateState {
    /// Nobody waits for the Jobs that are under way any more.
    pub fn end_jobs(&mut self) {
        self.jobs.end();
    }

    /// Whether it has served no gate yet.
    pub(super) fn is_new(&self) -> bool {
        self.gate.is_none()
    }

    /// Forgets what belongs to another gate: the failures and windows of the last step are not
    /// this step's. What has been read stays read.
    pub(super) fn turn_to(&mut self, request: &GateRequest) {
        let gate = (request.revision.clone(), request.opened_at);
        let is_new = self.gate.as_ref() != Some(&gate);
        self.compat.turn_to(request, is_new);
        if is_new {
            self.jobs.end();
            self.thresholds.clear();
            self.failures_before.clear();
            for reader in self.readers.values_mut() {
                reader.step = StepCount::default();
            }
            self.gate = Some(gate);
        }
    }

    /// Failures in a row of a threshold.
    pub(super) fn failures(&self, key: &MetricName) -> u32 {
        let known = self.thresholds.get(key).map(|threshold| threshold.failures);
        known.or_else(|| self.failures_before.get(key).copied()).unwrap_or(0)
    }

    /// Time between scrapes, once any metric has seen it.
    pub(super) fn scrape_interval(&self) -> Option<TimeDelta> {
        let of = |reader: &Reader| reader.cursor.scrape_interval().or(reader.interval);
        self.readers.values().find_map(of)
    }
}
