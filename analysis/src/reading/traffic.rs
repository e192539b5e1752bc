//! Since when a pod has served: warm-up counts from then on, not from its creation.

use std::{collections::BTreeMap, sync::Arc};

use super::{answer::ms, settings::PodFacts, target::Target};

/// When a pod was first seen to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FirstSeen {
    /// Time of the first sample with any event, in ms.
    pub(super) at: i64,
    /// Whether an earlier sample, or the time before its first one, shows that it began then.
    pub(super) began: bool,
}

/// Learns from the counters of all events when pods began to serve. `gauge` values say nothing
/// about requests: their first sample counts.
pub(super) fn learn(
    first_seen: &mut BTreeMap<Arc<str>, FirstSeen>,
    targets: &[Target],
    answer_begins: i64,
    gauge: bool,
) {
    for target in targets {
        let serves = |index: usize| {
            let mut totals = target.tracks.iter().filter(|t| super::counts_all(t.lane));
            totals.any(|track| match track.values.get(index).copied().flatten() {
                Some(value) => gauge || value > 0.0,
                None => false,
            })
        };
        let mut scrapes = target.scrapes.iter().enumerate();
        let Some((index, at)) = scrapes.find(|(index, _)| serves(*index)) else { continue };
        let seen = FirstSeen { at: *at, began: index > 0 || *at > answer_begins };
        let known = first_seen.entry(Arc::clone(&target.subject)).or_insert(seen);
        if seen.at < known.at {
            *known = seen;
        }
    }
}

/// From when on a pod is warm, in ms. None while it has not served. A pod that served before
/// anybody looked has done so at least since its first sample; the hub may know better.
pub(super) fn warm_from(facts: &PodFacts, seen: Option<FirstSeen>, warm_up_ms: i64) -> Option<i64> {
    let seen = seen?;
    let since = match facts.first_traffic.map(ms) {
        // Probes are counted before the first request; requests may come later than they could.
        Some(told) if seen.began => told.max(seen.at),
        Some(told) => told,
        None => seen.at,
    };
    Some(since.saturating_add(warm_up_ms))
}
