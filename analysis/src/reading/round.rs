//! One round of one metric in one cluster.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    answer::{Answers, time},
    arms,
    cells::{self, by_pod},
    collect::{Collected, collect},
    cursor::{Cursor, TargetCursor},
    frame::Frame,
    gauge::{self, Level},
    health,
    reason::{Gap, LeftOut, Notes, name},
    settings::{PodFacts, Pods, Settings, Split},
    target::{Target, targets},
    traffic,
};
use crate::judge::{Arm, Cell, Counts, Window};

/// Clocks that differ by more are not synchronised: what happened when cannot be told.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// What a round looks at.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// How the metric is read.
    pub settings: &'a Settings,
    /// The pods of both arms.
    pub pods: &'a Pods,
    /// What the provider answered. A failed request is no answer: without all of them there is
    /// no round, and the next one goes on where the last one ended.
    pub answers: &'a Answers,
    /// When the evidence opened, on the provider's clock: no window begins before.
    pub since: DateTime<Utc>,
    /// How much the provider's clock differs from the hub's, in either direction.
    pub skew: TimeDelta,
}

/// A window of one stream: 0 of a counter or gauge, one per edge of a histogram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamWindow {
    /// The stream.
    pub stream: usize,
    /// The window.
    pub window: Window,
}

/// What came out of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// New windows, by time, then stream. Each is handed out once.
    pub windows: Vec<StreamWindow>,
    /// New windows of the metric `scrape-health`: one cell per Ready pod, bad when its scrape is
    /// missing. Empty for sources that do not tell pods apart.
    pub health: Vec<Window>,
    /// What keeps the metric from being judged, if anything does.
    pub gap: Option<Gap>,
    /// What was left out.
    pub notes: Notes,
    /// When the next window will be due, on the provider's clock, once the rhythm is known.
    pub next_due: Option<DateTime<Utc>>,
    /// The cursor for the next round.
    pub cursor: Cursor,
}

impl Round<'_> {
    pub(super) fn pod(&self, subject: &str) -> Option<&PodFacts> {
        match self.settings.split {
            Split::Pod { .. } => self.pods.get(subject),
            Split::Label { .. } => None,
        }
    }
}

/// Reads one round. A function of its arguments: the caller keeps the cursor that it returns.
#[must_use]
pub fn read(cursor: &Cursor, round: &Round<'_>) -> Read {
    let mut read = Read {
        windows: Vec::new(),
        health: Vec::new(),
        gap: None,
        notes: Notes::default(),
        next_due: None,
        cursor: cursor.clone(),
    };
    read.gap = fill(&mut read, round).err();
    read
}

fn fill(read: &mut Read, round: &Round<'_>) -> Result<(), Gap> {
    let skew = round.skew.abs();
    if skew > SKEW_MAX {
        return Err(Gap::ClockSkew { skew });
    }
    let gauges = round.answers.are_gauges();
    if gauges && matches!(round.settings.split, Split::Label { .. }) {
        return Err(Gap::Settings("a gauge is compared by pods: set by.pod"));
    }
    let covered = round.answers.covered();
    let cursor = &mut read.cursor;
    cursor.forget(covered.1);
    let Collected { counters, streams, complaint, lost } =
        collect(round.answers, round.settings, round.pods, cursor, &mut read.notes)?;
    let (targets, duplicates) = targets(counters, cursor);
    read.notes.duplicate_targets = duplicates;
    learn_lag(cursor, &targets, covered.1);
    let answer_begins = covered.0
        + cursor.grid.map_or(round.settings.window_min.num_milliseconds(), |g| g.length_ms) * 5 / 4;
    traffic::learn(&mut cursor.first_seen, &targets, answer_begins, gauges);
    let framed = Frame::new(round, &targets, cursor, (1 + streams) * 2);
    let frame = match framed {
        Ok(frame) => frame,
        Err(gap) => {
            remember(cursor, &targets, None);
            return Err(complaint.unwrap_or(gap));
        }
    };
    read.next_due = Some(time(frame.next_due));
    read.notes.skipped_windows = frame.skipped;
    remember(cursor, &targets, Some(&frame));
    windows(read, &frame);
    let notes = &read.notes;
    let due = frame.due.0 < frame.due.1;
    match (lost, due && read.windows.is_empty(), notes.contradiction) {
        (Some(lost), _, _) => Err(lost),
        (None, false, _) => Ok(()),
        (None, true, Some((arm, bad, events))) => {
            Err(Gap::Contradiction { arm: name(arm), bad, events })
        }
        (None, true, None) => match complaint {
            Some(complaint) if notes.left_out.keys().any(|(_, r)| *r == LeftOut::NotANumber) => {
                Err(complaint)
            }
            _ if waits_for_level(read, round) => {
                Err(Gap::FewValues { seen: read.cursor.gauge.values(), needed: gauge::VALUES_MIN })
            }
            _ if notes.left_out.is_empty() => Ok(()),
            _ => Err(Gap::AllLeftOut(format!("left out: {}", notes.summary()))),
        },
    }
}

