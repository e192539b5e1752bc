//! Attempts that this process has seen: the status keeps only the last one.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use lockflight_crds::{AttemptPhase, Rollout, RolloutStatus};

use super::view::{AttemptRecord, GateView, Outcome, RolloutRow};
use crate::shelf::Key;

/// Attempts kept per Rollout.
const ATTEMPTS_MAX: usize = 20;

/// Attempts of every Rollout, the newest first.
#[derive(Debug)]
pub(super) struct History {
    kept_since: DateTime<Utc>,
    attempts: BTreeMap<Key, Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<AttemptRecord>,
    /// Since when it has been waiting for a person, as far as it was seen.
    waiting_since: Option<DateTime<Utc>>,
    /// Gates that wait for a person, by their token.
    gates: BTreeMap<String, GateView>,
    seen_before: bool,
}

impl History {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self { kept_since: now, attempts: BTreeMap::new() }
    }

    pub(super) fn kept_since(&self) -> DateTime<Utc> {
        self.kept_since
    }

    /// Takes what a Rollout says now.
    pub(super) fn see(
        &mut self,
        key: &Key,
        rollout: &Rollout,
        row: &RolloutRow,
        now: DateTime<Utc>,
    ) {
        let Some(status) = &rollout.status else { return };
        let Some(attempt) = &status.attempt else { return };
        let kept = self.attempts.entry(key.clone()).or_default();
        kept.see_gates(status, now);
        let waits = row.outcome == Outcome::Waiting;
        let waited = kept.waiting_since.map_or(0, |since| (now - since).num_seconds().max(0));
        if let Some(newest) = kept.records.front_mut() {
            newest.waiting_seconds += waited;
        }
        kept.waiting_since = waits.then_some(now);
        let seen_before = kept.records.front().filter(|r| r.number == attempt.number);
        let record = AttemptRecord {
            number: attempt.number,
            revision: attempt.revision.clone(),
            from: row.from.clone(),
            phase: attempt.phase,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            abort: status
                .abort
                .as_ref()
                .filter(|abort| {
                    abort.revision == attempt.revision && abort.at >= attempt.started_at
                })
                .map(|abort| abort.message.clone()),
            waiting_seconds: seen_before.map_or(0, |r| r.waiting_seconds),
        };
        if seen_before.is_some() {
            kept.records.pop_front();
        } else if let Some(last) = kept.records.front_mut()
            && last.ended_at.is_none()
            && row.from.as_ref() == Some(&last.revision)
        {
            // Its end was too short to be seen; but what the next one starts from in every
            // cluster has got there.
            last.phase = AttemptPhase::Completed;
        }
        kept.records.push_front(record);
        kept.records.truncate(ATTEMPTS_MAX);
    }

    /// Gates that wait for a person.
    pub(super) fn gates(&self, key: &Key) -> Vec<GateView> {
        let kept = self.attempts.get(key);
        kept.map(|kept| kept.gates.values().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.attempts.remove(key);
    }

    pub(super) fn of(&self, key: &Key) -> Vec<AttemptRecord> {
        self.attempts
            .get(key)
            .map(|kept| kept.records.iter().cloned().collect())
            .unwrap_or_default()
    }
}

impl Kept {
    /// The status does not say since when a gate waits: it is when it was first seen to.
    fn see_gates(&mut self, status: &RolloutStatus, now: DateTime<Utc>) {
        let shown = status.waiting.iter().filter_map(|wait| wait.token.as_ref());
        let known = std::mem::take(&mut self.gates);
        self.gates = shown
            .map(|token| {
                let fresh = || GateView {
                    token: token.clone(),
                    since: now,
                    // Whoever comes late does not know for how long it has waited.
                    perhaps_longer: !self.seen_before,
                };
                (token.clone(), known.get(token).cloned().unwrap_or_else(fresh))
            })
            .collect();
        self.seen_before = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::view::testing::{now, progressing};

    /// The phase that is kept of an attempt, once another has begun from this revision.
    fn phase_after(first: &Rollout, base: &str) -> AttemptPhase {
        let key = Key::new("shop", "checkout");
        let mut next = first.clone();
        let status = next.status.as_mut().unwrap();
        let attempt = status.attempt.as_mut().unwrap();
        (attempt.number, attempt.revision) = (4, "new".to_owned());
        for member in &mut status.members {
            member.base.as_mut().unwrap().revision = Some(base.to_owned());
        }
        let mut history = History::new(now());
        for rollout in [first, &next] {
            history.see(&key, rollout, &RolloutRow::from(rollout), now());
        }
        let [newest, before] = &history.of(&key)[..] else { panic!("two attempts") };
        assert_eq!((newest.number, newest.phase), (4, AttemptPhase::Progressing));
        before.phase
    }

    #[test]
    fn an_attempt_that_the_next_one_starts_from_was_completed() {
        let first = progressing();
        assert_eq!(phase_after(&first, "7a1b2c3d4e"), AttemptPhase::Completed);
        assert_eq!(phase_after(&first, "618e741e25"), AttemptPhase::Progressing, "it was replaced");
    }
}
