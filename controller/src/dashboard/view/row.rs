//! A Rollout as one row of the Fleet screen.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockflight_crds::{
    AttemptPhase, MemberPhase, Rollout, RolloutStatus, WavePhase, conditions::types, names,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Attention, CellState,
    attention::attention,
    card::{Members, cell},
};

/// A Rollout in one row.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutRow {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// State in one word: the reason of the condition Ready.
    pub state: String,
    /// The state in a sentence.
    pub message: Option<String>,
    /// What the state means to whoever waits for the rollout.
    pub outcome: Outcome,
    /// Whether it is going back.
    pub going_back: bool,
    /// Why somebody should look, if somebody should.
    pub attention: Option<Attention>,
    /// Value of the pause annotation, while there is one.
    pub paused: Option<String>,
    /// The revision on trial, or the one that serves.
    pub revision: Option<String>,
    /// What served before, when all clusters agree on it.
    pub from: Option<String>,
    /// Number of the attempt.
    pub attempt: Option<i64>,
    /// The wave that moves, as number/of name.
    pub wave: Option<String>,
    /// Highest share of the new revision in a moving cluster, in per cent.
    pub weight: Option<u8>,
    /// Clusters of the plan, counted.
    pub counts: Counts,
    /// The mini matrix: one cell per cluster, wave by wave.
    pub waves: Vec<WaveCells>,
    /// When the attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Shortest time that the plan can take, and how many approvals it needs.
    pub estimate: Option<String>,
    /// Earliest moment at which a wait can end, where one is known.
    pub until: Option<DateTime<Utc>>,
}

/// Cells of one wave, column by column: a thousand rows of fifty clusters stay small.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaveCells {
    /// Name of the wave.
    pub name: String,
    /// Where it stands.
    pub phase: WavePhase,
    /// Names of its clusters, in their order.
    pub clusters: Vec<String>,
    /// One letter per cluster; see [`CellState::letter`].
    pub states: String,
    /// Share of the new revision in each cluster, in per cent.
    pub weights: Vec<u8>,
}

/// Clusters, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// In the plan.
    pub total: usize,
    /// Where the new revision is the stable one.
    pub promoted: usize,
    /// That move now, forward or back, as far as is known: not those that are unreachable.
    pub moving: usize,
    /// That the hub cannot reach.
    pub unreachable: usize,
    /// That still have to get a rollback.
    pub owed: usize,
}

/// What a rollout's state means to whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Outcome {
    /// It goes on by itself, forward or back.
    Moving,
    /// It waits for a person: paused, or an approval.
    Waiting,
    /// Everywhere.
    Completed,
    /// Taken back.
    Aborted,
    /// It cannot go on by itself, and nothing was taken back.
    Stalled,
}

impl Outcome {
    /// Of a Rollout. A status that answers an older spec says nothing about this one.
    #[must_use]
    pub fn of(rollout: &Rollout) -> Self {
        let Some(status) = &rollout.status else {
            return Self::Moving;
        };
        if status.observed_generation != rollout.metadata.generation {
            return Self::Moving;
        }
        if is_true(status, types::READY) {
            return Self::Completed;
        }
        let reason = ready_reason(status);
        if is_true(status, types::STALLED) && reason != "Aborted" {
            return Self::Stalled;
        }
        if status.attempt.as_ref().is_some_and(|a| a.phase == AttemptPhase::Aborted) {
            return Self::Aborted;
        }
        if matches!(reason, "AwaitingApproval" | "Paused") { Self::Waiting } else { Self::Moving }
    }
}

fn is_true(status: &RolloutStatus, kind: &str) -> bool {
    status.conditions.iter().any(|c| c.type_ == kind && c.status == "True")
}

fn ready_reason(status: &RolloutStatus) -> &str {
    status.conditions.iter().find(|c| c.type_ == types::READY).map_or("", |c| c.reason.as_str())
}

