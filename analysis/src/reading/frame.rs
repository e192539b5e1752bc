//! One round's targets on the grid, and what each counted in a window.

use std::collections::BTreeMap;

use super::{
    answer::ms,
    cursor::Cursor,
    grid::{Grid, interval},
    reason::{Gap, LeftOut, name},
    round::Round,
    span::{Past, SKEW_MS},
    target::Target,
};
use crate::{figures::seconds, judge::Arm};

/// Windows that one round hands out at most; older ones are passed over.
pub const WINDOWS_MAX: i64 = 1_000;

/// Without a sample for so long a source is broken, in ms.
const STALE_AFTER_MS: i64 = 5 * 60_000;

/// How many scrapes the watermark is behind at least.
const WATERMARK_SCRAPES: i64 = 2;

/// A target on the grid.
pub(super) struct Placed<'a> {
    pub(super) target: &'a Target,
    past: Past<'a>,
    pub(super) phase: i64,
    pub(super) slots: BTreeMap<i64, usize>,
    /// No cell may begin before this, in ms.
    floor: Option<i64>,
    /// When its pod was created; None where it is not known or the target is no single pod.
    created_at: Option<i64>,
}

/// What a target counted in a window.
pub(super) struct Counted {
    /// Events per lane.
    pub(super) lanes: Vec<Result<f64, LeftOut>>,
    /// Its base and its last sample, in ms.
    pub(super) from: i64,
    pub(super) to: i64,
}

/// One round.
pub(super) struct Frame<'a> {
    pub(super) round: &'a Round<'a>,
    pub(super) grid: Grid,
    pub(super) placed: Vec<Placed<'a>>,
    pub(super) lanes: usize,
    /// The slots that are due: from the first up to and without the second.
    pub(super) due: (i64, i64),
    /// Windows that are passed over.
    pub(super) skipped: u64,
    /// When the next slot will be due, in ms of the provider's clock.
    pub(super) next_due: i64,
    /// Begin and end of what the answers cover, in ms.
    pub(super) covered: (i64, i64),
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        round: &'a Round<'a>,
        targets: &'a [Target],
        cursor: &Cursor,
        lanes: usize,
    ) -> Result<Self, Gap> {
        let covered = round.answers.covered();
        let newest = [Arm::Canary, Arm::Stable].map(|arm| newest(targets, arm));
        check_fresh(round, targets, cursor, covered.1)?;
        let seen = intervals(targets).and_then(|i| Grid::new(&i, round.settings.window_min));
        let grid = match (cursor.grid, seen) {
            (Some(grid), seen) => grid.or_changed(seen),
            (None, Some(seen)) => seen,
            (None, None) => {
                let poorest = [Arm::Canary, Arm::Stable].into_iter().min_by_key(|arm| {
                    let of_arm = targets.iter().filter(|t| t.arms.contains(arm));
                    of_arm.map(|t| t.scrapes.len()).max()
                });
                return Err(Gap::FewScrapes { arm: name(poorest.unwrap_or(Arm::Canary)) });
            }
        };
        let placed: Vec<_> =
            targets.iter().map(|target| place(round, target, cursor, grid)).collect();
        let lag = cursor.lag.at_ms(covered.1);
        let behind = (grid.interval_ms * WATERMARK_SCRAPES).max(lag);
        let watermark = newest.into_iter().flatten().fold(covered.1 - behind, i64::min);
        let length = grid.length_ms;
        let live = placed.iter().filter(|p| {
            p.target
                .scrapes
                .last()
                .is_some_and(|at| covered.1 - at <= STALE_AFTER_MS.min(5 * length))
        });
        let phase_max = live.map(|p| p.phase).max().unwrap_or(length - 1);
        let end = (watermark - phase_max).div_euclid(length) + 1;
        // A window begins where its slot's number says; a later grid begins after an older one.
        let first = placed.iter().filter_map(|p| p.slots.first_key_value()).map(|(slot, _)| *slot);
        let first = match cursor.counted_until {
            Some(until) => (until + length - 1).div_euclid(length),
            None => first.min().unwrap_or(end),
        };
        let begin = first.max(end - WINDOWS_MAX);
        let next_due = (end * length + phase_max).saturating_add(behind);
        let skipped = u64::try_from(begin - first).unwrap_or(0);
        Ok(Self {
            round,
            grid,
            placed,
            lanes,
            due: (begin, end.max(begin)),
            skipped,
            next_due,
            covered,
        })
    }

    /// End of a slot's window on the common grid, in ms.
    pub(super) fn ends_at(&self, slot: i64) -> i64 {
        (slot + 1) * self.grid.length_ms
    }

    /// What a target counted in the window of a slot.
    pub(super) fn counted(&self, placed: &Placed<'_>, slot: i64) -> Result<Counted, LeftOut> {
        let to = *placed.slots.get(&slot).ok_or(LeftOut::MissingScrape)?;
        let at = |index: usize| placed.target.scrapes.get(index).copied().unwrap_or_default();
        let base = placed.slots.get(&(slot - 1)).copied();
        let from = match base {
            Some(base) => at(base),
            None => self.birth(placed, to)?,
        };
        if from < ms(self.round.since) {
            return Err(LeftOut::BeforeOpening);
        }
        if placed.floor.is_some_and(|floor| from < floor) {
            return Err(LeftOut::Counted);
        }
        let lanes = if self.round.answers.are_gauges() {
            placed.target.check_complete(to)?;
            vec![Ok(0.0); self.lanes]
        } else {
            placed.past.events(base, to, self.lanes)?
        };
        Ok(Counted { lanes, from, to: at(to) })
    }

    /// Streams of the metric.
    pub(super) fn streams(&self) -> usize {
        (self.lanes / 2).saturating_sub(1)
    }

    /// When a target without an earlier sample began to count, if that was within the window:
    /// its pod was created after the previous scrape.
    fn birth(&self, placed: &Placed<'_>, to: usize) -> Result<i64, LeftOut> {
        let at = |index: usize| placed.target.scrapes.get(index).copied();
        let window_began = at(to).unwrap_or_default() - self.grid.length_ms - self.grid.tolerance();
        let first = at(0).filter(|first| *first >= window_began).ok_or(LeftOut::MissingScrape)?;
        let created = placed.created_at.ok_or(LeftOut::NoBase)?;
        let answered = window_began > self.covered.0;
        if answered && created >= window_began && created <= first + SKEW_MS {
            Ok(created.min(first))
        } else {
            Err(LeftOut::NoBase)
        }
    }
}

