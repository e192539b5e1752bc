//! A plan in the making.

use chrono::{DateTime, Utc};

use crate::{
    ids::{MemberId, Revision},
    journal::{AttemptPhase, Base, Journal, MemberJournal, MemberPhase},
    plan::{Action, Gate, HubAction, Notice, NoticeReason, Plan, WaitReason, Waiting},
    snapshot::{Facts, Observed, Snapshot},
};

/// What the steps of a pass add to.
pub(crate) struct Draft<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) next: Journal,
    /// The user asked for another attempt at the aborted revision.
    pub(crate) retry: bool,
    actions: Vec<(MemberId, Action)>,
    hub_actions: Vec<HubAction>,
    gates: Vec<Gate>,
    waiting: Vec<Waiting>,
    notices: Vec<Notice>,
    wake_at: Option<DateTime<Utc>>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            next: snapshot.journal.clone(),
            retry: false,
            actions: Vec::new(),
            hub_actions: Vec::new(),
            gates: Vec::new(),
            waiting: Vec::new(),
            notices: Vec::new(),
            wake_at: None,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.snapshot.now
    }

    pub(crate) fn phase(&self) -> Option<AttemptPhase> {
        self.next.attempt.as_ref().map(|attempt| attempt.phase)
    }

    /// The revision on trial.
    pub(crate) fn target(&self) -> Option<Revision> {
        self.next.attempt.as_ref().map(|attempt| attempt.revision.clone())
    }

    /// Pods at full size: what the spec asks for, or what the Deployment has where there is no
    /// valid spec.
    pub(crate) fn full_size(&self, facts: &Facts, revision: &Revision) -> u32 {
        match &self.snapshot.policy {
            Some(policy) => policy.replicas,
            None => facts.deployments.get(revision).map_or(1, |deployment| deployment.replicas),
        }
    }

    pub(crate) fn facts(&self, member: &MemberId) -> Option<&'a Facts> {
        match self.snapshot.members.get(member) {
            Some(Observed::Known(facts)) => Some(facts),
            Some(Observed::Unknown { .. }) | None => None,
        }
    }

    pub(crate) fn member(&self, member: &MemberId) -> Option<&MemberJournal> {
        self.next.members.get(member)
    }

    /// Changes a member's journal; a member that is not in the plan is left alone.
    pub(crate) fn edit(&mut self, member: &MemberId, change: impl FnOnce(&mut MemberJournal)) {
        if let Some(journal) = self.next.members.get_mut(member) {
            change(journal);
        }
    }

    /// Moves a member to a phase and step, from now on, with nothing yet acknowledged.
    pub(crate) fn enter(&mut self, member: &MemberId, phase: MemberPhase, step: usize) {
        let now = self.now();
        self.edit(member, |journal| {
            journal.phase = phase;
            journal.step = step;
            journal.since = now;
            journal.endpoints_since = None;
            journal.verdict = None;
        });
    }

    pub(crate) fn base(&self, member: &MemberId) -> Option<Revision> {
        match self.member(member).map(|journal| &journal.base) {
            Some(Base::Serving(revision)) => Some(revision.clone()),
            Some(Base::Unseen | Base::Nothing) | None => None,
        }
    }

    pub(crate) fn act(&mut self, member: &MemberId, action: Action) {
        self.actions.push((member.clone(), action));
    }

    pub(crate) fn act_on_hub(&mut self, action: HubAction) {
        self.hub_actions.push(action);
    }

    pub(crate) fn open(&mut self, gate: Gate) {
        self.gates.push(gate);
    }

    /// Forgets every write of this pass: the direction has changed.
    pub(crate) fn turn_round(&mut self) {
        self.actions.clear();
        self.gates.clear();
        self.waiting.clear();
    }

    pub(crate) fn wait(&mut self, member: &MemberId, reason: WaitReason, message: String) {
        self.wait_for(Waiting {
            member: Some(member.clone()),
            reason,
            message,
            until: None,
            token: None,
        });
    }

    pub(crate) fn wait_until(
        &mut self,
        member: &MemberId,
        reason: WaitReason,
        message: String,
        until: DateTime<Utc>,
    ) {
        self.wake(until);
        self.wait_for(Waiting {
            member: Some(member.clone()),
            reason,
            message,
            until: Some(until),
            token: None,
        });
    }

    pub(crate) fn wait_for(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    pub(crate) fn tell(&mut self, reason: NoticeReason, message: String) {
        self.notices.push(Notice { reason, message });
    }

    pub(crate) fn wake(&mut self, at: DateTime<Utc>) {
        if at > self.now() && self.wake_at.is_none_or(|earlier| at < earlier) {
            self.wake_at = Some(at);
        }
    }

    /// Whether members may be written to: only under our finalizer, or a deletion could leave
    /// half a release behind that nobody takes back.
    pub(crate) fn may_write(&mut self) -> bool {
        if self.snapshot.finalizer || self.next.attempt.is_none() {
            return self.snapshot.finalizer;
        }
        if !self.snapshot.deleting {
            self.act_on_hub(HubAction::AddFinalizer);
            self.wait_for(Waiting {
                member: None,
                reason: WaitReason::Finalizer,
                message: "the Rollout gets its finalizer before anything is written".to_owned(),
                until: None,
                token: None,
            });
        }
        false
    }

    pub(crate) fn finish(self) -> Plan {
        Plan {
            next: self.next,
            actions: self.actions,
            hub_actions: self.hub_actions,
            gates: self.gates,
            waiting: self.waiting,
            notices: self.notices,
            wake_at: self.wake_at,
        }
    }
}
