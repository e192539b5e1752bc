//! Further traps: who scraped, what came late, what ended, and other kinds of metrics.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{
    super::{Answers, Cursor, Gap, LeftOut, Pods, RawSeries, Read, Round, Settings, read},
    GONE, answer, at, counter, look, pods, rising, settings, steady, steady_until, sums,
};
use crate::{Verdict, judge::Counts};

/// The series with other labels.
fn labelled(mut series: RawSeries, labels: &[(&str, &str)]) -> RawSeries {
    series.labels.extend(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    series
}

/// The series as scraped later by some seconds.
fn later(mut series: RawSeries, seconds: f64) -> RawSeries {
    for sample in &mut series.floats {
        sample.at += at(seconds) - at(0.0);
    }
    series
}

fn ask(cursor: &Cursor, settings: &Settings, pods: &Pods, answers: &Answers) -> Read {
    let skew = TimeDelta::zero();
    read(cursor, &Round { settings, pods, answers, since: at(0.0), skew })
}

fn counters(until: f64, bad: Vec<RawSeries>, total: Vec<RawSeries>) -> Answers {
    Answers::Counters { bad: answer(until, 1200.0, bad), total: answer(until, 1200.0, total) }
}

/// Number of cells that were left out for a reason.
fn left_out(read: &Read, reason: LeftOut) -> u64 {
    read.notes.left_out.iter().filter(|((_, r), _)| *r == reason).map(|(_, n)| n).sum()
}

fn verdict(read: &Read) -> Option<Verdict> {
    read.gap.as_ref().map(Gap::verdict)
}

#[test]
fn two_services_that_select_the_same_pods_count_once() {
    let twice = |series: RawSeries| {
        let other = labelled(later(series.clone(), 3.0), &[("service", "b"), ("job", "b")]);
        [labelled(series, &[("service", "a"), ("job", "a")]), other]
    };
    let read =
        look(&Cursor::default(), 175.0, vec![], steady().into_iter().flat_map(twice).collect());
    let windows = read.windows.len() as u64;
    assert!(windows > 0 && read.notes.duplicate_targets == 2, "{:?}", read.notes);
    assert_eq!(sums(&read), [(100 * windows, 0), (100 * windows, 0)]);
}

#[test]
fn a_label_replica_of_the_program_itself_tells_counters_apart() {
    let of = |pod: &str, replica: &str, step: f64| {
        let values = rising(if pod == "c" { step } else { 9e3 }, step, 12);
        labelled(counter(pod, 7.0, &values), &[("replica", replica)])
    };
    let total =
        vec![of("c", "x", 60.0), of("c", "y", 40.0), of("s", "x", 60.0), of("s", "y", 40.0)];
    let read = look(&Cursor::default(), 175.0, vec![], total);
    let windows = read.windows.len() as u64;
    assert_eq!(sums(&read), [(100 * windows, 0), (100 * windows, 0)]);
}

#[test]
fn when_one_of_a_pair_fails_the_other_takes_over_and_nothing_counts_twice() {
    let mut first = rising(100.0, 100.0, 12);
    first[5..].fill(GONE);
    let pair = |series: RawSeries| labelled(later(series, 4.0), &[("prometheus_replica", "b")]);
    let [canary, stable] = <[_; 2]>::try_from(steady()).expect("two");
    let total = vec![counter("c", 7.0, &first), pair(canary), stable];
    let mut cursor = Cursor::default();
    let mut events = 0;
    let mut late_windows = 0;
    for until in [70.0, 100.0, 130.0, 175.0] {
        let read = look(&cursor, until, vec![], total.clone());
        events += sums(&read)[0].0;
        late_windows += read.windows.iter().filter(|w| w.window.ends_at > at(120.0)).count();
        cursor = read.cursor;
    }
    assert!(late_windows > 0, "the other one takes over");
    assert!(events <= 1_000 && events % 100 == 0, "{events}");
}

#[test]
fn a_target_forgotten_in_an_outage_counts_no_time_twice() {
    // Scraped at 7 s of each window until 150, silent for 6 minutes, then at 2 s.
    let known = look(&Cursor::default(), 175.0, vec![], steady());
    let end = known.cursor.counted_until().expect("windows");
    let silent = look(&known.cursor, 520.0, vec![], steady());
    assert_eq!(verdict(&silent), Some(Verdict::NoData));
    // The answer reaches back: samples of a second job fill the past at another phase.
    let other = |s: RawSeries| labelled(later(s, -5.0), &[("job", "other")]);
    let total: Vec<_> =
        [counter("c", 7.0, &rising(100.0, 100.0, 40)), counter("s", 7.0, &rising(9e3, 100.0, 40))]
            .into_iter()
            .map(other)
            .collect();
    let back = look(&silent.cursor, 600.0, vec![], total);
    // The next window of the grid would begin 5 s before the last counted sample.
    let begun = back.windows.iter().map(|w| w.window.ends_at - w.window.length).min();
    assert!(begun.is_some_and(|begun| begun > end), "{begun:?} {end}");
}

#[test]
fn a_lost_cursor_costs_a_window_and_counts_none_twice() {
    let known = look(&Cursor::default(), 100.0, vec![], steady_until(100.0));
    let until = known.cursor.counted_until().expect("windows");
    let after = look(&Cursor::after(until), 175.0, vec![], steady());
    let kept = look(&known.cursor, 175.0, vec![], steady());
    assert!(after.windows.iter().all(|w| w.window.ends_at > until));
    let lost = kept.windows.len() - after.windows.len();
    assert!(!after.windows.is_empty() && lost <= 2, "{lost} windows were lost");
}

#[test]
fn a_restart_of_which_nobody_can_tell_what_it_reset_is_left_out() {
    // One counter falls, the other one of the process rises: it may have begun anew or not.
    let (mut ok, mut failed) = (rising(100.0, 100.0, 12), rising(1.0, 0.0, 12));
    for value in &mut ok[6..] {
        *value -= 650.0;
    }
    for value in &mut failed[6..] {
        *value = 3.0;
    }
    let code = |s: RawSeries, code| labelled(s, &[("code", code)]);
    let total = vec![
        code(counter("c", 7.0, &ok), "200"),
        code(counter("c", 7.0, &failed), "500"),
        steady().remove(1),
    ];
    let read = look(&Cursor::default(), 175.0, vec![], total);
    assert_eq!(left_out(&read, LeftOut::Restart), 1, "{:?}", read.notes);
}

#[test]
fn a_restart_that_growth_hides_is_left_out_where_the_hub_knows_of_it() {
    // Another restart a scrape earlier shows; this one does not, 3 s after that scrape.
    let mut values = rising(100.0, 100.0, 12);
    for (n, value) in values.iter_mut().enumerate().skip(5) {
        *value =
            if n == 5 { 1.0 } else { 2.0 + 100.0 * f64::from(u32::try_from(n).unwrap_or(0) - 6) };
    }
    let total = vec![counter("c", 7.0, &values), steady().remove(1)];
    let look_with = |restarted_at| {
        let mut pods = pods();
        pods.get_mut("c").expect("a pod").restarted_at = restarted_at;
        ask(&Cursor::default(), &settings(), &pods, &counters(175.0, vec![], total.clone()))
    };
    let (untold, told) = (look_with(None), look_with(Some(at(7.0 + 75.0 + 3.0))));
    assert_eq!(left_out(&untold, LeftOut::Restart), 0);
    assert!(left_out(&told, LeftOut::Restart) >= 1, "{:?}", told.notes);
    let single =
        |read: &Read, events| read.windows.iter().any(|w| w.window.arms().0.events == events);
    assert!(single(&untold, 1) && !single(&told, 1), "2 after 1 is no single event");
}

#[test]
fn a_total_that_is_late_is_not_zero() {
    // The process restarts; its bad events of the next scrape are there, its total is not yet.
    let (mut all, mut bad) = (rising(100.0, 100.0, 12), rising(5.0, 1.0, 12));
    for (n, (all, bad)) in all.iter_mut().zip(&mut bad).enumerate().skip(6) {
        let n = f64::from(u32::try_from(n).unwrap_or(0) - 6);
        (*all, *bad) = (if n == 0.0 { GONE } else { 30.0 + 100.0 * n }, 2.0 + n);
    }
    let total = vec![counter("c", 7.0, &all), steady().remove(1)];
    let read = look(&Cursor::default(), 175.0, vec![counter("c", 7.0, &bad)], total);
    let least = read.windows.iter().map(|w| w.window.arms().0.events).min();
    assert!(least.is_some_and(|least| least > 2), "{least:?}");
    assert!(left_out(&read, LeftOut::PartialScrape) >= 1, "{:?}", read.notes);
}

#[test]
fn a_base_outside_of_one_answer_is_no_birth() {
    // The bad counter is old; its answer reaches back less far than that of the total.
    let bad = vec![counter("c", 7.0, &rising(5_000.0, 1.0, 12))];
    let mut short = answer(175.0, 100.0, bad);
    short.series[0].floats.retain(|sample| sample.at > at(75.0));
    let total = answer(175.0, 1200.0, steady());
    let first = look(&Cursor::default(), 40.0, vec![], steady_until(40.0));
    let read = ask(&first.cursor, &settings(), &pods(), &Answers::Counters { bad: short, total });
    assert!(!read.windows.is_empty());
    assert!(sums(&read)[0].1 < 20, "{:?}", sums(&read));
}

#[test]
fn samples_that_come_late_hold_the_watermark_back() {
    let mut cursor = Cursor::default();
    for until in [70.0, 130.0, 190.0, 250.0] {
        let total = vec![
            counter("c", 7.0, &rising(100.0, 100.0, 30)),
            counter("s", 7.0, &rising(9e3, 100.0, 30)),
        ];
        // Everything comes 50 s late.
        let known = total.into_iter().map(|mut s| {
            s.floats.retain(|sample| sample.at <= at(until - 50.0));
            s
        });
        cursor = look(&cursor, until, vec![], known.collect()).cursor;
    }
    assert!(cursor.lag() >= TimeDelta::seconds(30), "{}", cursor.lag());
    assert!(cursor.counted_until() <= Some(at(250.0 - 30.0)));
}

#[test]
fn a_pod_that_ends_is_left_out_from_then_on() {
    let mut pods = pods();
    pods.get_mut("c").expect("a pod").terminating_since = Some(at(100.0));
    let read = ask(&Cursor::default(), &settings(), &pods, &counters(175.0, vec![], steady()));
    assert!(!read.windows.is_empty() && left_out(&read, LeftOut::Terminating) > 0);
    assert!(read.windows.iter().all(|w| w.window.ends_at <= at(105.0)), "{:?}", read.windows);
    assert!(read.health.iter().all(|w| w.ends_at <= at(105.0)));
}

#[test]
fn series_of_nobody_are_no_data_and_name_the_label() {
    let strangers = || vec![counter("x", 7.0, &rising(1.0, 1.0, 12))];
    let read = look(&Cursor::default(), 175.0, vec![], strangers());
    assert_eq!(read.gap, Some(Gap::Strangers { label: "pod".to_owned() }));
    let mut bare = strangers();
    bare[0].labels.remove("pod");
    let read = look(&Cursor::default(), 175.0, vec![], bare);
    assert_eq!(read.gap, Some(Gap::Unlabelled { label: "pod".to_owned() }));
    assert_eq!(verdict(&read), Some(Verdict::NoData));
}

#[test]
fn an_answer_without_bounds_is_refused() {
    let many = vec![steady().remove(0); super::super::SERIES_MAX + 1];
    let read = look(&Cursor::default(), 175.0, vec![], many);
    assert!(matches!(read.gap, Some(Gap::TooMany { what: "series", .. })), "{:?}", read.gap);
}

/// Two proxies that count both arms, each with its own phase.
fn proxies(canary_of_second: &[f64]) -> Vec<RawSeries> {
    let of = |proxy: &str, first, arm: &str, values: &[f64]| {
        labelled(counter(proxy, first, values), &[("revision", arm)])
    };
    vec![
        of("p1", 7.0, "new", &rising(50.0, 10.0, 12)),
        of("p1", 7.0, "old", &rising(500.0, 90.0, 12)),
        of("p2", 11.0, "new", canary_of_second),
        of("p2", 11.0, "old", &rising(800.0, 90.0, 12)),
    ]
}

#[test]
fn sources_without_pods_are_summed_per_arm_and_left_out_per_proxy() {
    let settings =
        Settings { warm_up: TimeDelta::zero(), ..Settings::by_label("revision", "new", "old") };
    let seen = |second: &[f64]| {
        let answers = counters(175.0, vec![], proxies(second));
        ask(&Cursor::default(), &settings, &Pods::new(), &answers)
    };
    let whole = seen(&rising(70.0, 10.0, 12));
    let windows = whole.windows.len() as u64;
    assert!(windows > 0 && whole.health.is_empty(), "{:?}", whole.gap);
    assert!(whole.windows.iter().all(|w| matches!(w.window.counts, Counts::Arms { .. })));
    assert_eq!(sums(&whole), [(20 * windows, 0), (180 * windows, 0)]);
    // A proxy with a gap sees neither arm in that time.
    let mut gap = rising(70.0, 10.0, 12);
    gap[6] = GONE;
    let partial = seen(&gap);
    assert_eq!(partial.windows.len() as u64, windows);
    let [canary, stable] = sums(&partial);
    assert!(canary.0 < 20 * windows && stable.0 == 9 * canary.0, "{canary:?} {stable:?}");
}

#[test]
fn scrapes_of_a_minute_and_unequal_rhythms_make_common_windows() {
    let slow = |pod: &str, from: f64, every: f64| {
        let mut series = counter(pod, 0.0, &rising(from, 100.0, 12));
        for (n, sample) in series.floats.iter_mut().enumerate() {
            sample.at = at(7.0 + every * f64::from(u32::try_from(n).unwrap_or(0)));
        }
        series
    };
    let read =
        look(&Cursor::default(), 700.0, vec![], vec![slow("c", 100.0, 60.0), slow("s", 9e3, 60.0)]);
    assert!(read.windows.iter().all(|w| w.window.length == TimeDelta::minutes(1)));
    assert!(read.windows.len() > 5, "{:?} {:?}", read.gap, read.notes);
    let read =
        look(&Cursor::default(), 175.0, vec![], vec![slow("c", 100.0, 15.0), slow("s", 9e3, 30.0)]);
    assert!(read.windows.iter().all(|w| w.window.length == TimeDelta::seconds(30)));
    let windows = read.windows.len() as u64;
    assert_eq!(sums(&read), [(200 * windows, 0), (100 * windows, 0)]);
}

/// Classic buckets of a pod: 100 events a scrape, of which so many are above 0.5 and 1.
fn buckets(pod: &str, bounds: &[&str], above: [f64; 2]) -> Vec<RawSeries> {
    let share = |bound: &str| match bound {
        "0.5" => 100.0 - above[0],
        "1" => 100.0 - above[1],
        _ => 100.0,
    };
    let series = |bound: &&str| {
        let step = share(bound);
        labelled(counter(pod, 7.0, &rising(step, step, 12)), &[("le", bound)])
    };
    bounds.iter().map(series).collect()
}

#[test]
fn classic_buckets_are_counted_above_bounds_that_both_arms_have() {
    let look = |cursor: &Cursor, canary: &[&str], slow_down| {
        let mut series = buckets("c", canary, [60.0, 20.0]);
        series.extend(buckets("s", &["0.5", "1", "2", "+Inf"], [40.0, 5.0]));
        let settings = Settings { slow_down, ..settings() };
        let answers = Answers::Histogram(answer(175.0, 1200.0, series));
        ask(cursor, &settings, &pods(), &answers)
    };
    let bounds = |read: &Read| -> Vec<(f64, f64)> {
        let edges = read.cursor.edges().expect("bounds");
        edges.edges.iter().map(|edge| (edge.stable, edge.canary)).collect()
    };
    let read = look(&Cursor::default(), &["0.5", "1", "2", "+Inf"], 1.0);
    assert_eq!(bounds(&read), [(0.5, 0.5), (1.0, 1.0), (2.0, 2.0)]);
    let shares: BTreeMap<usize, (u64, u64)> = read
        .windows
        .iter()
        .map(|w| (w.stream, (w.window.arms().0.bad, w.window.arms().1.bad)))
        .collect();
    assert_eq!(shares.into_values().collect::<Vec<_>>(), [(60, 40), (20, 5), (0, 0)]);
    // Tolerated twice as slow: the canary's events above 1 against stable's above 0.5.
    let slower = look(&Cursor::default(), &["0.5", "1", "2", "+Inf"], 2.0);
    assert_eq!(bounds(&slower), [(0.5, 1.0), (1.0, 2.0)]);
    // Only bounds that both have are chosen; one that goes away later is an error.
    let common = look(&Cursor::default(), &["1", "2", "+Inf"], 1.0);
    assert_eq!(bounds(&common), [(1.0, 1.0), (2.0, 2.0)]);
    let first = Cursor::default().with_edges(read.cursor.edges().expect("bounds").clone());
    let changed = look(&first, &["1", "2", "+Inf"], 1.0);
    let gap = &changed.gap;
    assert!(matches!(gap, Some(Gap::LayoutChanged { arm: "the canary", .. })), "{gap:?}");
    assert_eq!(verdict(&changed), Some(Verdict::Error));
    assert!(
        changed.windows.iter().all(|w| w.stream > 0),
        "no count above a bound that is not there"
    );
    let nothing = look(&Cursor::default(), &["0.7", "+Inf"], 1.0);
    assert_eq!(nothing.gap, Some(Gap::NoBounds));
}
