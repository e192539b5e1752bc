//! Targets: what was scraped, each read once however many scrape it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    cursor::{Cursor, TargetCursor},
    grid,
    reason::LeftOut,
    track::{Counter, Hash, Identity},
};
use crate::judge::Arm;

/// How many scrapes the usual reader of a target may be behind another one before that takes over.
const TAKE_OVER_SCRAPES: i64 = 3;

/// Interval assumed for that as long as none has been seen, in ms: Prometheus's default.
const INTERVAL_DEFAULT_MS: i64 = 60_000;

/// One counter of a target, aligned with the target's scrapes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Track {
    pub(super) lane: usize,
    /// Hash of target, lane and labels.
    pub(super) id: u64,
    /// Value at each scrape; None where it was not there.
    pub(super) values: Vec<Option<f64>>,
    /// Indices of scrapes at which it must have had a value and has none.
    pub(super) holes: Vec<usize>,
}

/// What one scrape reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) id: u64,
    pub(super) subject: Arc<str>,
    pub(super) arms: BTreeSet<Arm>,
    pub(super) observer: String,
    /// Whether another observer read it in the last round.
    pub(super) taken_over: bool,
    /// Times of the scrapes that any of its counters was in, in ms, ascending.
    pub(super) scrapes: Vec<i64>,
    /// Scrapes with an unusable value.
    pub(super) faults: BTreeMap<i64, LeftOut>,
    pub(super) tracks: Vec<Track>,
}

impl Target {
    /// Time of the newest sample of a counter of all events, in ms.
    pub(super) fn newest_of_all(&self) -> Option<i64> {
        let totals = self.tracks.iter().filter(|track| super::counts_all(track.lane));
        let newest = totals.filter_map(|track| track.values.iter().rposition(Option::is_some));
        newest.max().and_then(|index| self.scrapes.get(index)).copied()
    }

    /// Whether any counter of all events has a value in a scrape.
    pub(super) fn has_total(&self, index: usize) -> bool {
        let mut totals = self.tracks.iter().filter(|track| super::counts_all(track.lane));
        totals.any(|track| track.values.get(index).copied().flatten().is_some())
    }

    /// Requires a usable value of every series in one scrape.
    pub(super) fn check_complete(&self, index: usize) -> Result<(), LeftOut> {
        let fault = self.scrapes.get(index).and_then(|at| self.faults.get(at));
        let complete =
            self.tracks.iter().all(|track| track.values.get(index).is_some_and(Option::is_some));
        match fault {
            Some(fault) => Err(*fault),
            None if complete => Ok(()),
            None => Err(LeftOut::PartialScrape),
        }
    }

    /// Whether any of its counters is of all events.
    pub(super) fn sees_all(&self) -> bool {
        self.tracks.iter().any(|track| super::counts_all(track.lane))
    }
}

/// Makes targets of counters; also says how many of them are read more than once.
pub(super) fn targets(counters: Vec<Counter>, cursor: &Cursor) -> (Vec<Target>, u64) {
    let mut readings: BTreeMap<(Arc<str>, String), BTreeMap<String, Vec<Counter>>> =
        BTreeMap::new();
    for counter in counters {
        let Identity { subject, instance, observer, .. } = &counter.identity;
        let place = readings.entry((Arc::clone(subject), instance.clone())).or_default();
        place.entry(observer.clone()).or_default().push(counter);
    }
    let (mut targets, mut duplicates) = (Vec::new(), 0);
    for ((subject, instance), observers) in readings {
        let id = Hash::default().with(&subject).with(&instance);
        for (n, group) in same_target(observers).into_iter().enumerate() {
            let id = match (n, group.first_key_value()) {
                (0, _) | (_, None) => id,
                (_, Some((observer, _))) => id.with(observer),
            };
            let before = cursor.targets.get(&id.0);
            let usual = cursor.grid.map_or(INTERVAL_DEFAULT_MS, |grid| grid.interval_ms);
            let (observer, counters, duplicate) = one_reading(group, before, usual);
            duplicates += u64::from(duplicate);
            let taken_over = before.is_some_and(|before| before.observer != observer);
            targets.push(align(id, Arc::clone(&subject), observer, taken_over, counters));
        }
    }
    (targets, duplicates)
}

/// Counters by who has read them.
type Readings = BTreeMap<String, Vec<Counter>>;