impl From<&Rollout> for RolloutRow {
    fn from(rollout: &Rollout) -> Self {
        let unseen = RolloutStatus::default();
        let status = rollout.status.as_ref().unwrap_or(&unseen);
        let ready = status.conditions.iter().find(|c| c.type_ == types::READY);
        let attempt = status.attempt.as_ref();
        let members = Members::of(status);
        let waves = waves(status, &members);
        let outcome = Outcome::of(rollout);
        let counts = count(&waves, status);
        Self {
            namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
            name: rollout.metadata.name.clone().unwrap_or_default(),
            state: ready.map_or("Pending", |c| c.reason.as_str()).to_owned(),
            message: ready.map_or_else(
                || Some("the hub has not looked at this rollout yet".to_owned()),
                |c| Some(c.message.clone()).filter(|text| !text.is_empty()),
            ),
            outcome,
            going_back: attempt.is_some_and(|a| a.phase == AttemptPhase::Aborting),
            attention: attention(rollout, outcome),
            paused: annotation(rollout, names::PAUSE_ANNOTATION),
            revision: attempt.map(|a| a.revision.clone()).or_else(|| status.revision.clone()),
            from: base(status),
            attempt: attempt.map(|a| a.number),
            wave: status.wave.clone(),
            weight: status.weight,
            counts,
            waves,
            started_at: attempt.map(|a| a.started_at),
            ended_at: attempt.and_then(|a| a.ended_at),
            estimate: status.plan.as_ref().map(|plan| plan.estimate.clone()),
            until: status.waiting.iter().filter_map(|w| w.until).min(),
        }
    }
}

/// The value of an annotation.
pub(in crate::dashboard) fn annotation(rollout: &Rollout, name: &str) -> Option<String> {
    rollout.metadata.annotations.as_ref()?.get(name).cloned()
}

/// What served before, when all clusters agree on it.
pub(super) fn base(status: &RolloutStatus) -> Option<String> {
    let bases: BTreeSet<_> =
        status.members.iter().filter_map(|m| m.base.as_ref()?.revision.as_ref()).collect();
    if bases.len() == 1 { bases.first().map(|base| (*base).clone()) } else { None }
}

fn waves(status: &RolloutStatus, members: &Members<'_>) -> Vec<WaveCells> {
    let planned = status.plan.as_ref().map(|plan| plan.waves.as_slice()).unwrap_or_default();
    planned
        .iter()
        .map(|wave| WaveCells {
            name: wave.name.clone(),
            phase: wave.phase,
            clusters: wave.clusters.clone(),
            states: wave.clusters.iter().map(|name| cell(members, name).letter()).collect(),
            weights: wave.clusters.iter().map(|name| share(members, name)).collect(),
        })
        .collect()
}

/// The share that matters to a reader: what is meant while it moves, all once promoted.
fn share(members: &Members<'_>, name: &str) -> u8 {
    members.get(name).map_or(0, |member| match member.phase {
        MemberPhase::Promoted | MemberPhase::Promoting => 100,
        MemberPhase::Canary => member.weight,
        MemberPhase::RollingBack => member.acknowledged_weight,
        MemberPhase::Pending | MemberPhase::Deploying | MemberPhase::RolledBack => 0,
    })
}

fn count(waves: &[WaveCells], status: &RolloutStatus) -> Counts {
    let is_moving = |phase| {
        use MemberPhase::{Canary, Deploying, Promoting, RollingBack};
        matches!(phase, Canary | Deploying | Promoting | RollingBack)
    };
    let members = &status.members;
    Counts {
        total: waves.iter().map(|wave| wave.clusters.len()).sum(),
        promoted: members.iter().filter(|m| m.phase == MemberPhase::Promoted).count(),
        moving: members.iter().filter(|m| m.unknown_since.is_none() && is_moving(m.phase)).count(),
        unreachable: members.iter().filter(|m| m.unknown_since.is_some()).count(),
        owed: status.abort.as_ref().map_or(0, |abort| abort.owed.len()),
    }
}

impl RolloutRow {
    /// The key under which the page and the stream know it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Cells of every wave, in order.
    #[must_use]
    pub fn cells(&self) -> Vec<CellState> {
        self.waves.iter().flat_map(|wave| wave.states.chars().map(CellState::from_letter)).collect()
    }
}
