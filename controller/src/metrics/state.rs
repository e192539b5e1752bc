//! What a gate asks, what it gets, and what is kept from one round to the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{GateVerdict, MetricVerdict};
use tokio::time::Instant;

use super::template::ResolvedTemplate;

/// What a gate asks in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRequest {
    /// Name of the cluster.
    pub cluster: String,
    /// The revision on trial.
    pub revision: String,
    /// When the evidence of this step opened: the router acknowledged the weight and settled.
    pub opened_at: DateTime<Utc>,
    /// Whether both revisions carry traffic. Without stable's, comparisons only count events.
    pub both_arms: bool,
    /// Pods of the revision on trial, those that have died included: their errors count.
    pub canary_pods: BTreeSet<String>,
    /// Pods of the stable revision.
    pub stable_pods: BTreeSet<String>,
    /// The templates that gate the rollout.
    pub analysis: Vec<ResolvedTemplate>,
}

/// The evidence of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What follows from it.
    pub gate: GateVerdict,
    /// The request's own `opened_at`: evidence of another opening is not this gate's.
    pub opened_at: DateTime<Utc>,
    /// The provider's time of the judgement; the hub's when the provider gave none, and then no
    /// metric is better than `Error`.
    pub judged_at: DateTime<Utc>,
    /// When to ask again: as soon as there can be something new.
    pub next_round_in: Duration,
}

/// What a gate keeps from one round to the next. It may be lost at any time: a gate that starts
/// over only takes longer.
#[derive(Debug, Clone, Default)]
pub struct GateState {
    /// The gate that the thresholds below belong to.
    gate: Option<(String, DateTime<Utc>)>,
    /// Thresholds by template and metric.
    pub(super) thresholds: BTreeMap<(String, String), ThresholdState>,
    /// Time between the scrapes of the canary's counters, once seen.
    pub(super) scrape_interval: Option<TimeDelta>,
    /// Rounds in a row in which the provider could not be used at all.
    pub(super) silent_rounds: u32,
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
    /// Forgets the failures of another gate: those of the last step are not this step's.
    pub(super) fn turn_to(&mut self, request: &GateRequest) {
        let gate = (request.revision.clone(), request.opened_at);
        if self.gate.as_ref() != Some(&gate) {
            self.thresholds.clear();
            self.gate = Some(gate);
        }
    }
}
