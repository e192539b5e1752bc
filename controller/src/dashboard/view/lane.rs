//! Waves as lanes of cards, and the steps that every cluster takes.

use chrono::{DateTime, Utc};
use lockflight_crds::{Approval, PlanStatus, PlannedStep, PlannedWave, WavePhase};
use schemars::JsonSchema;
use serde::Serialize;

use super::card::{Card, Members, card};

/// A wave and its clusters.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    /// Name.
    pub name: String,
    /// Where it stands: Waiting, Moving, Baking or Done.
    pub phase: WavePhase,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Clusters that may move at the same time.
    pub max_concurrent: u32,
    /// Bake after its last cluster, in seconds.
    pub bake_seconds: u32,
    /// Canary events that every comparison metric must have seen in the bake.
    pub samples: u32,
    /// When a person has to agree: None, Before or After.
    pub approval: Approval,
    /// Whether the approval was given.
    pub approved: bool,
    /// Its clusters in their order.
    pub cards: Vec<Card>,
}

/// A step that every cluster takes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Number, from 1.
    pub number: u32,
    /// Share of the traffic in per cent.
    pub weight: u8,
    /// Bake in the first cluster of a wave, in seconds.
    pub bake_seconds_first: u32,
    /// Bake in the other clusters of a wave, in seconds.
    pub bake_seconds: u32,
    /// Canary events that every comparison metric must have seen.
    pub samples: u32,
    /// When a person has to agree: None, Before or After.
    pub approval: Approval,
}

pub(super) fn lanes(plan: Option<&PlanStatus>, members: &Members<'_>) -> Vec<Lane> {
    let lane = |wave: &PlannedWave| Lane {
        name: wave.name.clone(),
        phase: wave.phase,
        since: wave.since,
        max_concurrent: wave.max_concurrent,
        bake_seconds: wave.bake_seconds,
        samples: wave.samples,
        approval: wave.approval,
        approved: wave.approved,
        cards: wave.clusters.iter().map(|name| card(members, name)).collect(),
    };
    plan.map(|plan| plan.waves.iter().map(lane).collect()).unwrap_or_default()
}

pub(super) fn steps(plan: Option<&PlanStatus>) -> Vec<StepView> {
    let step = |(number, step): (u32, &PlannedStep)| StepView {
        number,
        weight: step.weight,
        bake_seconds_first: step.bake_seconds_first,
        bake_seconds: step.bake_seconds,
        samples: step.samples,
        approval: step.approval,
    };
    plan.map(|plan| (1..).zip(&plan.steps).map(step).collect()).unwrap_or_default()
}
