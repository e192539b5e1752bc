//! The traps of reading metrics, one test each, and schedules of random faults with a known truth.

mod faults;
mod gauge_releases;
mod gauges;
mod history;
mod schedules;
mod traps;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Answer, Answers, Cursor, Gap, HistogramSample, NativeBucket, NativeHistogram, PodFacts, Pods,
    RawSeries, Read, Round, Settings, read,
};
use crate::{Sample, Verdict, judge::Arm};

/// Scrapes come every 15 s; times are in seconds after this.
fn at(seconds: f64) -> DateTime<Utc> {
    #[expect(clippy::cast_possible_truncation, reason = "small")]
    let ms = (seconds * 1000.0).round() as i64;
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(ms)
}

fn labels(pod: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = [("__name__", "m"), ("pod", pod), ("instance", pod)];
    pairs.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// A counter scraped every 15 s from `first` on, with these values.
fn counter(pod: &str, first: f64, values: &[f64]) -> RawSeries {
    let samples = values.iter().enumerate().filter(|(_, value)| **value != GONE);
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let sample =
        |(n, value): (usize, &f64)| Sample { at: at(first + 15.0 * n as f64), value: *value };
    RawSeries {
        labels: labels(pod, &[]),
        floats: samples.map(sample).collect(),
        histograms: vec![],
    }
}

/// A scrape that is missing.
const GONE: f64 = -1e10;

/// Values that rise by `step` with each scrape.
fn rising(from: f64, step: f64, scrapes: usize) -> Vec<f64> {
    std::iter::successors(Some(from), |value| Some(value + step)).take(scrapes).collect()
}

fn answer(until: f64, range: f64, series: Vec<RawSeries>) -> Answer {
    Answer { evaluated_at: at(until), range: at(range) - at(0.0), series }
}

/// A canary pod born at 0 that serves from then on, and a stable one that is older.
fn pods() -> Pods {
    let facts = |arm, born: f64| PodFacts {
        created_at: Some(at(born)),
        first_traffic: Some(at(born)),
        ready_since: Some(at(born)),
        ..PodFacts::of(arm)
    };
    Pods::from([("c".into(), facts(Arm::Canary, 0.0)), ("s".into(), facts(Arm::Stable, -900.0))])
}

fn settings() -> Settings {
    Settings { warm_up: TimeDelta::zero(), ..Settings::by_pod("pod") }
}

/// Reads bad and total up to `until`, with evidence that opened at 0.
fn look(cursor: &Cursor, until: f64, bad: Vec<RawSeries>, total: Vec<RawSeries>) -> Read {
    let answers =
        Answers::Counters { bad: answer(until, 1200.0, bad), total: answer(until, 1200.0, total) };
    let (settings, pods) = (settings(), pods());
    let round = Round {
        settings: &settings,
        pods: &pods,
        answers: &answers,
        since: at(0.0),
        skew: TimeDelta::zero(),
    };
    read(cursor, &round)
}

/// Events and bad events of each arm over all windows of stream 0: canary, then stable.
fn sums(read: &Read) -> [(u64, u64); 2] {
    let mut sums = [(0, 0); 2];
    for window in read.windows.iter().filter(|window| window.stream == 0) {
        let (canary, stable) = window.window.arms();
        sums[0] = (sums[0].0 + canary.events, sums[0].1 + canary.bad);
        sums[1] = (sums[1].0 + stable.events, sums[1].1 + stable.bad);
    }
    sums
}

/// Twelve scrapes of both pods from 7 s on, 100 events each time.
fn steady() -> Vec<RawSeries> {
    vec![counter("c", 7.0, &rising(100.0, 100.0, 12)), counter("s", 7.0, &rising(9e3, 100.0, 12))]
}

/// What of it there is at a time.
fn steady_until(seconds: f64) -> Vec<RawSeries> {
    let known = |s: RawSeries| RawSeries {
        floats: s.floats.into_iter().filter(|sample| sample.at <= at(seconds)).collect(),
        ..s
    };
    steady().into_iter().map(known).collect()
}

#[test]
fn windows_are_own_deltas_each_exactly_once() {
    let bad = || vec![counter("c", 7.0, &rising(0.0, 2.0, 12))];
    let all = look(&Cursor::default(), 175.0, bad(), steady());
    assert_eq!(all.gap, None);
    let windows = all.windows.len() as u64;
    assert!((6..=10).contains(&windows), "{windows} windows behind the watermark");
    assert_eq!(sums(&all), [(100 * windows, 2 * windows), (100 * windows, 0)]);
    // The same in rounds: no window twice, none lost.
    let mut cursor = Cursor::default();
    let mut found = Vec::new();
    for until in [40.0, 41.0, 70.0, 100.0, 100.5, 130.0, 160.0, 175.0] {
        let cut = |series: Vec<RawSeries>| -> Vec<RawSeries> {
            let known = |s: RawSeries| RawSeries {
                floats: s.floats.into_iter().filter(|sample| sample.at <= at(until)).collect(),
                ..s
            };
            series.into_iter().map(known).collect()
        };
        let read = look(&cursor, until, cut(bad()), cut(steady()));
        found.extend(read.windows);
        cursor = read.cursor;
    }
    let ends = |windows: &[super::StreamWindow]| -> Vec<_> {
        windows.iter().map(|w| (w.window.ends_at, w.window.counts.clone())).collect()
    };
    assert_eq!(ends(&found), ends(&all.windows));
}

#[test]
fn a_restart_counts_from_zero_and_a_birth_too() {
    // The canary's counter falls once, with both of its counters.
    let mut total = rising(100.0, 100.0, 6);
    total.extend(rising(30.0, 100.0, 6));
    let all = look(
        &Cursor::default(),
        175.0,
        vec![],
        vec![counter("c", 7.0, &total), counter("s", 7.0, &rising(9e3, 100.0, 12))],
    );
    let windows = all.windows.len() as u64;
    assert_eq!(sums(&all)[0].0, 100 * windows - 70, "30 events since the restart");

    // A bad counter that appears with its first errors counts from zero: a rate would lose them.
    let known = look(&Cursor::default(), 70.0, vec![], steady_until(70.0));
    let bad = counter("c", 97.0, &rising(7.0, 0.0, 6));
    let then = look(&known.cursor, 175.0, vec![bad], steady());
    assert_eq!(sums(&known)[0].1 + sums(&then)[0].1, 7);
}

#[test]
fn no_series_of_errors_is_no_error_and_no_series_of_all_events_is_no_data() {
    let quiet = look(&Cursor::default(), 175.0, vec![], steady());
    assert_eq!((quiet.gap.clone(), sums(&quiet)[0].1), (None, 0));
    for missing in ["c", "s"] {
        let total = steady().into_iter().filter(|s| s.labels["pod"] != missing).collect();
        let read = look(&Cursor::default(), 175.0, vec![], total);
        assert!(read.windows.is_empty());
        let gap = read.gap.unwrap_or_else(|| panic!("{missing} is missing"));
        assert_eq!(gap.verdict(), Verdict::NoData, "{gap}");
    }
}

#[test]
fn what_is_no_number_holds_or_is_left_out() {
    for (value, verdict) in
        [(f64::NAN, Verdict::NoData), (f64::INFINITY, Verdict::NoData), (-3.0, Verdict::Error)]
    {
        let broken = vec![counter("c", 7.0, &[value; 12]), steady().remove(1)];
        let read = look(&Cursor::default(), 175.0, vec![], broken);
        assert!(read.windows.is_empty(), "{value}");
        assert_eq!(read.gap.as_ref().map(Gap::verdict), Some(verdict), "{value}: {:?}", read.gap);
    }
    // A single one costs its windows, and only those.
    let mut total = rising(100.0, 100.0, 12);
    total[5] = f64::NAN;
    let one = vec![counter("c", 7.0, &total), steady().remove(1)];
    let read = look(&Cursor::default(), 175.0, vec![], one);
    let (whole, [canary, _]) = (look(&Cursor::default(), 175.0, vec![], steady()), sums(&read));
    assert!(read.windows.len() < whole.windows.len() && canary.0 > 0);
}

#[test]
fn more_bad_events_than_events_is_an_error() {
    let bad = vec![counter("c", 7.0, &rising(0.0, 150.0, 12))];
    let read = look(&Cursor::default(), 175.0, bad, steady());
    assert_eq!(sums(&read)[0], (0, 0), "nothing is counted");
    let gap = read.gap.expect("a gap");
    assert_eq!(gap.verdict(), Verdict::Error, "{gap}");
}

#[test]
fn a_source_that_fell_silent_is_stale() {
    let read = look(&Cursor::default(), 175.0 + 400.0, vec![], steady());
    let gap = read.gap.expect("a gap");
    assert_eq!(gap.verdict(), Verdict::NoData, "{gap}");
    assert!(gap.to_string().contains("stale"), "{gap}");
}

#[test]
fn clocks_that_differ_are_no_data() {
    let answers = Answers::Counters {
        bad: answer(175.0, 1200.0, vec![]),
        total: answer(175.0, 1200.0, steady()),
    };
    let (settings, pods) = (settings(), pods());
    let round = |skew_s| Round {
        settings: &settings,
        pods: &pods,
        answers: &answers,
        since: at(0.0),
        skew: TimeDelta::seconds(skew_s),
    };
    for (skew_s, judged) in [(5, true), (-5, true), (6, false), (-6, false)] {
        let read = read(&Cursor::default(), &round(skew_s));
        assert_eq!(!read.windows.is_empty(), judged, "{skew_s}");
    }
}

#[test]
fn a_missing_scrape_leaves_the_cell_out_and_is_bad_health() {
    let mut total = rising(100.0, 100.0, 12);
    total[6] = GONE;
    let series = vec![counter("c", 7.0, &total), steady().remove(1)];
    let read = look(&Cursor::default(), 175.0, vec![], series);
    let whole = look(&Cursor::default(), 175.0, vec![], steady());
    assert!(read.windows.len() < whole.windows.len(), "the canary's cell is left out");
    let bad: u64 = read.health.iter().map(|window| window.arms().0.bad).sum();
    assert_eq!(bad, 1, "the scrape of a Ready pod that is missing");
    assert_eq!(whole.health.iter().map(|window| window.arms().0.bad).sum::<u64>(), 0);
}

#[test]
fn warm_up_is_left_out_per_pod() {
    let answers = Answers::Counters {
        bad: answer(175.0, 1200.0, vec![]),
        total: answer(175.0, 1200.0, steady()),
    };
    let pods = pods();
    let windows = |warm_up_s| {
        let settings = Settings { warm_up: TimeDelta::seconds(warm_up_s), ..settings() };
        let round = Round {
            settings: &settings,
            pods: &pods,
            answers: &answers,
            since: at(0.0),
            skew: TimeDelta::zero(),
        };
        read(&Cursor::default(), &round)
    };
    let (warm, cold) = (windows(0), windows(90));
    let begun = |read: &Read| read.windows.iter().map(|w| w.window.ends_at - w.window.length).min();
    assert!(begun(&cold) > begun(&warm), "{:?} {:?}", begun(&cold), begun(&warm));
    assert!(begun(&cold).is_some_and(|begun| begun >= at(75.0)), "{:?}", begun(&cold));
}

#[test]
fn evidence_of_before_the_opening_does_not_count() {
    let read = look(&Cursor::default(), 175.0, vec![], steady());
    assert!(read.windows.iter().all(|w| w.window.ends_at - w.window.length >= at(0.0)));
    let early = counter("c", -300.0 + 7.0, &rising(100.0, 100.0, 32));
    let read = look(&Cursor::default(), 175.0, vec![], vec![early, steady().remove(1)]);
    assert!(read.windows.iter().all(|w| w.window.ends_at - w.window.length >= at(0.0)));
}

#[test]
fn a_pair_of_scrapers_counts_once() {
    let twice = |series: RawSeries| {
        let mut other = series.clone();
        other.labels.insert("prometheus_replica".to_owned(), "b".to_owned());
        for sample in &mut other.floats {
            sample.at += TimeDelta::milliseconds(400);
        }
        [series, other]
    };
    let doubled: Vec<RawSeries> = steady().into_iter().flat_map(twice).collect();
    let read = look(&Cursor::default(), 175.0, vec![], doubled);
    let windows = read.windows.len() as u64;
    assert!(windows > 0);
    assert_eq!(sums(&read), [(100 * windows, 0), (100 * windows, 0)]);
}

#[test]
fn a_native_histogram_is_read_as_one_and_never_as_a_number() {
    let native = |pod: &str, slow: f64| {
        let sample = |n: i32| {
            let n = f64::from(n);
            let bucket = |lower, upper, per| NativeBucket { lower, upper, count: per * n };
            let buckets = vec![
                bucket(0.25, 0.5, 90.0 - slow),
                bucket(0.5, 1.0, 10.0),
                bucket(4.0, 8.0, slow),
            ];
            HistogramSample {
                at: at(7.0 + 15.0 * n),
                histogram: NativeHistogram { count: 100.0 * n, buckets },
            }
        };
        RawSeries {
            labels: labels(pod, &[]),
            floats: vec![],
            histograms: (-20..12)
                .map(|n| sample(n + 20))
                .map(|mut s| {
                    s.at -= TimeDelta::seconds(300);
                    s
                })
                .collect(),
        }
    };
    let (settings, pods) = (settings(), pods());
    let answers =
        Answers::Histogram(answer(175.0, 1200.0, vec![native("c", 30.0), native("s", 1.0)]));
    let round = Round {
        settings: &settings,
        pods: &pods,
        answers: &answers,
        since: at(-280.0),
        skew: TimeDelta::zero(),
    };
    let read_once = read(&Cursor::default(), &round);
    assert!(read_once.windows.iter().any(|w| w.stream > 0), "{:?}", read_once.gap);
    let slowest = read_once.windows.iter().map(|w| w.stream).max().unwrap_or(0);
    let (mut canary, mut stable) = (0, 0);
    for window in read_once.windows.iter().filter(|w| w.stream == slowest) {
        let (c, s) = window.window.arms();
        (canary, stable) = (canary + c.bad, stable + s.bad);
    }
    assert!(canary > 10 * stable.max(1), "slow requests: {canary} and {stable}");

    let as_counter =
        look(&Cursor::default(), 175.0, vec![], vec![native("c", 1.0), native("s", 1.0)]);
    assert!(as_counter.windows.is_empty());
    assert_eq!(as_counter.gap.as_ref().map(Gap::verdict), Some(Verdict::Error));
}
