//! Where the evidence of a rollout stands, as a person or a program reads it.

use chrono::{DateTime, Utc};
use lockflight_analysis::{
    judge::{ArmCounts, MetricStanding, Rates, Scope, Standing},
    trust::explain,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Evidence of a rollout. Evidence is an e-value, `E`: what a fair bet on that conclusion has made
/// of a stake of 1. Its logarithm is `null` where it is infinite.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceView {
    /// All of it in one sentence.
    pub sentence: String,
    /// End of the newest window in it.
    pub as_of: Option<DateTime<Utc>>,
    /// That the new revision is worse than stable.
    pub against: SideView,
    /// That it is not worse by what has to be ruled out.
    pub in_favour: SideView,
    /// Set once the bar against it is reached: `fleet`, or the name of a cluster.
    pub taken_back: Option<String>,
    /// Each comparison metric.
    pub metrics: Vec<MetricEvidence>,
}

/// Evidence for a conclusion, and what it has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SideView {
    /// The natural logarithm of the e-value.
    pub ln_e: f64,
    /// What it has to reach.
    pub bar_ln: f64,
}

/// Evidence of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricEvidence {
    /// Its name.
    pub name: String,
    /// `ln E` that the new revision is worse.
    pub against_ln: f64,
    /// `ln E` that it is not.
    pub in_favour_ln: f64,
    /// Whether promotion waits for it.
    pub promotes: bool,
    /// Requests of the new revision without a bad one that would prove it good.
    pub needed_events: u64,
    /// The new revision.
    pub canary: ArmView,
    /// Stable.
    pub stable: ArmView,
    /// Each cluster that has been judged.
    pub clusters: Vec<ClusterEvidence>,
}

/// Evidence of a metric in a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterEvidence {
    /// Its name.
    pub name: String,
    /// `ln E` against the new revision there.
    pub against_ln: f64,
    /// The new revision there.
    pub canary: ArmView,
    /// Stable there.
    pub stable: ArmView,
}

/// Events of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ArmView {
    /// Bad ones.
    pub bad: u64,
    /// All.
    pub events: u64,
}

impl EvidenceView {
    /// The view of a standing.
    #[must_use]
    pub fn of(standing: &Standing, as_of: Option<DateTime<Utc>>) -> Self {
        let side = |ln_e, bar_ln| SideView { ln_e, bar_ln };
        Self {
            sentence: explain(standing),
            as_of,
            against: side(standing.against_ln, standing.against_bar_ln),
            in_favour: side(standing.in_favour_ln, standing.in_favour_bar_ln),
            taken_back: standing.crossed.as_ref().map(|scope| match scope {
                Scope::Fleet => "fleet".to_owned(),
                Scope::Cluster(name) => name.to_string(),
            }),
            metrics: standing.metrics.iter().map(metric).collect(),
        }
    }
}

fn metric(standing: &MetricStanding) -> MetricEvidence {
    let (canary, stable) = arms(standing.rates);
    let clusters = standing.clusters.iter().map(|cluster| {
        let (canary, stable) = arms(cluster.rates);
        let name = cluster.name.to_string();
        ClusterEvidence { name, against_ln: cluster.against_ln, canary, stable }
    });
    MetricEvidence {
        name: standing.name.to_string(),
        against_ln: standing.against_ln,
        in_favour_ln: standing.in_favour_ln,
        promotes: standing.promotes,
        needed_events: standing.needed_events,
        canary,
        stable,
        clusters: clusters.collect(),
    }
}

fn arms(rates: Rates) -> (ArmView, ArmView) {
    let view = |arm: ArmCounts| ArmView { bad: arm.bad, events: arm.events };
    (view(rates.canary), view(rates.stable))
}