/// Observers that read the same counters read one target; others read a target of their own,
/// even at the same address.
fn same_target(observers: Readings) -> Vec<Readings> {
    let mut groups: Vec<(BTreeSet<u64>, Readings)> = Vec::new();
    for (observer, counters) in observers {
        let keys: BTreeSet<u64> = counters.iter().map(|counter| counter.identity.key).collect();
        match groups.iter_mut().find(|(known, _)| !known.is_disjoint(&keys)) {
            Some((known, group)) => {
                known.extend(keys);
                group.insert(observer, counters);
            }
            None => groups.push((keys, BTreeMap::from([(observer, counters)]))),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The reading that counts: the one that counted so far, or the first in order, unless it has
/// fallen behind another. Also whether there were several.
fn one_reading(
    mut group: BTreeMap<String, Vec<Counter>>,
    before: Option<&TargetCursor>,
    usual_interval: i64,
) -> (String, Vec<Counter>, bool) {
    merge_coinciding(&mut group);
    // One that cannot see all events cannot stand for the target.
    if group.values().any(|counters| sees_all(counters)) {
        group.retain(|_, counters| sees_all(counters));
    }
    let several = group.len() > 1;
    let newest = |counters: &[Counter]| {
        counters.iter().filter_map(|c| c.points.last()).map(|p| p.0).max().unwrap_or(i64::MIN)
    };
    let of_all = group.values().map(|counters| newest(counters)).max().unwrap_or(i64::MIN);
    let current = |counters: &[Counter]| {
        let times = times(counters);
        let interval = grid::interval([times.as_slice()]).unwrap_or(usual_interval);
        of_all.saturating_sub(newest(counters)) <= interval.saturating_mul(TAKE_OVER_SCRAPES)
    };
    let chosen = before
        .and_then(|before| group.get_key_value(&before.observer))
        .filter(|(_, counters)| current(counters))
        .or_else(|| group.iter().find(|(_, counters)| current(counters)))
        .map(|(observer, _)| observer.clone())
        .unwrap_or_default();
    let counters = group.remove(&chosen).unwrap_or_default();
    (chosen, counters, several)
}

/// Two observers whose scrapes have the same times are one: their label tells counters apart
/// after all, unless the values are the same too, and then one is a copy.
fn merge_coinciding(group: &mut BTreeMap<String, Vec<Counter>>) {
    let observers: Vec<String> = group.keys().cloned().collect();
    let Some((first, others)) = observers.split_first() else { return };
    for other in others {
        let Some((a, b)) = group.get(first).zip(group.get(other)) else { continue };
        let (times_a, times_b) = (times(a), times(b));
        let common = times_b.iter().filter(|at| times_a.binary_search(at).is_ok()).count();
        if common < 2 || common * 2 < times_b.len() || are_copies(a, b) {
            continue;
        }
        let salt = Hash::default().with(other);
        let moved = group.remove(other).unwrap_or_default().into_iter().map(|mut counter| {
            counter.identity.key = salt.with_number(counter.identity.key).0;
            counter
        });
        let moved: Vec<_> = moved.collect();
        group.entry(first.clone()).or_default().extend(moved);
    }
}

fn sees_all(counters: &[Counter]) -> bool {
    counters.iter().any(|counter| super::counts_all(counter.lane))
}

fn are_copies(a: &[Counter], b: &[Counter]) -> bool {
    let by_key: BTreeMap<(usize, u64), &Counter> =
        a.iter().map(|counter| ((counter.lane, counter.identity.key), counter)).collect();
    b.iter().all(|counter| {
        by_key.get(&(counter.lane, counter.identity.key)).is_none_or(|twin| {
            let values: BTreeMap<i64, u64> =
                twin.points.iter().map(|(at, value)| (*at, value.to_bits())).collect();
            counter
                .points
                .iter()
                .all(|(at, value)| values.get(at).is_none_or(|bits| *bits == value.to_bits()))
        })
    })
}

fn times(counters: &[Counter]) -> Vec<i64> {
    let times: BTreeSet<i64> =
        counters.iter().flat_map(|c| c.points.iter().map(|point| point.0)).collect();
    times.into_iter().collect()
}

fn align(
    id: Hash,
    subject: Arc<str>,
    observer: String,
    taken_over: bool,
    counters: Vec<Counter>,
) -> Target {
    let faults: BTreeMap<i64, LeftOut> =
        counters.iter().flat_map(|counter| counter.faults.iter().copied()).collect();
    // A scrape with an unusable value was a scrape: nothing may count past it.
    let scrapes: BTreeSet<i64> = counters
        .iter()
        .flat_map(|counter| counter.points.iter().map(|point| point.0))
        .chain(faults.iter().filter(|(_, why)| **why != LeftOut::Future).map(|(at, _)| *at))
        .collect();
    let scrapes: Vec<i64> = scrapes.into_iter().collect();
    let arms = counters.iter().map(|counter| counter.identity.arm).collect();
    let mut tracks: Vec<Track> = counters
        .into_iter()
        .map(|counter| {
            let mut values = vec![None; scrapes.len()];
            for (at, value) in counter.points {
                if let Some(place) =
                    scrapes.binary_search(&at).ok().and_then(|index| values.get_mut(index))
                {
                    *place = Some(value);
                }
            }
            let lane = u64::try_from(counter.lane).unwrap_or(u64::MAX);
            let track = id.with_number(lane).with_number(counter.identity.key);
            let hole = |at: &i64| scrapes.binary_search(at).ok();
            let holes = counter.holes.iter().filter_map(hole).collect();
            Track { lane: counter.lane, id: track.0, values, holes }
        })
        .collect();
    tracks.sort_by_key(|track| track.id);
    Target { id: id.0, subject, arms, observer, taken_over, scrapes, faults, tracks }
}
