//! From the wire to the view.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use lockflight_crds::{
    AbortStatus, MemberPhase, MemberStatus, PlannedWave, Rollout, RolloutStatus, WaitingStatus,
    conditions::types, names,
};

use super::{
    AbortView, AttemptView, ClusterView, Counts, Outcome, RolloutView, VerdictView, WaitView,
    WaveView,
};

impl From<&Rollout> for RolloutView {
    fn from(rollout: &Rollout) -> Self {
        let unseen = RolloutStatus::default();
        let status = rollout.status.as_ref().unwrap_or(&unseen);
        let ready = status.conditions.iter().find(|c| c.type_ == types::READY);
        let waves = waves(status);
        Self {
            api_version: "cli.lockflight.dev/v1",
            kind: "RolloutView",
            namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
            name: rollout.metadata.name.clone().unwrap_or_default(),
            created_at: rollout
                .metadata
                .creation_timestamp
                .as_ref()
                .and_then(|time| DateTime::<Utc>::from_timestamp(time.0.as_second(), 0)),
            state: ready.map_or("Pending", |c| c.reason.as_str()).to_owned(),
            message: ready.map_or_else(
                || Some("the hub has not looked at this rollout yet".to_owned()),
                |c| Some(c.message.clone()).filter(|text| !text.is_empty()),
            ),
            outcome: Outcome::of(rollout),
            paused: annotation(rollout, names::PAUSE_ANNOTATION),
            revision: status.revision.clone(),
            attempt: attempt(status),
            estimate: status.plan.as_ref().map(|plan| plan.estimate.clone()),
            clusters: count(&waves),
            wave: status.wave.clone(),
            weight: status.weight,
            waves,
            waiting: status.waiting.iter().map(WaitView::from).collect(),
            abort: status.abort.as_ref().map(AbortView::from),
        }
    }
}

fn annotation(rollout: &Rollout, name: &str) -> Option<String> {
    rollout.metadata.annotations.as_ref()?.get(name).cloned()
}

fn attempt(status: &RolloutStatus) -> Option<AttemptView> {
    let attempt = status.attempt.as_ref()?;
    let bases: BTreeSet<_> = status
        .members
        .iter()
        .filter_map(|member| member.base.as_ref()?.revision.as_ref())
        .collect();
    Some(AttemptView {
        number: attempt.number,
        revision: attempt.revision.clone(),
        from: match (bases.len(), bases.first()) {
            (1, Some(base)) => Some((*base).clone()),
            _ => None,
        },
        phase: attempt.phase,
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
    })
}

fn waves(status: &RolloutStatus) -> Vec<WaveView> {
    let Some(plan) = &status.plan else {
        return Vec::new();
    };
    let members: BTreeMap<_, _> = status.members.iter().map(|m| (m.name.as_str(), m)).collect();
    let owed = status.abort.as_ref().map(|abort| abort.owed.as_slice()).unwrap_or_default();
    let cluster = |name: &String| {
        let view = members.get(name.as_str()).map_or_else(|| unseen(name), |m| cluster(m));
        ClusterView { steps: plan.steps.len(), owed_rollback: owed.contains(name), ..view }
    };
    let wave = |wave: &PlannedWave| WaveView {
        name: wave.name.clone(),
        phase: wave.phase,
        since: wave.since,
        max_concurrent: wave.max_concurrent,
        bake_seconds: wave.bake_seconds,
        approval: wave.approval,
        clusters: wave.clusters.iter().map(cluster).collect(),
    };
    plan.waves.iter().map(wave).collect()
}

/// Destructured without `..`: a field that the hub learns to tell must not be lost here.
fn cluster(member: &MemberStatus) -> ClusterView {
    let MemberStatus {
        name,
        phase,
        step,
        since,
        base,
        weight,
        acknowledged_weight,
        acknowledged_at,
        ready_pods,
        verdict,
        unknown_since,
        problem,
        approved_step: _,
        endpoints_since: _,
    } = member;
    ClusterView {
        name: name.clone(),
        phase: *phase,
        since: Some(*since),
        step: *step,
        steps: 0,
        weight: *weight,
        acknowledged_weight: *acknowledged_weight,
        acknowledged_at: *acknowledged_at,
        ready_pods: *ready_pods,
        from: base.as_ref().and_then(|base| base.revision.clone()),
        verdict: verdict
            .as_ref()
            .map(|v| VerdictView { state: v.state, message: v.message.clone() }),
        unreachable_since: *unknown_since,
        owed_rollback: false,
        problem: problem.clone(),
    }
}

/// A cluster of the plan of which the hub has not yet said anything.
fn unseen(name: &str) -> ClusterView {
    ClusterView {
        name: name.to_owned(),
        phase: MemberPhase::Pending,
        since: None,
        step: 0,
        steps: 0,
        weight: 0,
        acknowledged_weight: 0,
        acknowledged_at: None,
        ready_pods: 0,
        from: None,
        verdict: None,
        unreachable_since: None,
        owed_rollback: false,
        problem: None,
    }
}

fn count(waves: &[WaveView]) -> Counts {
    let mut counts = Counts::default();
    for cluster in waves.iter().flat_map(|wave| &wave.clusters) {
        counts.total += 1;
        counts.promoted += usize::from(cluster.phase == MemberPhase::Promoted);
        counts.unreachable += usize::from(cluster.unreachable_since.is_some());
        counts.owed += usize::from(cluster.owed_rollback);
    }
    counts
}

impl From<&WaitingStatus> for WaitView {
    fn from(waiting: &WaitingStatus) -> Self {
        let WaitingStatus { cluster, reason, message, until, token } = waiting.clone();
        Self { cluster, reason, message, until, token }
    }
}

impl From<&AbortStatus> for AbortView {
    fn from(abort: &AbortStatus) -> Self {
        let AbortStatus {
            reason,
            message,
            at,
            revision,
            cluster,
            step,
            metric,
            observed,
            limit,
            by,
            fleet,
            owed,
        } = abort.clone();
        Self {
            reason,
            message,
            at,
            revision,
            cluster,
            step,
            metric,
            observed,
            limit,
            by,
            fleet,
            owed,
        }
    }
}
