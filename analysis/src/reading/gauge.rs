//! Gauges as cells: a pod in a window is one event, and bad when its value is above the level.
//!
//! A level that is taken from stable is so many times the highest of its pods, each at the 85 %
//! point of its last windows:
//!
//! - Of *earlier* windows only, one window after the other: whoever is high in a window is high
//!   by a rule that was fixed before. Of equal pods, any is then as likely as any other to be
//!   among the high ones of a window, which is all that the judge needs.
//! - Of the highest pod, not of all values together: pods differ lastingly, by a leader's work or
//!   a busy shard. Where one stable pod in ten is high all the time, a canary pod of that kind
//!   would look bad for ever.
//! - It never falls within an attempt: as the canary takes over the traffic, stable's pods have
//!   less to do than the canary's, which then have what stable's had before. It does rise with
//!   stable: what both show at noon is nobody's fault.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{
    answer::ms,
    cells::pod_counts,
    cursor::Cursor,
    frame::{Frame, Placed},
    reason::{LeftOut, Notes},
    traffic::warm_from,
};
use crate::{
    figures::float,
    judge::{Arm, Cell},
};

/// Values of stable that it takes to say what is high, of all pods that have shown enough.
pub(super) const VALUES_MIN: usize = 20;

/// Values that it takes of a pod: of fewer the 85 % point is the highest, which may be a chance
/// that the level would never forget.
const VALUES_OF_POD_MIN: usize = 10;

/// Windows of a pod that are remembered.
const WINDOWS_KEPT: i64 = 40;

/// Share of a pod's values below what it usually shows at most.
const QUANTILE: f64 = 0.85;

/// From where on a pod's value is bad, in the unit of the gauge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// Above this value.
    Above(f64),
    /// Above what the highest stable pod usually shows, times this, from 1. Of a negative value
    /// the same distance is added.
    BeyondStable(f64),
}

/// What stable's pods have shown, and the level that follows from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Past {
    /// Values by the end of their window in ms, per pod, ascending.
    pods: BTreeMap<Arc<str>, VecDeque<(i64, f64)>>,
    /// The highest level so far.
    pub(super) level: Option<f64>,
}

impl Past {
    /// Number of values by which a level could be chosen.
    pub(super) fn values(&self) -> usize {
        self.shown().map(VecDeque::len).sum()
    }

    /// The values of the pods that have shown enough.
    fn shown(&self) -> impl Iterator<Item = &VecDeque<(i64, f64)>> {
        self.pods.values().filter(|values| values.len() >= VALUES_OF_POD_MIN)
    }

    /// Remembers a window that ended at `ends_at` and forgets what ended at `since` or before.
    fn add(&mut self, values: Vec<(Arc<str>, f64)>, ends_at: i64, since: i64) {
        for (pod, value) in values {
            self.pods.entry(pod).or_default().push_back((ends_at, value));
        }
        self.pods.retain(|_, values| {
            values.retain(|(at, _)| *at > since);
            !values.is_empty()
        });
    }

    /// Raises the level to what stable shows now, once it has shown enough.
    fn raise(&mut self, ratio: f64) {
        if self.values() < VALUES_MIN {
            return;
        }
        let high = self.shown().filter_map(usual_high).max_by(f64::total_cmp);
        if let Some(high) = high {
            let level = high + (ratio - 1.0) * high.abs();
            self.level = Some(self.level.map_or(level, |before| before.max(level)));
        }
    }
}

/// What a pod usually shows at most: the 85 % point of its values.
fn usual_high(values: &VecDeque<(i64, f64)>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a short list"
    )]
    let at = (QUANTILE * (sorted.len().checked_sub(1)?) as f64).ceil() as usize;
    sorted.get(at).copied()
}

/// The pods with their targets.
type ByPod<'f, 'a> = BTreeMap<Arc<str>, Vec<&'f Placed<'a>>>;

