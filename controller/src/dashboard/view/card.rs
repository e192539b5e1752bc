//! One cluster in a rollout: the card of the Rollout screen and the cell of the mini matrix.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use lockflight_crds::{MemberPhase, MemberStatus, RolloutStatus, VerdictState};
use schemars::JsonSchema;
use serde::Serialize;

/// The most important thing to know of a cluster. The order of the letters in the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum CellState {
    /// Its turn has not come.
    Pending,
    /// Its first deployment comes up.
    Deploying,
    /// The new revision takes its steps.
    Canary,
    /// A person has to agree before it goes on.
    Approval,
    /// All traffic is on the new revision; it becomes the stable one.
    Promoting,
    /// The new revision is the stable one.
    Promoted,
    /// It goes back.
    RollingBack,
    /// It is back.
    RolledBack,
    /// A gate failed, or it cannot go on.
    Failed,
    /// Not reached: its state is unknown.
    Unknown,
    /// Not reached, and it still has to get its rollback.
    Owed,
}

/// States and their letters in [`super::WaveCells::states`].
const LETTERS: [(CellState, char); 11] = [
    (CellState::Pending, '.'),
    (CellState::Deploying, 'd'),
    (CellState::Canary, 'c'),
    (CellState::Approval, 'a'),
    (CellState::Promoting, 'p'),
    (CellState::Promoted, 'P'),
    (CellState::RollingBack, 'r'),
    (CellState::RolledBack, 'R'),
    (CellState::Failed, 'x'),
    (CellState::Unknown, 'u'),
    (CellState::Owed, 'o'),
];

impl CellState {
    /// Its letter in the matrix.
    #[must_use]
    pub fn letter(self) -> char {
        LETTERS.iter().find(|(state, _)| *state == self).map_or('.', |(_, letter)| *letter)
    }

    /// The state with this letter; an unknown letter is a cluster whose turn has not come.
    #[must_use]
    pub fn from_letter(letter: char) -> Self {
        LETTERS.iter().find(|(_, l)| *l == letter).map_or(Self::Pending, |(state, _)| *state)
    }
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// Name.
    pub name: String,
    /// The most important thing to know.
    pub cell: CellState,
    /// Where it stands.
    pub phase: MemberPhase,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Step it is at, from 1; 0 before the first.
    pub step: u32,
    /// Share that the new revision is meant to have, in per cent.
    pub weight: u8,
    /// Last share that the router was seen to have accepted.
    pub acknowledged_weight: u8,
    /// When the router was seen to have accepted the share that is meant.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Ready pods of the new revision.
    pub ready_pods: u32,
    /// What served before.
    pub from: Option<String>,
    /// What its gates say.
    pub verdict: Option<VerdictView>,
    /// Since when the hub has not reached it: all else here is what was last known.
    pub unreachable_since: Option<DateTime<Utc>>,
    /// Whether it still has to get its rollback.
    pub owed_rollback: bool,
    /// Why it failed or cannot go on.
    pub problem: Option<String>,
}

/// What the gates of a cluster say.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictView {
    /// In one word: Pass, Fail, Watch, `NoData` or Error.
    pub state: VerdictState,
    /// In a sentence.
    pub message: String,
}

/// Members of a status by name, with what else the status says of them.
pub(super) struct Members<'a> {
    by_name: BTreeMap<&'a str, &'a MemberStatus>,
    owed: BTreeSet<&'a str>,
    asked: BTreeSet<&'a str>,
}

impl<'a> Members<'a> {
    pub(super) fn of(status: &'a RolloutStatus) -> Self {
        let owed = status.abort.iter().flat_map(|abort| &abort.owed).map(String::as_str);
        let asked = status.waiting.iter().filter(|wait| wait.token.is_some());
        Self {
            by_name: status.members.iter().map(|m| (m.name.as_str(), m)).collect(),
            owed: owed.collect(),
            asked: asked.filter_map(|wait| wait.cluster.as_deref()).collect(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a MemberStatus> {
        self.by_name.get(name).copied()
    }
}

/// The most important thing to know of a cluster: trouble before progress.
pub(super) fn cell(members: &Members<'_>, name: &str) -> CellState {
    let asked = members.asked.contains(name);
    let Some(member) = members.get(name) else {
        return if asked { CellState::Approval } else { CellState::Pending };
    };
    if members.owed.contains(name) {
        return CellState::Owed;
    }
    if member.unknown_since.is_some() {
        return CellState::Unknown;
    }
    let failed = member.verdict.as_ref().is_some_and(|v| v.state == VerdictState::Fail);
    let forward = matches!(member.phase, MemberPhase::Canary | MemberPhase::Promoting);
    if member.problem.is_some() || (failed && forward) {
        return CellState::Failed;
    }
    if asked {
        return CellState::Approval;
    }
    match member.phase {
        MemberPhase::Pending => CellState::Pending,
        MemberPhase::Deploying => CellState::Deploying,
        MemberPhase::Canary => CellState::Canary,
        MemberPhase::Promoting => CellState::Promoting,
        MemberPhase::Promoted => CellState::Promoted,
        MemberPhase::RollingBack => CellState::RollingBack,
        MemberPhase::RolledBack => CellState::RolledBack,
    }
}

/// The card of a cluster; one of which the hub has said nothing yet is pending.
pub(super) fn card(members: &Members<'_>, name: &str) -> Card {
    let cell = cell(members, name);
    let Some(member) = members.get(name) else {
        return Card {
            name: name.to_owned(),
            cell,
            phase: MemberPhase::Pending,
            since: None,
            step: 0,
            weight: 0,
            acknowledged_weight: 0,
            acknowledged_at: None,
            ready_pods: 0,
            from: None,
            verdict: None,
            unreachable_since: None,
            owed_rollback: false,
            problem: None,
        };
    };
    Card {
        name: name.to_owned(),
        cell,
        phase: member.phase,
        since: Some(member.since),
        step: member.step,
        weight: member.weight,
        acknowledged_weight: member.acknowledged_weight,
        acknowledged_at: member.acknowledged_at,
        ready_pods: member.ready_pods,
        from: member.base.as_ref().and_then(|base| base.revision.clone()),
        verdict: member
            .verdict
            .as_ref()
            .map(|v| VerdictView { state: v.state, message: v.message.clone() }),
        unreachable_since: member.unknown_since,
        owed_rollback: members.owed.contains(name),
        problem: member.problem.clone(),
    }
}