/// Whether a gauge has no level yet.
fn waits_for_level(read: &Read, round: &Round<'_>) -> bool {
    let chosen = matches!(round.settings.level, Level::BeyondStable(_));
    round.answers.are_gauges() && chosen && read.cursor.level().is_none()
}

/// Hands out every window that is due.
fn windows(read: &mut Read, frame: &Frame<'_>) {
    let pods = by_pod(frame);
    let gauges = frame.round.answers.are_gauges();
    if gauges {
        gauge::begin(frame, &mut read.cursor, &pods);
    }
    for slot in frame.due.0..frame.due.1 {
        let Read { cursor, notes, .. } = read;
        let streams: Vec<Option<Counts>> = match frame.round.settings.split {
            Split::Pod { .. } if gauges => {
                vec![of_both(gauge::window(frame, cursor, &pods, slot, notes))]
            }
            Split::Pod { .. } => {
                let streams = cells::window(frame, cursor, &pods, slot, notes);
                streams.into_iter().map(of_both).collect()
            }
            Split::Label { .. } => arms::window(frame, cursor, slot, notes)
                .unwrap_or_default()
                .into_iter()
                .map(|(canary, stable)| Some(Counts::Arms { canary, stable }))
                .collect(),
        };
        let window = |counts| Window {
            ends_at: time(frame.ends_at(slot)),
            length: TimeDelta::milliseconds(frame.grid.length_ms),
            counts,
        };
        for (stream, counts) in streams.into_iter().enumerate() {
            if let Some(counts) = counts {
                read.windows.push(StreamWindow { stream, window: window(counts) });
            }
        }
        if matches!(frame.round.settings.split, Split::Pod { .. }) {
            let cells = health::cells(frame, &pods, slot);
            if !cells.is_empty() {
                read.health.push(window(Counts::Cells(cells)));
            }
        }
    }
    if frame.due.0 < frame.due.1 {
        let until = frame.ends_at(frame.due.1 - 1);
        read.cursor.counted_until = read.cursor.counted_until.max(Some(until));
    }
}

/// The cells as counts, if there are any of both arms.
fn of_both(cells: Vec<Cell>) -> Option<Counts> {
    let has = |arm: Arm| cells.iter().any(|cell| cell.arm == arm);
    (has(Arm::Canary) && has(Arm::Stable)).then_some(Counts::Cells(cells))
}

/// Learns how late samples come from those that are new and older than the last round. Series of
/// one scrape may come one by one, through the shards of a remote write.
fn learn_lag(cursor: &mut Cursor, targets: &[Target], now: i64) {
    for target in targets.iter().filter(|target| !target.taken_over) {
        for track in &target.tracks {
            let Some((_, last)) = cursor.series.get(&track.id) else { continue };
            let next = target.scrapes.partition_point(|at| at <= last);
            let new = (next..target.scrapes.len())
                .find(|index| track.values.get(*index).is_some_and(Option::is_some));
            if let Some(at) = new.and_then(|index| target.scrapes.get(index)) {
                cursor.lag.learn(*at, now);
            }
        }
    }
    cursor.lag.last_round = Some(now);
}

/// Keeps what the next round needs to know of these targets.
fn remember(cursor: &mut Cursor, targets: &[Target], frame: Option<&Frame<'_>>) {
    if let Some(frame) = frame {
        cursor.grid = Some(frame.grid);
    }
    for (n, target) in targets.iter().enumerate() {
        for track in &target.tracks {
            let at = |index: Option<usize>| index.and_then(|i| target.scrapes.get(i)).copied();
            let first = at(track.values.iter().position(Option::is_some));
            let last = at(track.values.iter().rposition(Option::is_some));
            if let (Some(first), Some(last)) = (first, last) {
                let known = cursor.series.entry(track.id).or_insert((first, last));
                *known = (known.0.min(first), known.1.max(last));
            }
        }
        let Some(newest) = target.scrapes.last() else { continue };
        let known = cursor.targets.entry(target.id).or_insert_with(|| TargetCursor {
            subject: target.subject.clone(),
            observer: String::new(),
            phase: 0,
            consumed_until: None,
            newest: *newest,
        });
        known.observer.clone_from(&target.observer);
        known.newest = known.newest.max(*newest);
        if let Some(placed) = frame.and_then(|frame| frame.placed.get(n)) {
            known.phase = placed.phase;
            known.consumed_until = known.consumed_until.max(placed.floor_while_taken_over());
        }
    }
}
