//! Where the evidence of a rollout stands, for `kubectl lockflight analysis` and for the dashboard,
//! without I/O.

mod view;

use chrono::{DateTime, Utc};
use lockflight_crds::RolloutStatus;

pub use view::{ArmView, ClusterEvidence, EvidenceView, MetricEvidence, SideView};

use crate::{
    judgement::{Judgement, Memory, Trial, judge_of},
    metrics::ResolvedTemplate,
};

/// Why a status tells nothing of the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// No attempt has begun.
    #[error("the rollout has no plan yet; wait until it starts")]
    NoPlan,
    /// Nothing is compared, or nothing has been yet.
    #[error("the rollout has no evidence yet: no comparison metric has been judged")]
    NotJudged,
    /// The status has no room for it.
    #[error(
        "status.evidence had no room for the evidence (Event EvidenceTooLarge): look at the hub's \
         dashboard"
    )]
    NoRoom,
    /// Another version wrote it.
    #[error(
        "status.evidence.state cannot be read: use the kubectl-lockflight of the hub's version"
    )]
    Unreadable,
}

impl EvidenceView {
    /// The evidence in a status, judged with the templates of its plan. The hub writes it along
    /// with other changes, so it may be some rounds old; the view says of when it is.
    pub fn of_status(
        status: &RolloutStatus,
        templates: &[ResolvedTemplate],
    ) -> Result<Self, NoEvidence> {
        let plan = status.plan.as_ref().ok_or(NoEvidence::NoPlan)?;
        let known = status.evidence.as_ref().ok_or(NoEvidence::NotJudged)?;
        let clusters = plan.waves.iter().flat_map(|wave| &wave.clusters);
        let clusters = clusters.map(|name| name.as_str().into()).collect();
        let judge = judge_of(templates, clusters, &plan.evidence);
        let trial = Trial { revision: known.revision.clone(), attempt: known.attempt };
        if known.state.is_empty() {
            return Err(NoEvidence::NoRoom);
        }
        let known = Memory::from(known);
        if known.evidence().is_none() {
            return Err(NoEvidence::Unreadable);
        }
        let judgement = Judgement::open(trial, judge, Some(known));
        let standing = judgement.take(Vec::new());
        Ok(Self::of(&standing, as_of(&judgement)))
    }
}

/// End of the newest window of any metric and cluster.
fn as_of(judgement: &Judgement) -> Option<DateTime<Utc>> {
    let judge = judgement.judge();
    let pairs = judge
        .metrics
        .iter()
        .flat_map(|plan| judge.clusters.iter().map(move |cluster| (&plan.name, cluster)));
    pairs.filter_map(|(metric, cluster)| judgement.counted_until(metric, cluster)).max()
}
