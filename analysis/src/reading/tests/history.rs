//! A history of scrapes whose truth is known, and the faults that it is seen through.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use super::super::{PodFacts, Pods, RawSeries};
use crate::{Sample, judge::Arm};

pub(super) fn date(ms: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(ms)
}

/// A process's life: events by time in ms, and when it began anew.
pub(super) struct Life {
    pub(super) name: String,
    pub(super) arm: Arm,
    pub(super) created: i64,
    pub(super) ended: i64,
    pub(super) terminating: Option<i64>,
    pub(super) restarts: Vec<i64>,
    /// Time, and good and bad events up to then, from 0; ascending.
    events: Vec<(i64, u32, u32)>,
    /// What its counters held before the history, of a process that is older.
    before: (u32, u32),
    pub(super) scrapes: Vec<Scrape>,
}

/// A scrape as its provider stores it.
#[derive(Clone)]
pub(super) struct Scrape {
    pub(super) at: i64,
    /// Who scraped: 0, or 1 of a pair.
    pub(super) observer: u8,
    /// From when on queries see it; of the counter of bad events separately.
    pub(super) visible: [i64; 2],
    /// Counters of good and of bad events; NaN where broken.
    pub(super) values: [Option<f64>; 2],
}

/// Rhythm and length of a history.
#[derive(Clone, Copy)]
pub(super) struct Rhythm {
    pub(super) interval: i64,
    pub(super) window_min: i64,
    pub(super) end: i64,
}

impl Life {
    /// Events in (from, to] that a perfect reader could know of: all of them, and those since
    /// the last restart in between.
    pub(super) fn truth(&self, from: i64, to: i64) -> ((u64, u64), (u64, u64)) {
        let last = self.restarts.iter().copied().filter(|r| (from + 1..=to).contains(r)).max();
        let (good, bad) = self.up_to(to);
        let sum = |from: i64| {
            let before = self.up_to(from);
            (u64::from(good + bad - before.0 - before.1), u64::from(bad - before.1))
        };
        (sum(from), sum(last.unwrap_or(from)))
    }

    /// Good and bad events of its whole life up to a time.
    fn up_to(&self, at: i64) -> (u32, u32) {
        let n = self.events.partition_point(|event| event.0 <= at);
        n.checked_sub(1).and_then(|n| self.events.get(n)).map_or((0, 0), |e| (e.1, e.2))
    }

    /// The counters of good and bad events at a time; None where a counter has not begun.
    fn counters(&self, at: i64) -> [Option<f64>; 2] {
        let restart = self.restarts.iter().copied().filter(|r| *r <= at).max();
        let (mut good, mut bad) = self.up_to(at);
        if let Some(restart) = restart {
            let before = self.up_to(restart);
            (good, bad) = (good - before.0, bad - before.1);
        } else {
            (good, bad) = (good + self.before.0, bad + self.before.1);
        }
        [Some(f64::from(good)), (bad > 0).then_some(f64::from(bad))]
    }
}

/// What a schedule does to a pod.
pub(super) struct Odds {
    /// Of a restart, per pod.
    pub(super) restart: f64,
    /// That the hub hears of a restart.
    pub(super) told: f64,
    /// Of a gap in the scrapes, per scrape.
    pub(super) gap: f64,
    /// Of a value that is no number, per scrape.
    pub(super) broken: f64,
    /// Of a sample that comes late, per scrape, and by how many intervals at most.
    pub(super) late: (f64, f64),
    /// Of a pair of scrapers, of which the first may fail for a while.
    pub(super) pair: f64,
    /// Of a change of phase.
    pub(super) shift: f64,
    /// Of a pod that ends, and of one that begins in the middle.
    pub(super) ends: f64,
    pub(super) begins: f64,
}

/// One pod under faults. `rate` is events per interval, `share` the bad ones among them.
pub(super) fn life(
    dice: &mut Rng,
    (name, arm): (String, Arm),
    (rate, share): (f64, f64),
    rhythm: Rhythm,
    odds: &Odds,
) -> Life {
    let Rhythm { interval, end, .. } = rhythm;
    let old = arm == Arm::Stable && dice.f64() > odds.begins;
    let begin = -8 * interval;
    let created = if old {
        -1000 * interval
    } else if dice.f64() < odds.begins {
        dice.i64(0..end / 2)
    } else {
        dice.i64(-3 * interval..-interval / 2)
    };
    let ended = if dice.f64() < odds.ends { dice.i64(end / 2..end) } else { i64::MAX };
    let terminating = (ended < i64::MAX && dice.bool()).then(|| ended - dice.i64(0..interval));
    // The hub knows of the last one only; an earlier one must have been read by then.
    let mut restarts = Vec::new();
    if dice.f64() < odds.restart {
        restarts.push(dice.i64(created.max(begin) + 1..end));
    }
    let mut events = Vec::new();
    let mut now = created.max(begin);
    while now < end.min(ended) {
        now += dice.i64(1..=(interval / 3).max(2));
        let mut count = 0;
        let mut left = rate / 6.0 * 2.0 * dice.f64();
        while left > 0.0 {
            count += u32::from(dice.f64() < left);
            left -= 1.0;
        }
        let bad = (0..count).filter(|_| dice.f64() < share).count();
        let bad = u32::try_from(bad).unwrap_or(0);
        let (good, failed) = events.last().map_or((0, 0), |e: &(i64, u32, u32)| (e.1, e.2));
        events.push((now, good + count - bad, failed + bad));
    }
    let before = if old { (dice.u32(50..5_000), dice.u32(0..40)) } else { (0, 0) };
    let mut life =
        Life { name, arm, created, ended, terminating, restarts, events, before, scrapes: vec![] };
    let observers = if dice.f64() < odds.pair { 2 } else { 1 };
    for observer in 0..observers {
        scrape(dice, &mut life, observer, rhythm, odds);
    }
    if observers == 2 && dice.bool() {
        let down = dice.i64(0..end);
        life.scrapes.retain(|s| s.observer == 1 || s.at < down || s.at > down + 8 * interval);
    }
    life
}