impl Placed<'_> {
    /// After a change of observer the floor has to outlast the round.
    pub(super) fn floor_while_taken_over(&self) -> Option<i64> {
        self.floor.filter(|_| self.target.taken_over)
    }
}

fn place<'a>(round: &Round<'_>, target: &'a Target, cursor: &Cursor, grid: Grid) -> Placed<'a> {
    let facts = round.pod(&target.subject);
    let known = cursor.targets.get(&target.id);
    let before = known.filter(|_| !target.taken_over && cursor.grid == Some(grid));
    let phase = grid.phase(&target.scrapes, before.map(|known| known.phase));
    let of_subject = cursor.targets.values().filter(|other| other.subject == target.subject);
    let consumed = match known {
        Some(known) => known.consumed_until,
        None => of_subject.filter_map(|other| other.consumed_until).max(),
    };
    // Clocks of two observers differ; and nobody knows the phases that a lost cursor had.
    let floor = match (consumed, target.taken_over) {
        (Some(at), true) => Some(at + grid.length_ms),
        (Some(at), false) => Some(at),
        (None, _) => cursor.resumed_from.map(|at| at + grid.tolerance()),
    };
    Placed {
        target,
        past: Past::new(
            target,
            &cursor.series,
            known.is_none(),
            facts.and_then(|facts| facts.restarted_at).map(ms),
        ),
        phase,
        slots: grid.slots(&target.scrapes, phase),
        floor,
        created_at: facts.and_then(|facts| facts.created_at).map(ms),
    }
}

/// Time of the newest sample of an arm's counters of all events.
fn newest(targets: &[Target], arm: Arm) -> Option<i64> {
    let of_arm = targets.iter().filter(|target| target.arms.contains(&arm));
    of_arm.filter_map(Target::newest_of_all).max()
}

/// The usual interval of each arm, where it is known.
fn intervals(targets: &[Target]) -> Option<Vec<i64>> {
    let of_arm = |arm: Arm| {
        interval(targets.iter().filter(|t| t.arms.contains(&arm)).map(|t| t.scrapes.as_slice()))
    };
    let known: Vec<_> = [Arm::Canary, Arm::Stable].into_iter().filter_map(of_arm).collect();
    (!known.is_empty()).then_some(known)
}

/// Requires that both arms are being read.
fn check_fresh(
    round: &Round<'_>,
    targets: &[Target],
    cursor: &Cursor,
    now: i64,
) -> Result<(), Gap> {
    for arm in [Arm::Canary, Arm::Stable] {
        let remembered = cursor
            .targets
            .values()
            .filter(|known| round.pod(&known.subject).is_some_and(|facts| facts.arm == arm))
            .map(|known| known.newest)
            .max();
        let arm_name = name(arm);
        let Some(at) = newest(targets, arm).max(remembered) else {
            let field = round.answers.field();
            return Err(Gap::Absent { arm: arm_name, field });
        };
        let (age, limit) = (now - at, STALE_AFTER_MS);
        let span = chrono::TimeDelta::milliseconds;
        if age > limit {
            return Err(Gap::Stale { arm: arm_name, age: span(age), limit: span(limit) });
        }
        if newest(targets, arm).is_none() {
            let text = format!("no sample of {arm_name} for {}", seconds(span(age)));
            return Err(Gap::AllLeftOut(text));
        }
    }
    Ok(())
}
