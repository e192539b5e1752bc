//! Windows of single pods.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    answer::ms,
    cursor::{Cursor, FORGET_AFTER_MS},
    frame::{Frame, Placed},
    lane,
    reason::{LeftOut, Notes},
    settings::PodFacts,
    span::SKEW_MS,
    traffic::warm_from,
};
use crate::{
    figures::whole,
    judge::{Arm, Cell},
};

/// A pod's events in a window.
pub(super) struct PodCounts {
    pub(super) pod: Arc<str>,
    pub(super) arm: Arm,
    pub(super) events: f64,
    /// Bad events per stream.
    pub(super) bad: Vec<Result<f64, LeftOut>>,
    /// What to remember when it counts: targets and the time of their last sample.
    pub(super) consumed: Vec<(u64, i64)>,
}

/// The targets of each pod.
pub(super) fn by_pod<'f, 'a>(frame: &'f Frame<'a>) -> BTreeMap<Arc<str>, Vec<&'f Placed<'a>>> {
    let mut pods: BTreeMap<Arc<str>, Vec<&Placed<'_>>> = BTreeMap::new();
    for placed in &frame.placed {
        pods.entry(Arc::clone(&placed.target.subject)).or_default().push(placed);
    }
    pods
}

/// What a pod counted in a window; all of its targets have to be covered.
pub(super) fn pod_counts(
    frame: &Frame<'_>,
    cursor: &Cursor,
    (pod, facts): (&Arc<str>, &PodFacts),
    targets: &[&Placed<'_>],
    slot: i64,
) -> Result<PodCounts, LeftOut> {
    let streams = frame.streams();
    let mut counts = PodCounts {
        pod: Arc::clone(pod),
        arm: facts.arm,
        events: 0.0,
        bad: vec![Ok(0.0); streams],
        consumed: Vec::new(),
    };
    // One of its targets that was there a moment ago and is not any more.
    let gone = cursor.targets.iter().any(|(id, known)| {
        known.subject == *pod
            && frame.covered.1 - known.newest < FORGET_AFTER_MS
            && targets.iter().all(|placed| placed.target.id != *id)
    });
    if gone || !targets.iter().any(|placed| placed.target.sees_all()) {
        return Err(LeftOut::MissingScrape);
    }
    let warm_up = frame.round.settings.warm_up.num_milliseconds().max(0);
    let warm_from = warm_from(facts, cursor.first_seen.get(pod).copied(), warm_up);
    for placed in targets {
        let counted = frame.counted(placed, slot)?;
        if facts.terminating_since.is_some_and(|since| counted.to + SKEW_MS > ms(since)) {
            return Err(LeftOut::Terminating);
        }
        // A pod that is warm at once may have served its first request after its first scrape.
        if warm_up > 0 && warm_from.is_none_or(|from| counted.from < from) {
            return Err(LeftOut::WarmUp);
        }
        let of = |what: usize| {
            counted.lanes.get(lane(facts.arm, what)).copied().unwrap_or(Err(LeftOut::Layout))
        };
        counts.events += of(0)?;
        for (n, bad) in counts.bad.iter_mut().enumerate() {
            *bad = match (*bad, of(1 + n)) {
                (Ok(sum), Ok(more)) => Ok(sum + more),
                (Err(reason), _) | (_, Err(reason)) => Err(reason),
            };
        }
        counts.consumed.push((placed.target.id, counted.to));
    }
    Ok(counts)
}

/// The cells of a window per stream, those that count.
pub(super) fn window(
    frame: &Frame<'_>,
    cursor: &mut Cursor,
    pods: &BTreeMap<Arc<str>, Vec<&Placed<'_>>>,
    slot: i64,
    notes: &mut Notes,
) -> Vec<Vec<Cell>> {
    let mut streams = vec![Vec::new(); frame.streams()];
    for (pod, targets) in pods {
        let Some(facts) = frame.round.pods.get(pod) else { continue };
        let counts = match pod_counts(frame, cursor, (pod, facts), targets, slot) {
            Ok(counts) => counts,
            Err(reason) => {
                notes.add(facts.arm, reason);
                continue;
            }
        };
        let events = whole(counts.events.round());
        for (cells, bad) in streams.iter_mut().zip(&counts.bad) {
            match bad.map(|bad| whole(bad.round())) {
                Ok(bad) if bad <= events => {
                    let pod = Arc::clone(&counts.pod);
                    cells.push(Cell { arm: counts.arm, pod, bad, events });
                }
                Ok(bad) => {
                    notes.add(facts.arm, LeftOut::Contradiction);
                    notes.contradiction.get_or_insert((facts.arm, bad, events));
                }
                Err(reason) => notes.add(facts.arm, reason),
            }
        }
        cursor.consume(&counts.consumed);
    }
    streams
}
