//! Pods that crash under traffic.
//!
//! A process that has died counts no requests, so the application's own metrics show nothing; and
//! one that is ready again after each crash is never without ready pods for long. What tells is
//! the status of the pods. Only pods that were there when the router accepted the weight are
//! looked at, and only what has ended since: all of them were ready then, so a restart while a
//! pod starts, because a sidecar or a database was not up yet, is no crash under traffic.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    draft::Draft,
    ids::MemberId,
    journal::MemberPhase,
    plan::WaitReason,
    pods::PodFacts,
    snapshot::{DeploymentFacts, Facts},
};

/// How long the end of a container counts: the episode of the judge's catastrophes.
const CRASH_AGE_MAX: TimeDelta = TimeDelta::seconds(60);

/// A run that was shorter than this and followed a crash is part of a loop. The kubelet forgets
/// its back-off after as long (twice its longest back-off of five minutes).
const LOOP_RUN_MAX: TimeDelta = TimeDelta::minutes(10);

/// Crashes that it takes at least, of different pods or of one: a single one, of memory or of a
/// node, may happen to any release.
const CRASHES_MIN: usize = 2;

/// What the pods of a member say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Nothing out of the ordinary.
    None,
    /// A few of the release's pods crash again and again.
    OfFew,
    /// Most of the release's pods crash, and stable's as well: nobody can say whose fault it is.
    OfBoth,
    /// At least half of the release's pods crash, and stable's do not; in a sentence.
    OfRelease(String),
}

impl Crash {
    /// Looks at the pods of a member whose traffic, or a part of it, the release has.
    pub(crate) fn look(draft: &mut Draft<'_>, member: &MemberId) -> Self {
        let Some(facts) = draft.facts(member) else { return Self::None };
        let Some(since) = carries_traffic_since(draft, member) else { return Self::None };
        let (Some(target), Some(base)) = (draft.target(), draft.base(member)) else {
            return Self::None;
        };
        if target == base {
            return Self::None;
        }
        let now = draft.now();
        let arm = |revision| Arm::count(pods(facts, revision), since, now);
        let (release, stable) = (arm(&target), arm(&base));
        for ends_at in [release.ends_at, stable.ends_at].into_iter().flatten() {
            draft.wake(ends_at);
        }
        release.beside(&stable)
    }
}

/// Whether what the pods of a member say keeps the way shut; says so.
pub(crate) fn is_held(draft: &mut Draft<'_>, member: &MemberId) -> bool {
    let why = match Crash::look(draft, member) {
        Crash::OfFew => "a pod of the release crashes again and again",
        Crash::OfBoth => "pods of both revisions crash; nothing can be told apart",
        // The latter has been taken back before anything moves.
        Crash::None | Crash::OfRelease(_) => return false,
    };
    draft.wait(member, WaitReason::PodsCrashing, format!("{member}: {why}"));
    true
}

/// When the router had last accepted a weight under which the release has traffic. While a weight
/// is under way nothing is looked at: pods come up for it.
fn carries_traffic_since(draft: &Draft<'_>, member: &MemberId) -> Option<DateTime<Utc>> {
    let journal = draft.member(member)?;
    let carries = match journal.phase {
        MemberPhase::Canary => journal.weight > 0,
        MemberPhase::Promoting => true,
        // Step 0: it served the revision before the attempt began.
        MemberPhase::Promoted => journal.step > 0,
        MemberPhase::Pending
        | MemberPhase::Deploying
        | MemberPhase::RollingBack
        | MemberPhase::RolledBack => false,
    };
    journal.acknowledged_at.filter(|_| carries)
}

fn pods<'f>(facts: &'f Facts, revision: &crate::Revision) -> &'f [PodFacts] {
    facts.deployments.get(revision).map_or(&[], |deployment: &DeploymentFacts| &deployment.pods)
}

/// The pods of one revision.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arm {
    /// Pods that were there when the weight was accepted.
    pods: usize,
    /// Those that have crashed lately, or wait for their next start.
    crashed: usize,
    /// Those that have done so at least twice.
    looping: usize,
    /// Restarts of those that have crashed, ever.
    restarts: u32,
    /// How the last of them ended.
    end: Option<(DateTime<Utc>, String)>,
    /// When the first of the crashes no longer counts.
    ends_at: Option<DateTime<Utc>>,
}

impl Arm {
    fn count(pods: &[PodFacts], since: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut arm = Self::default();
        for pod in pods.iter().filter(|pod| pod.created_at < since) {
            arm.pods += 1;
            let last = pod.last_run.as_ref().filter(|run| run.ended_at >= since);
            let counts_until = last.map(|run| run.ended_at + CRASH_AGE_MAX);
            let is_recent = counts_until.is_some_and(|until| now < until);
            if !is_recent && !pod.backing_off {
                continue;
            }
            arm.crashed += 1;
            arm.restarts = arm.restarts.saturating_add(pod.restarts);
            let Some(run) = last else { continue };
            // It ran when the weight was accepted; so a run that began later follows a crash.
            if run.started_at > since && run.ended_at - run.started_at < LOOP_RUN_MAX {
                arm.looping += 1;
            }
            arm.end = arm.end.max(Some((run.ended_at, run.end.clone())));
            if is_recent {
                arm.ends_at = [arm.ends_at, counts_until].into_iter().flatten().min();
            }
        }
        arm
    }

    /// The release's pods beside stable's.
    fn beside(&self, stable: &Self) -> Crash {
        let crashes = self.crashed + self.looping;
        if self.crashed * 2 < self.pods || crashes < CRASHES_MIN {
            return if self.looping > 0 { Crash::OfFew } else { Crash::None };
        }
        // Shares are compared: stable crashes too where its share is half of the release's.
        if stable.crashed * self.pods * 2 >= self.crashed * stable.pods && stable.crashed > 0 {
            return Crash::OfBoth;
        }
        let end = self.end.as_ref().map(|(_, end)| format!("; {end}")).unwrap_or_default();
        Crash::OfRelease(format!(
            "{} of {} canary pods crashed under traffic within {} s or wait for their next start (restarts: {}{end}); stable: {} of {}",
            self.crashed,
            self.pods,
            CRASH_AGE_MAX.num_seconds(),
            self.restarts,
            stable.crashed,
            stable.pods
        ))
    }
}

#[cfg(test)]
#[path = "crash_tests.rs"]
mod tests;
