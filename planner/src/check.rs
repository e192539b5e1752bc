//! A second witness: invariants over a snapshot and the plan made from it, in code that did not
//! make the plan. A violation makes the controller refuse the whole plan.

use std::fmt;

use crate::{
    ids::{MemberId, Revision},
    journal::{AttemptPhase, MemberPhase},
    member::pods_for,
    plan::{Action, Plan},
    snapshot::{Observed, Role, Snapshot},
};

/// An invariant that a plan would break (numbers as in the project's list of invariants).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// S2: a share would rise above what ready endpoints can carry.
    TrafficWithoutCapacity(MemberId, u8),
    /// S3: pods that a Service still names would be taken away.
    ScaleDownUnderTraffic(MemberId, Revision),
    /// S5: a weight would be sent that the journal does not hold.
    NotJournalled(MemberId, u8),
    /// S5: a step would be skipped.
    StepSkipped(MemberId, usize),
    /// S11: a share would rise while the attempt goes back.
    RaiseWhileAborting(MemberId, u8),
    /// A member out of reach would be written to.
    WriteToUnknown(MemberId),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrafficWithoutCapacity(member, weight) => {
                write!(f, "S2: {weight} % in {member} without ready endpoints for it")
            }
            Self::ScaleDownUnderTraffic(member, revision) => {
                write!(f, "S3: scale-down of {revision} in {member} while a Service names it")
            }
            Self::NotJournalled(member, weight) => {
                write!(f, "S5: {weight} % in {member} is not in the journal")
            }
            Self::StepSkipped(member, step) => write!(f, "S5: {member} would skip to step {step}"),
            Self::RaiseWhileAborting(member, weight) => {
                write!(f, "S11: {weight} % in {member} while the attempt goes back")
            }
            Self::WriteToUnknown(member) => write!(f, "{member} is out of reach"),
        }
    }
}

/// Every invariant that the plan would break.
#[must_use]
pub fn check(snapshot: &Snapshot, plan: &Plan) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (member, action) in &plan.actions {
        let Some(Observed::Known(facts)) = snapshot.members.get(member) else {
            violations.push(Violation::WriteToUnknown(member.clone()));
            continue;
        };
        match action {
            Action::SetWeight { percent, .. } => {
                check_weight(snapshot, plan, member, *percent, &mut violations);
            }
            Action::Scale { revision, replicas } => {
                let shrinks =
                    facts.deployments.get(revision).is_some_and(|d| d.replicas > *replicas);
                let named =
                    [Role::Stable, Role::Canary].iter().any(|r| facts.selects(*r, revision));
                let wanted = snapshot.policy.as_ref().map_or(0, |policy| policy.replicas);
                if shrinks && named && *replicas < wanted.max(1) {
                    violations
                        .push(Violation::ScaleDownUnderTraffic(member.clone(), revision.clone()));
                }
            }
            Action::DeleteDeployment { revision } => {
                let named =
                    [Role::Stable, Role::Canary].iter().any(|r| facts.selects(*r, revision));
                let empty = facts.deployments.get(revision).is_none_or(|d| d.replicas == 0);
                if named || !empty {
                    violations
                        .push(Violation::ScaleDownUnderTraffic(member.clone(), revision.clone()));
                }
            }
            Action::CreateDeployment { .. } | Action::PointService { .. } => {}
        }
    }
    check_steps(snapshot, plan, &mut violations);
    violations
}

fn check_weight(
    snapshot: &Snapshot,
    plan: &Plan,
    member: &MemberId,
    percent: u8,
    violations: &mut Vec<Violation>,
) {
    let Some(Observed::Known(facts)) = snapshot.members.get(member) else { return };
    let Some(journal) = plan.next.members.get(member) else { return };
    if journal.weight != percent {
        violations.push(Violation::NotJournalled(member.clone(), percent));
    }
    let before = snapshot.journal.members.get(member).map_or(0, |old| old.acknowledged_weight);
    if percent <= before {
        return;
    }
    let progressing =
        plan.next.attempt.as_ref().is_some_and(|a| a.phase == AttemptPhase::Progressing);
    if !progressing || journal.phase != MemberPhase::Canary {
        violations.push(Violation::RaiseWhileAborting(member.clone(), percent));
    }
    let full_size = snapshot.policy.as_ref().map_or(1, |policy| policy.replicas);
    let carried = facts.canary.as_ref().and_then(|service| {
        let revision = service.selects.as_ref()?;
        service.endpoints.get(revision).copied()
    });
    if carried.unwrap_or(0) < pods_for(percent, full_size) {
        violations.push(Violation::TrafficWithoutCapacity(member.clone(), percent));
    }
}

fn check_steps(snapshot: &Snapshot, plan: &Plan, violations: &mut Vec<Violation>) {
    let number = |journal: &crate::Journal| journal.attempt.as_ref().map(|a| a.number);
    if number(&snapshot.journal) != number(&plan.next) {
        return;
    }
    for (member, next) in &plan.next.members {
        let Some(old) = snapshot.journal.members.get(member) else { continue };
        let both = old.phase == MemberPhase::Canary && next.phase == MemberPhase::Canary;
        if both && next.step > old.step + 1 {
            violations.push(Violation::StepSkipped(member.clone(), next.step));
        }
    }
}
