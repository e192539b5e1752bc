//! From two states of a Rollout to what happened between them, in sentences.

use std::collections::BTreeMap;

use lockflight_crds::{
    AttemptPhase, AttemptStatus, MemberPhase, MemberStatus, RolloutStatus, VerdictState, WavePhase,
};

/// Versions by the revision that runs them.
pub(super) type Versions = BTreeMap<String, String>;

/// A line of the timeline.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    /// The cluster, or the version where it is about all of them.
    pub(super) subject: String,
    /// What happened.
    pub(super) text: String,
}

/// What has happened since `before`.
pub(super) fn changes(
    before: &RolloutStatus,
    now: &RolloutStatus,
    versions: &Versions,
) -> Vec<Line> {
    let Some(attempt) = &now.attempt else {
        return Vec::new();
    };
    let same = before.attempt.as_ref().is_some_and(|old| old.number == attempt.number);
    let nothing = RolloutStatus::default();
    let before = if same { before } else { &nothing };
    let change = Change { before, now, attempt, version: version(&attempt.revision, versions) };
    let mut lines = Vec::new();
    change.begun(&mut lines);
    change.taken_back(&mut lines);
    for member in &now.members {
        let old = before.members.iter().find(|old| old.name == member.name);
        let texts = change.of_member(old, member, versions);
        lines.extend(texts.map(|text| Line { subject: member.name.clone(), text }));
    }
    change.of_waves(&mut lines);
    change.ended(&mut lines);
    lines
}

fn version<'a>(revision: &'a str, versions: &'a Versions) -> &'a str {
    versions.get(revision).map_or(revision, String::as_str)
}

struct Change<'a> {
    before: &'a RolloutStatus,
    now: &'a RolloutStatus,
    attempt: &'a AttemptStatus,
    version: &'a str,
}

impl Change<'_> {
    fn line(&self, text: String) -> Line {
        Line { subject: self.version.to_owned(), text }
    }

    fn was(&self) -> Option<AttemptPhase> {
        self.before.attempt.as_ref().map(|attempt| attempt.phase)
    }

    fn begun(&self, lines: &mut Vec<Line>) {
        if self.was().is_some() {
            return;
        }
        let number = self.attempt.number;
        let plan = self.now.plan.as_ref().map_or("…", |plan| &plan.estimate);
        lines.push(self.line(format!("attempt {number} begins; the plan takes {plan}")));
    }

    fn taken_back(&self, lines: &mut Vec<Line>) {
        let going_back = matches!(self.attempt.phase, AttemptPhase::Aborting | AttemptPhase::Aborted);
        let was = matches!(self.was(), Some(AttemptPhase::Aborting | AttemptPhase::Aborted));
        if let Some(abort) = self.now.abort.as_ref().filter(|_| going_back && !was) {
            lines.push(self.line(format!("ABORT: {}", abort.message)));
        }
    }

    fn ended(&self, lines: &mut Vec<Line>) {
        if self.was() == Some(self.attempt.phase) {
            return;
        }
        match self.attempt.phase {
            AttemptPhase::Completed => lines.push(self.line("serves in every cluster".to_owned())),
            AttemptPhase::Aborted => lines.push(self.line("aborted; its traffic is back".to_owned())),
            AttemptPhase::Progressing | AttemptPhase::Aborting => {}
        }
    }

    fn of_waves(&self, lines: &mut Vec<Line>) {
        let (Some(plan), going_on) =
            (&self.now.plan, self.attempt.phase == AttemptPhase::Progressing)
        else {
            return;
        };
        let old = self.before.plan.as_ref().map(|plan| plan.waves.as_slice()).unwrap_or_default();
        for (index, wave) in plan.waves.iter().enumerate() {
            if old.get(index).map(|old| old.phase) == Some(wave.phase) || !going_on {
                continue;
            }
            let name = format!("wave {}/{} ({})", index + 1, plan.waves.len(), wave.name);
            let clusters = wave.clusters.join(", ");
            match wave.phase {
                WavePhase::Moving => lines.push(self.line(format!("{name} begins: {clusters}"))),
                WavePhase::Done => lines.push(self.line(format!("{name} is done: {clusters}"))),
                WavePhase::Waiting | WavePhase::Baking => {}
            }
        }
    }

    fn of_member(
        &self,
        old: Option<&MemberStatus>,
        member: &MemberStatus,
        versions: &Versions,
    ) -> impl Iterator<Item = String> {
        let phase = self.phase(old, member, versions);
        let lost = member.unknown_since.filter(|_| old.is_none_or(|old| old.unknown_since.is_none()));
        [
            lost.map(|_| "cannot be reached by the hub".to_owned()),
            phase,
            self.verdict(old, member),
            self.in_force(old, member),
        ]
        .into_iter()
        .flatten()
    }

    fn phase(
        &self,
        old: Option<&MemberStatus>,
        member: &MemberStatus,
        versions: &Versions,
    ) -> Option<String> {
        let version = self.version;
        let was = old.map(|old| old.phase);
        if was == Some(member.phase) {
            return None;
        }
        let base = member.base.as_ref().and_then(|base| base.revision.as_deref());
        let stable = base.map_or("what served before", |revision| self::version(revision, versions));
        match member.phase {
            MemberPhase::Pending => None,
            MemberPhase::Deploying => Some(format!("{version} is deployed for the first time")),
            MemberPhase::Canary => Some(format!("pods of {version} start beside {stable}")),
            MemberPhase::Promoting => Some(format!("gates passed: {version} becomes the stable version")),
            MemberPhase::Promoted => Some(format!("promoted: {version} is the stable version")),
            MemberPhase::RollingBack => Some(format!("traffic goes back to {stable}")),
            MemberPhase::RolledBack if was == Some(MemberPhase::Pending) || was.is_none() => {
                Some(format!("never saw {version}"))
            }
            MemberPhase::RolledBack => Some(format!("rolled back: {stable} is alone again")),
        }
    }

    fn verdict(&self, old: Option<&MemberStatus>, member: &MemberStatus) -> Option<String> {
        let verdict = member.verdict.as_ref()?;
        let same = old.and_then(|old| old.verdict.as_ref()).is_some_and(|old| old.state == verdict.state);
        let word = match verdict.state {
            _ if same => return None,
            // Evidence is only being gathered.
            VerdictState::Watch => return None,
            VerdictState::Pass => "pass",
            VerdictState::Fail => "FAIL",
            VerdictState::NoData => "no data",
            VerdictState::Error => "error",
        };
        Some(format!("{word}: {}", verdict.message))
    }

    /// The router's word that a share is in force.
    fn in_force(&self, old: Option<&MemberStatus>, member: &MemberStatus) -> Option<String> {
        let at = member.acknowledged_at?;
        if old.and_then(|old| old.acknowledged_at) == Some(at) {
            return None;
        }
        let steps = self.now.plan.as_ref().map_or(0, |plan| plan.steps.len());
        let (step, weight, version) = (member.step, member.acknowledged_weight, self.version);
        match member.phase {
            MemberPhase::Canary if weight > 0 => Some(format!(
                "step {step}/{steps}: {weight} % of the requests go to {version}, says the router"
            )),
            MemberPhase::RollingBack | MemberPhase::RolledBack => {
                Some(format!("no request goes to {version} any more, says the router"))
            }
            _ => None,
        }
    }
}
