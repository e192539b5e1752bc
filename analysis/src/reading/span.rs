//! What the counters of a target counted between two of its scrapes.

use std::collections::BTreeMap;

use super::{reason::LeftOut, target::Target};

/// Clocks of cluster and provider may differ by this much, in ms.
pub(super) const SKEW_MS: i64 = 5_000;

/// A target with what is known of its past.
pub(super) struct Past<'a> {
    pub(super) target: &'a Target,
    /// Index of each scrape before which its process has started again.
    restarts: Vec<usize>,
    /// Per track: whether its first sample in the answer is its first one ever.
    is_new: Vec<bool>,
    /// When a container of the pod last started again, by its cluster's clock.
    restarted_at: Option<i64>,
}

impl<'a> Past<'a> {
    /// `series` are the first and last samples of series seen in earlier rounds. Where the target
    /// is seen for the first time, none of its series is taken for new: a late sample may be all
    /// that is missing.
    pub(super) fn new(
        target: &'a Target,
        series: &BTreeMap<u64, (i64, i64)>,
        first_sight: bool,
        restarted_at: Option<i64>,
    ) -> Self {
        let mut restarts = Vec::new();
        let mut is_new = Vec::with_capacity(target.tracks.len());
        for track in &target.tracks {
            let mut last: Option<f64> = None;
            for (index, value) in track.values.iter().enumerate() {
                let Some(value) = *value else { continue };
                if last.is_some_and(|last| value < last) {
                    restarts.push(index);
                }
                last = Some(value);
            }
            let first = track.values.iter().position(Option::is_some);
            let first_at = first.and_then(|index| target.scrapes.get(index)).copied();
            is_new.push(match (series.get(&track.id), first_at) {
                (Some((known, _)), Some(first)) => *known >= first,
                (None, Some(_)) => !first_sight,
                (_, None) => false,
            });
        }
        restarts.sort_unstable();
        restarts.dedup();
        Self { target, restarts, is_new, restarted_at }
    }

    /// Events per lane after the scrape `from` up to the scrape `to`; from the beginning of the
    /// target's life where there is no `from`. A lane is left out for a reason of its own, such
    /// as a missing series; what concerns the whole process leaves out all of them.
    pub(super) fn events(
        &self,
        from: Option<usize>,
        to: usize,
        lanes: usize,
    ) -> Result<Vec<Result<f64, LeftOut>>, LeftOut> {
        let begin = from.unwrap_or(0);
        let time = |index: usize| self.target.scrapes.get(index).copied().unwrap_or_default();
        if let Some((_, fault)) = self.target.faults.range(time(begin)..=time(to)).next() {
            return Err(*fault);
        }
        self.check_restart(time(begin), time(to))?;
        // Bad events are known of a scrape of which the total is not: it is late, and not 0.
        if self.target.sees_all() && !(begin..=to).all(|index| self.target.has_total(index)) {
            return Err(LeftOut::PartialScrape);
        }
        let mut sums = vec![Ok(0.0); lanes];
        for (track, is_new) in self.target.tracks.iter().zip(&self.is_new) {
            let Some(sum) = sums.get_mut(track.lane) else { continue };
            if track.holes.iter().any(|hole| (begin..=to).contains(hole)) {
                add(sum, Err(LeftOut::Layout));
            }
            if from.is_none() {
                // The pod is new: whatever its counters had at first has happened since.
                add(sum, track.values.get(begin).copied().flatten().map_or(Ok(0.0), Ok));
            }
            for index in begin + 1..=to {
                add(sum, self.delta(&track.values, index, *is_new || from.is_none()));
                if self.restarts.binary_search(&index).is_ok() && ambiguous(&track.values, index) {
                    return Err(LeftOut::Restart);
                }
            }
        }
        Ok(sums)
    }

    fn delta(&self, values: &[Option<f64>], index: usize, is_new: bool) -> Result<f64, LeftOut> {
        let at = |index: usize| values.get(index).copied().flatten();
        let last_before = || (0..index).rev().find(|i| at(*i).is_some());
        match (index.checked_sub(1).and_then(at), at(index)) {
            (Some(before), Some(now)) if now >= before => Ok(now - before),
            (Some(_), Some(now)) => Ok(now),
            (None, Some(now)) => match last_before() {
                // It came back: events of the time in between may be older than this window,
                // unless the process has started again since.
                Some(last) if !self.restarted_between(last, index) => Err(LeftOut::PartialScrape),
                None if !is_new => Err(LeftOut::NoBase),
                Some(_) | None => Ok(now),
            },
            // Absent: it has not begun, or its process started again and has not counted yet.
            // Without such a reason it may only be late.
            (_, None) => match last_before() {
                Some(last) if !self.restarted_between(last, index) => Err(LeftOut::PartialScrape),
                Some(_) | None => Ok(0.0),
            },
        }
    }

    fn restarted_between(&self, after: usize, up_to: usize) -> bool {
        self.restarts.iter().any(|restart| (after + 1..=up_to).contains(restart))
    }

    /// A restart that the hub knows of but that no counter shows: they have all grown past their
    /// old values since. By the clocks' difference it may be a little earlier or later; a fall in
    /// a scrape nearby may be another restart, so only one at its own place shows it.
    fn check_restart(&self, from: i64, to: i64) -> Result<(), LeftOut> {
        let Some(at) = self.restarted_at else { return Ok(()) };
        let near = at + SKEW_MS >= from && at - SKEW_MS <= to;
        let after = self.target.scrapes.partition_point(|scrape| *scrape < at);
        let shown = self.restarts.binary_search(&after).is_ok();
        if near && !shown { Err(LeftOut::Restart) } else { Ok(()) }
    }
}

fn add(sum: &mut Result<f64, LeftOut>, delta: Result<f64, LeftOut>) {
    match (sum.as_mut(), delta) {
        (Ok(sum), Ok(delta)) => *sum += delta,
        (Ok(_), Err(reason)) => *sum = Err(reason),
        (Err(_), _) => {}
    }
}

/// Whether a counter did not fall although others of its process did: it may have begun anew and
/// grown past its old value, or not have begun anew at all.
fn ambiguous(values: &[Option<f64>], index: usize) -> bool {
    let at = |index: usize| values.get(index).copied().flatten();
    match (index.checked_sub(1).and_then(at), at(index)) {
        (Some(before), Some(now)) => before > 0.0 && now >= before,
        _ => false,
    }
}