/// Takes what the answer shows of stable before the first window that is due. That is where a
/// reader begins that has seen nothing: at the opening, and after the hub has started again.
pub(super) fn begin(frame: &Frame<'_>, cursor: &mut Cursor, pods: &ByPod<'_, '_>) {
    if !cursor.gauge.pods.is_empty() {
        return;
    }
    let first = frame.placed.iter().filter_map(|placed| placed.slots.first_key_value());
    let Some(first) = first.map(|(slot, _)| *slot).min() else { return };
    for slot in first.max(frame.due.0 - WINDOWS_KEPT)..frame.due.0 {
        remember(frame, cursor, pods, slot);
    }
}

/// The cells of a window, those that count. Stable's values of this window are only remembered,
/// for later ones.
pub(super) fn window(
    frame: &Frame<'_>,
    cursor: &mut Cursor,
    pods: &ByPod<'_, '_>,
    slot: i64,
    notes: &mut Notes,
) -> Vec<Cell> {
    let level = match frame.round.settings.level {
        Level::Above(level) => Some(level),
        Level::BeyondStable(ratio) => {
            // Nothing is judged before the opening, and the more has been seen the better.
            if frame.ends_at(slot) - frame.grid.length_ms >= ms(frame.round.since) {
                cursor.gauge.raise(ratio);
            }
            cursor.gauge.level
        }
    };
    let mut cells = Vec::new();
    for (pod, targets) in pods {
        let Some(facts) = frame.round.pods.get(pod) else { continue };
        // There are no counts; that there could be some means that the cell is covered.
        let counts = pod_counts(frame, cursor, (pod, facts), targets, slot);
        let value = counts.and_then(|counts| Ok((counts, value(targets, slot)?)));
        match (value, level) {
            (Err(reason), _) => notes.add(facts.arm, reason),
            (Ok((counts, value)), Some(level)) => {
                let bad = u64::from(value > level);
                cells.push(Cell { arm: facts.arm, pod: Arc::clone(pod), bad, events: 1 });
                cursor.consume(&counts.consumed);
            }
            // Until there is a level, windows pass.
            (Ok(_), None) => {}
        }
    }
    remember(frame, cursor, pods, slot);
    cells
}

/// Remembers what stable's warm pods showed in a window, also of before the opening: nothing is
/// judged by it there.
fn remember(frame: &Frame<'_>, cursor: &mut Cursor, pods: &ByPod<'_, '_>, slot: i64) {
    if matches!(frame.round.settings.level, Level::Above(_)) {
        return;
    }
    let (ends_at, length) = (frame.ends_at(slot), frame.grid.length_ms);
    let warm_up = frame.round.settings.warm_up.num_milliseconds().max(0);
    let of_stable = pods.iter().filter_map(|(pod, targets)| {
        let facts = frame.round.pods.get(pod).filter(|facts| facts.arm == Arm::Stable)?;
        let warm = warm_from(facts, cursor.first_seen.get(pod).copied(), warm_up)?;
        let ending = facts.terminating_since.is_some_and(|since| ms(since) < ends_at);
        let is_usual = warm <= ends_at - length && !ending;
        let value = value(targets, slot).ok().filter(|_| is_usual)?;
        Some((Arc::clone(pod), value))
    });
    let of_stable = of_stable.collect();
    cursor.gauge.add(of_stable, ends_at, ends_at - WINDOWS_KEPT * length);
}

/// A pod's value in a window: of all of its targets together, each its mean over the window's
/// scrapes.
fn value(targets: &[&Placed<'_>], slot: i64) -> Result<f64, LeftOut> {
    let mut sum = 0.0_f64;
    for placed in targets {
        sum += mean(placed, slot)?;
    }
    if sum.is_finite() { Ok(sum) } else { Err(LeftOut::NotANumber) }
}

/// The mean over a window's scrapes, each of which needs all of the target's series.
fn mean(placed: &Placed<'_>, slot: i64) -> Result<f64, LeftOut> {
    let last = *placed.slots.get(&slot).ok_or(LeftOut::MissingScrape)?;
    let first = placed.slots.get(&(slot - 1)).map_or(last, |base| base + 1).min(last);
    let mut sum = 0.0;
    for index in first..=last {
        placed.target.check_complete(index)?;
        let tracks = placed.target.tracks.iter();
        sum += tracks.filter_map(|track| *track.values.get(index)?).sum::<f64>();
    }
    Ok(sum / float(u64::try_from(last - first + 1).unwrap_or(u64::MAX)))
}
