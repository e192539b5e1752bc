//! What happened in one cluster.

use lockflight_crds::{MemberPhase, MemberStatus, VerdictState};

use super::{Change, version};

/// What served there when the attempt began.
pub(super) fn base(member: &MemberStatus) -> Option<&str> {
    member.base.as_ref()?.revision.as_deref()
}

impl Change<'_> {
    pub(super) fn of_member(
        &self,
        old: Option<&MemberStatus>,
        member: &MemberStatus,
    ) -> [Option<String>; 5] {
        let was_lost = old.is_some_and(|old| old.unknown_since.is_some());
        let is_lost = member.unknown_since.is_some();
        let reach = (is_lost && !was_lost).then(|| "cannot be reached by the hub".to_owned());
        let (in_force, verdict) = (self.in_force(old, member), verdict(old, member));
        [reach, self.step_over(old, member), verdict, in_force, self.phase(old, member)]
    }

    /// A step that has ended without a verdict of its own. An early one goes on while the gate
    /// still watches; and what lets the last one pass may come with the change itself.
    fn step_over(&self, old: Option<&MemberStatus>, member: &MemberStatus) -> Option<String> {
        let old = old.filter(|old| old.phase == MemberPhase::Canary && old.step < member.step)?;
        let watched = old.verdict.as_ref()?.state == VerdictState::Watch;
        if member.phase != MemberPhase::Canary || !watched || old.step == 0 {
            return None;
        }
        let steps = &self.now.plan.as_ref()?.steps;
        let (step, count, now) = (old.step, steps.len(), self.version);
        let next = steps.get(usize::try_from(step).ok()?)?;
        if member.approved_step == Some(step) {
            return Some(format!("step {step}/{count} was approved"));
        }
        Some(if next.weight < 100 {
            format!(
                "step {step}/{count} is over: little speaks against {now} (only the last needs a pass)"
            )
        } else {
            format!("step {step}/{count} passed: {now} has shown all that is asked for")
        })
    }

    fn phase(&self, old: Option<&MemberStatus>, member: &MemberStatus) -> Option<String> {
        let was = old.map(|old| old.phase);
        if was == Some(member.phase) {
            return None;
        }
        let now = self.version;
        let stable = base(member).map_or("nothing", |revision| version(revision, self.versions));
        match member.phase {
            MemberPhase::Pending => None,
            MemberPhase::Deploying => Some(format!("{now} is deployed for the first time")),
            MemberPhase::Canary => Some(format!("pods of {now} start beside {stable}")),
            MemberPhase::Promoting => {
                Some(format!("gates passed: {now} becomes the stable version"))
            }
            MemberPhase::Promoted => Some(format!("{now} is the stable version")),
            MemberPhase::RollingBack => Some(format!("traffic goes back to {stable}")),
            MemberPhase::RolledBack if matches!(was, None | Some(MemberPhase::Pending)) => {
                Some(format!("has never seen {now}"))
            }
            MemberPhase::RolledBack => Some(format!("{stable} serves alone again")),
        }
    }

    /// The router's word that a share is in force.
    fn in_force(&self, old: Option<&MemberStatus>, member: &MemberStatus) -> Option<String> {
        let at = member.acknowledged_at?;
        if old.and_then(|old| old.acknowledged_at) == Some(at) {
            return None;
        }
        let steps = self.now.plan.as_ref().map_or(0, |plan| plan.steps.len());
        let (step, weight, now) = (member.step, member.acknowledged_weight, self.version);
        match member.phase {
            MemberPhase::Canary if weight > 0 => Some(format!(
                "step {step}/{steps}: the router sends {weight} % of the requests to {now}"
            )),
            MemberPhase::RollingBack | MemberPhase::RolledBack => {
                Some(format!("the router sends nothing to {now} any more"))
            }
            _ => None,
        }
    }
}

/// Only verdicts that decide something: a gate that has just opened has no data, and one that
/// watches gathers them.
fn verdict(old: Option<&MemberStatus>, member: &MemberStatus) -> Option<String> {
    let verdict = member.verdict.as_ref()?;
    let before = old.and_then(|old| old.verdict.as_ref()).map(|old| old.state);
    if before == Some(verdict.state) {
        return None;
    }
    match (verdict.state, member.phase) {
        // With all the traffic there is nothing to compare with.
        (VerdictState::Pass, MemberPhase::Canary) if member.weight < 100 => {
            Some(format!("pass: {}", verdict.message))
        }
        (VerdictState::Error, _) => Some(format!("cannot judge: {}", verdict.message)),
        _ => None,
    }
}
