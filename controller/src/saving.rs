//! When what gates have counted has to be written by itself, and what had no room.

use std::time::Duration;

use tokio::time::Instant;

use crate::judgement::LeftOut;

/// Reason of the Event that says what the status has no room for.
pub const EVIDENCE_TOO_LARGE: &str = "EvidenceTooLarge";

/// Counters alone are written at most so often: every write has the whole status in it.
const COUNTERS_PAUSE: Duration = Duration::from_secs(5);

/// What of a judgement is in the status.
#[derive(Debug, Default)]
pub struct Saving {
    /// Changes of counters that are in it.
    changes: u64,
    /// When it was written.
    at: Option<Instant>,
    /// What it had no room for.
    left_out: Vec<LeftOut>,
}

impl Saving {
    /// Whether counters have to be written although nothing else has changed.
    #[must_use]
    pub fn is_due(&self, changes: u64, now: Instant) -> bool {
        changes != self.changes && self.at.is_none_or(|at| now >= at + COUNTERS_PAUSE)
    }

    /// When counters that could not be written at once are to be; none where all are.
    #[must_use]
    pub fn due_at(&self, changes: u64) -> Option<Instant> {
        self.at.filter(|_| changes != self.changes).map(|at| at + COUNTERS_PAUSE)
    }

    /// The status was written. What is to be said of what it has no room for, when that begins.
    #[must_use]
    pub fn written(&mut self, changes: u64, left_out: Vec<LeftOut>, now: Instant) -> Vec<String> {
        (self.changes, self.at) = (changes, Some(now));
        let known = std::mem::replace(&mut self.left_out, left_out);
        let is_new = |left: &&LeftOut| known.iter().all(|known| known.what != left.what);
        let news = self.left_out.iter().filter(is_new);
        news.map(|left| {
            format!(
                "{left}: until they fit, a hub that starts again gathers them anew; fewer \
                 metrics, or fewer clusters at the same time (maxConcurrent), make room"
            )
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Instant, LeftOut, Saving};

    #[test]
    fn counters_are_written_soon_and_not_too_often() {
        let (mut saving, now) = (Saving::default(), Instant::now());
        assert!(!saving.is_due(0, now) && saving.is_due(1, now), "nothing was written yet");
        let _ = saving.written(1, Vec::new(), now);
        assert!(!saving.is_due(1, now) && saving.due_at(1).is_none(), "all is written");
        assert!(!saving.is_due(2, now), "too soon");
        assert!(saving.due_at(2).is_some_and(|at| saving.is_due(2, at)));
    }

    #[test]
    fn what_is_left_out_is_said_when_it_begins() {
        let left = |what, length| LeftOut { what, length, max: 500_000 };
        let mut saving = Saving::default();
        let cases = [
            (vec![left("the evidence", 500_004)], 1),
            (vec![left("the evidence", 600_000)], 0),
            (vec![left("the evidence", 600_000), left("the levels", 600_000)], 1),
            (vec![], 0),
            (vec![left("the evidence", 500_004)], 1),
        ];
        for (left_out, expect) in cases {
            let said = saving.written(0, left_out.clone(), Instant::now());
            assert_eq!(said.len(), expect, "{left_out:?}");
            for text in said {
                assert!(text.contains("has room for 500000: until they fit"), "{text}");
            }
        }
    }
}
