//! From two states of a Rollout to what happened between them, in sentences.

mod member;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use lockflight_crds::{AttemptPhase, AttemptStatus, MemberPhase, RolloutStatus, WavePhase};

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
    let version = version(&attempt.revision, versions);
    let change = Change { before, now, attempt, version, versions };
    let mut lines = Vec::new();
    change.begun(&mut lines);
    change.taken_back(&mut lines);
    // Who has arrived ends a wave; who sets out belongs to the next one.
    change.of_members(&mut lines, true);
    change.of_waves(&mut lines);
    change.of_members(&mut lines, false);
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
    versions: &'a Versions,
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
        // Where nothing served before, nothing is compared and nothing bakes.
        let first = self.now.members.iter().all(|member| member::base(member).is_none());
        let plan = self.now.plan.as_ref().filter(|_| !first);
        let plan = plan.map(|plan| format!("; the plan takes {}", plan.estimate));
        let number = self.attempt.number;
        lines.push(self.line(format!("attempt {number} begins{}", plan.unwrap_or_default())));
    }

    fn taken_back(&self, lines: &mut Vec<Line>) {
        let goes_back = |phase| matches!(phase, AttemptPhase::Aborting | AttemptPhase::Aborted);
        let turned = goes_back(self.attempt.phase) && !self.was().is_some_and(goes_back);
        if let Some(abort) = self.now.abort.as_ref().filter(|_| turned) {
            lines.push(self.line(format!("ABORT: {}", abort.message)));
        }
    }

    fn ended(&self, lines: &mut Vec<Line>) {
        if self.was() == Some(self.attempt.phase) {
            return;
        }
        match self.attempt.phase {
            AttemptPhase::Completed => lines.push(self.line("serves in every cluster".to_owned())),
            AttemptPhase::Aborted => {
                lines.push(self.line("aborted: all of its traffic is back".to_owned()));
            }
            AttemptPhase::Progressing | AttemptPhase::Aborting => {}
        }
    }

    fn of_members(&self, lines: &mut Vec<Line>, arrived: bool) {
        let has_arrived = |phase| matches!(phase, MemberPhase::Promoted | MemberPhase::RolledBack);
        for member in self.now.members.iter().filter(|m| has_arrived(m.phase) == arrived) {
            let old = self.before.members.iter().find(|old| old.name == member.name);
            let line = |text| Line { subject: member.name.clone(), text };
            lines.extend(self.of_member(old, member).into_iter().flatten().map(line));
        }
    }

    fn of_waves(&self, lines: &mut Vec<Line>) {
        let Some(plan) = &self.now.plan else {
            return;
        };
        if matches!(self.attempt.phase, AttemptPhase::Aborting | AttemptPhase::Aborted) {
            return;
        }
        let old = self.before.plan.as_ref().map(|plan| plan.waves.as_slice()).unwrap_or_default();
        for (index, wave) in plan.waves.iter().enumerate() {
            if old.get(index).map(|old| old.phase) == Some(wave.phase) {
                continue;
            }
            let name = format!("wave {}/{} ({})", index + 1, plan.waves.len(), wave.name);
            let clusters = wave.clusters.join(", ");
            match wave.phase {
                WavePhase::Moving => lines.push(self.line(format!("{name} begins: {clusters}"))),
                WavePhase::Done => lines.push(self.line(format!("{name} is done"))),
                WavePhase::Waiting | WavePhase::Baking => {}
            }
        }
    }
}