fn scrape(dice: &mut Rng, life: &mut Life, observer: u8, rhythm: Rhythm, odds: &Odds) {
    let Rhythm { interval, end, .. } = rhythm;
    let jitter = (interval / 200).max(1);
    let mut phase = dice.i64(0..interval);
    let shift = (dice.f64() < odds.shift).then(|| (dice.i64(0..end), dice.i64(0..interval)));
    let mut gap = 0;
    for n in -8..end / interval {
        if let Some((_, to)) = shift.filter(|(at, _)| n * interval >= *at) {
            phase = to;
        }
        let at = n * interval + phase + dice.i64(-jitter..=jitter);
        if gap == 0 && dice.f64() < odds.gap {
            gap = dice.i64(1..5);
        }
        if gap > 0 {
            gap -= 1;
            continue;
        }
        // Service discovery takes a moment.
        if at <= life.created + interval / 20 || at > life.ended || at >= end {
            continue;
        }
        let (whole, single) = (dice.f64() < odds.late.0, dice.f64() < odds.late.0);
        let mut visible = [at + 5; 2];
        if whole {
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "ms")]
            let late = (dice.f64() * odds.late.1 * interval as f64) as i64;
            visible = [at + 5 + late; 2];
        } else if single {
            // Of one counter only, as through shards of a remote write.
            visible[dice.usize(0..2)] += dice.i64(0..interval * 3 / 2);
        }
        let broken = dice.f64() < odds.broken;
        let values = life.counters(at).map(|v| if broken { v.map(|_| f64::NAN) } else { v });
        life.scrapes.push(Scrape { at, observer, visible, values });
    }
}

/// What a query at a time returns: for all events, or for the bad ones alone.
pub(super) fn ask(
    dice: &mut Rng,
    lives: &[Life],
    (asked, range): (i64, i64),
    only_bad: bool,
) -> Vec<RawSeries> {
    let mut found = Vec::new();
    for life in lives {
        for observer in 0..2 {
            for counter in usize::from(only_bad)..2 {
                let mut floats = Vec::new();
                for scrape in life.scrapes.iter().filter(|s| s.observer == observer) {
                    let seen = scrape.visible.get(counter).is_some_and(|at| *at <= asked);
                    let within = scrape.at > asked - range && scrape.at <= asked;
                    let value = scrape.values.get(counter).copied().flatten();
                    if let (true, true, Some(value)) = (seen, within, value) {
                        floats.push(Sample { at: date(scrape.at), value });
                    }
                }
                if floats.is_empty() {
                    continue;
                }
                if dice.u8(..) < 40 {
                    dice.shuffle(&mut floats);
                }
                if dice.u8(..) < 40 {
                    floats.push(*dice.choice(&floats).expect("not empty"));
                }
                let code = if counter == 0 { "200" } else { "500" };
                let replica = if observer == 0 { "a" } else { "b" };
                let pairs = [
                    ("__name__", "requests_total"),
                    ("pod", life.name.as_str()),
                    ("instance", life.name.as_str()),
                    ("code", code),
                    ("prometheus_replica", replica),
                ];
                let labels: BTreeMap<_, _> =
                    pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
                found.push(RawSeries { labels, floats, histograms: vec![] });
            }
        }
    }
    dice.shuffle(&mut found);
    found
}

/// What the hub knows of the pods; not of the stranger, the last one.
pub(super) fn facts(dice: &mut Rng, lives: &[Life], now: i64, odds: &Odds) -> Pods {
    let known = lives.iter().filter(|life| !life.name.starts_with("stranger"));
    known
        .map(|life| {
            let restarted = life.restarts.iter().copied().filter(|at| *at <= now).max();
            let facts = PodFacts {
                created_at: Some(date(life.created)),
                first_traffic: dice.bool().then(|| date(life.created)),
                ready_since: (life.ended > now).then(|| date(life.created + 1000)),
                terminating_since: life.terminating.filter(|at| *at <= now).map(date),
                restarted_at: restarted.filter(|_| odds.told > 0.0).map(date),
                ..PodFacts::of(life.arm)
            };
            (life.name.as_str().into(), facts)
        })
        .collect()
}
