//! Gauges: what becomes a cell, and where the level lies.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::{
    super::{Answers, Cursor, Gap, LeftOut, Level, PodFacts, Pods, RawSeries, Read, Round, read},
    GONE, Settings, answer, at, counter, settings,
};
use crate::{
    Verdict,
    judge::{Arm, Cell, Counts},
};

/// First scrape, and how many there are: from six minutes before the opening on.
const FIRST: f64 = -360.0 + 7.0;
const SCRAPES: usize = 44;

/// Usual values of the stable pods; the highest makes the level 150.
const STABLE: [(&str, f64); 3] = [("s1", 100.0), ("s2", 110.0), ("s3", 120.0)];

fn pods() -> Pods {
    let facts = |arm| PodFacts {
        created_at: Some(at(-3600.0)),
        first_traffic: Some(at(-3600.0)),
        ready_since: Some(at(-3600.0)),
        ..PodFacts::of(arm)
    };
    let stable = STABLE.map(|(pod, _)| (pod.into(), facts(Arm::Stable)));
    stable.into_iter().chain([("c".into(), facts(Arm::Canary))]).collect()
}

/// A canary that shows 115 all the time, and the stable pods.
fn series() -> Vec<RawSeries> {
    let pods = [("c", 115.0)].into_iter().chain(STABLE);
    pods.map(|(pod, value)| counter(pod, FIRST, &[value; SCRAPES])).collect()
}

fn look_by(settings: &Settings, cursor: &Cursor, until: f64, series: Vec<RawSeries>) -> Read {
    let known = |mut one: RawSeries| {
        one.floats.retain(|sample| sample.at <= at(until));
        one
    };
    let series = series.into_iter().map(known).collect();
    let answers = Answers::Gauge(answer(until, 1200.0, series));
    let (pods, skew) = (pods(), TimeDelta::zero());
    read(cursor, &Round { settings, pods: &pods, answers: &answers, since: at(0.0), skew })
}

fn look(cursor: &Cursor, until: f64, series: Vec<RawSeries>) -> Read {
    look_by(&settings(), cursor, until, series)
}

fn cells(read: &Read) -> Vec<Cell> {
    let of = |window: &super::super::StreamWindow| match &window.window.counts {
        Counts::Cells(cells) => cells.clone(),
        Counts::Arms { .. } => panic!("no cells"),
    };
    read.windows.iter().flat_map(of).collect()
}

/// Cells of a pod, and those of them that are bad.
fn of_pod(read: &Read, pod: &str) -> (usize, u64) {
    let of_pod: Vec<_> = cells(read).into_iter().filter(|cell| &*cell.pod == pod).collect();
    (of_pod.len(), of_pod.iter().map(|cell| cell.bad).sum())
}

/// The values of the canary's scrapes; `at` is the place of one of them after the opening.
fn canary(change: impl Fn(&mut [f64; SCRAPES])) -> Vec<RawSeries> {
    let mut values = [115.0; SCRAPES];
    change(&mut values);
    let mut all = series();
    all[0] = counter("c", FIRST, &values);
    all
}

#[test]
fn traps_cost_a_cell_or_two_and_make_none_bad() {
    type Case = (&'static str, Vec<RawSeries>, usize, u64, Option<LeftOut>);
    let whole = of_pod(&look(&Cursor::default(), 290.0, series()), "c").0;
    assert!(whole >= 15, "{whole}");
    let at_30 = |value: f64| canary(move |values| values[30] = value);
    // The series, cells that the canary loses, bad ones among the rest, and why they are lost.
    let cases: [Case; 9] = [
        ("as it is", series(), 0, 0, None),
        ("high once", at_30(151.0), 0, 1, None),
        ("at the level", at_30(150.0), 0, 0, None),
        ("a process that begins anew", canary(|values| values[30..].fill(1.0)), 0, 0, None),
        ("below zero", at_30(-1.0), 0, 0, None),
        ("NaN", at_30(f64::NAN), 1, 0, Some(LeftOut::NotANumber)),
        ("infinite", at_30(f64::INFINITY), 1, 0, Some(LeftOut::NotANumber)),
        ("a missing scrape", at_30(GONE), 2, 0, Some(LeftOut::MissingScrape)),
        ("gone for good", canary(|values| values[42..].fill(GONE)), 0, 0, None),
    ];
    for (what, series, lost, bad, reason) in cases {
        let read = look(&Cursor::default(), 290.0, series);
        assert_eq!(of_pod(&read, "c"), (whole - lost, bad), "{what}: {:?}", read.notes);
        let canary = (Arm::Canary, LeftOut::BeforeOpening);
        let reasons = read.notes.left_out.keys().filter(|key| **key != canary);
        let reasons: Vec<_> = reasons.filter(|key| key.0 == Arm::Canary).map(|key| key.1).collect();
        assert!(reason.is_none_or(|reason| reasons.contains(&reason)), "{what}: {reasons:?}");
    }
}

#[test]
fn a_pod_that_is_not_scraped_is_left_out_and_an_arm_without_any_is_no_data() {
    let without = |gone: &[&str]| -> Vec<RawSeries> {
        series().into_iter().filter(|one| !gone.contains(&one.labels["pod"].as_str())).collect()
    };
    let read = look(&Cursor::default(), 290.0, without(&["s2"]));
    assert_eq!((of_pod(&read, "s2").0, read.gap.clone()), (0, None));
    assert_eq!(of_pod(&read, "c"), of_pod(&look(&Cursor::default(), 290.0, series()), "c"));
    for (gone, arm) in [(&["c"][..], "the canary"), (&["s1", "s2", "s3"], "stable")] {
        let read = look(&Cursor::default(), 290.0, without(gone));
        let gap = read.gap.expect("a gap");
        assert_eq!(gap.verdict(), Verdict::NoData, "{gap}");
        assert!(gap.to_string().starts_with(&format!("no series of gauge for {arm}: ")), "{gap}");
    }
    let stale = look(&Cursor::default(), 290.0 + 400.0, series());
    assert!(matches!(stale.gap, Some(Gap::Stale { .. })), "{:?}", stale.gap);
}

#[test]
fn series_of_a_pod_add_up_and_only_whole_scrapes_count() {
    let half = |pod: &str, container: &str, values: &[f64]| {
        let mut one = counter(pod, FIRST, values);
        one.labels.insert("container".to_owned(), container.to_owned());
        one
    };
    let both = |gap: bool| -> Vec<RawSeries> {
        let mut sidecar = [60.0; SCRAPES];
        if gap {
            sidecar[30] = GONE;
        }
        let mut all = series();
        all[0] = half("c", "app", &[100.0; SCRAPES]);
        all.push(half("c", "sidecar", &sidecar));
        all
    };
    let (whole, partial) =
        (look(&Cursor::default(), 290.0, both(false)), look(&Cursor::default(), 290.0, both(true)));
    let (count, bad) = of_pod(&whole, "c");
    assert_eq!(bad, count as u64, "160 of both is above 150");
    assert_eq!(of_pod(&partial, "c"), (count - 1, bad - 1));
    assert_eq!(partial.notes.left_out.get(&(Arm::Canary, LeftOut::PartialScrape)), Some(&1));
}

#[test]
fn a_window_of_several_scrapes_counts_their_mean() {
    // Windows of three scrapes, one of them high: 100, 100 and 280 are 160 on average.
    let settings = Settings { window_min: TimeDelta::seconds(45), ..settings() };
    let spiky = |high: f64| {
        let values: Vec<f64> =
            (0..SCRAPES).map(|n| if n % 3 == 0 { high } else { 100.0 }).collect();
        let mut all = series();
        all[0] = counter("c", FIRST, &values);
        all
    };
    for (high, bad) in [(280.0, true), (240.0, false)] {
        let read = look_by(&settings, &Cursor::default(), 290.0, spiky(high));
        let (count, found) = of_pod(&read, "c");
        assert!(count >= 3 && found == if bad { count as u64 } else { 0 }, "{high}: {found}");
    }
}

#[test]
fn the_level_is_that_of_the_highest_stable_pod() {
    let level = |values: [f64; 3], level: Level| {
        let stable = STABLE.iter().zip(values);
        let mut all = vec![counter("c", FIRST, &[0.0; SCRAPES])];
        all.extend(stable.map(|((pod, _), value)| counter(pod, FIRST, &[value; SCRAPES])));
        look_by(&Settings { level, ..settings() }, &Cursor::default(), 290.0, all).cursor.level()
    };
    let beyond = Level::BeyondStable(1.25);
    let cases = [
        ([100.0, 110.0, 120.0], beyond, Some(150.0)),
        ([100.0, 110.0, 120.0], Level::BeyondStable(2.0), Some(240.0)),
        ([100.0, 100.0, 300.0], beyond, Some(375.0)),
        ([0.0; 3], beyond, Some(0.0)),
        ([-100.0, -120.0, -200.0], beyond, Some(-75.0)),
        ([100.0; 3], Level::Above(7.0), None),
    ];
    for (values, asked, expect) in cases {
        assert_eq!(level(values, asked), expect, "{values:?}");
    }
    // What a pod shows in one window of ten is not what it usually shows.
    let rare: Vec<f64> = (0..SCRAPES).map(|n| if n % 10 == 0 { 900.0 } else { 120.0 }).collect();
    let mut all = series();
    all[3] = counter("s3", FIRST, &rare);
    assert_eq!(look(&Cursor::default(), 290.0, all).cursor.level(), Some(150.0));
}

#[test]
fn a_given_level_needs_no_past() {
    let settings = Settings { level: Level::Above(114.0), ..settings() };
    let young = |mut one: RawSeries| {
        one.floats.retain(|sample| sample.at >= at(-20.0));
        one
    };
    let all = || -> Vec<RawSeries> { series().into_iter().map(young).collect() };
    let read = look_by(&settings, &Cursor::default(), 100.0, all());
    let (count, bad) = of_pod(&read, "c");
    assert!(count >= 3 && bad == count as u64, "{count} {bad}");
    assert_eq!(of_pod(&read, "s3").1, count as u64);
    // Without one stable has to show itself first.
    let read = look(&Cursor::default(), 100.0, all());
    let gap = read.gap.expect("a gap");
    assert!(read.windows.is_empty() && gap.verdict() == Verdict::Watch, "{gap}");
    assert!(gap.to_string().starts_with("waits for 20 values of stable"), "{gap}");
}

#[test]
fn the_level_rises_with_stable_and_never_falls() {
    let mut values = [120.0; SCRAPES];
    values[26..33].fill(40.0);
    values[33..].fill(200.0);
    let mut all = series();
    for (place, pod) in [(1, "s1"), (2, "s2"), (3, "s3")] {
        all[place] = counter(pod, FIRST, &values);
    }
    let mut cursor = Cursor::default();
    let mut levels = Vec::new();
    for until in [60.0, 130.0, 290.0] {
        cursor = look(&cursor, until, all.clone()).cursor;
        levels.push(cursor.level());
    }
    assert_eq!(levels, [Some(150.0), Some(150.0), Some(250.0)]);
}

#[test]
fn a_restarted_hub_goes_on_with_the_level() {
    // With the canary at work stable's pods have less to do.
    let mut all = series();
    let mut values = [120.0; SCRAPES];
    values[24..].fill(60.0);
    for (place, pod) in [(1, "s1"), (2, "s2"), (3, "s3")] {
        all[place] = counter(pod, FIRST, &values);
    }
    let known = look(&Cursor::default(), 200.0, all.clone());
    let (until, level) = (known.cursor.counted_until(), known.cursor.level());
    let (until, level) = (until.expect("windows"), level.expect("a level"));
    let kept = look(&known.cursor, 290.0, all.clone());
    let after = look(&Cursor::after(until).with_level(level), 290.0, all.clone());
    assert_eq!(after.cursor.level(), Some(150.0));
    assert_eq!(kept.cursor.level(), Some(150.0));
    // A window is lost, as with every cursor; the others are the same.
    assert!(after.windows.len() + 1 >= kept.windows.len() && !after.windows.is_empty());
    assert!(after.windows.iter().all(|window| kept.windows.contains(window)));
    // One that has lost the level as well takes what the answer shows before its first window.
    let fresh = look(&Cursor::after(until), 290.0, all);
    assert_eq!(fresh.windows.len(), after.windows.len());
}

#[test]
fn warm_up_holds_for_gauges_too() {
    let mut pods = pods();
    let young = pods.get_mut("c").expect("the canary");
    (young.created_at, young.first_traffic) = (Some(at(0.0)), Some(at(0.0)));
    let settings = Settings { warm_up: TimeDelta::seconds(90), ..settings() };
    let answers = Answers::Gauge(answer(290.0, 1200.0, series()));
    let skew = TimeDelta::zero();
    let round = Round { settings: &settings, pods: &pods, answers: &answers, since: at(0.0), skew };
    let read = read(&Cursor::default(), &round);
    let begun = read.windows.iter().map(|w| w.window.ends_at - w.window.length).min();
    assert!(begun.is_some_and(|begun| begun >= at(75.0)), "{begun:?}");
    assert!(read.notes.left_out.contains_key(&(Arm::Canary, LeftOut::WarmUp)));
}

fn any_values() -> impl Strategy<Value = Vec<Vec<f64>>> {
    let value = prop_oneof![
        8 => 50.0..300.0_f64,
        1 => Just(GONE),
        1 => Just(f64::NAN),
    ];
    prop::collection::vec(prop::collection::vec(value, SCRAPES), 4)
}

fn named(values: &[Vec<f64>]) -> Vec<RawSeries> {
    let pods = ["c", "s1", "s2", "s3"].into_iter().zip(values);
    pods.map(|(pod, values)| counter(pod, FIRST, values)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What the judge may rely on: a window is not judged by anything that came after it, nor by
    /// what stable shows in it.
    #[test]
    fn the_level_of_a_window_is_fixed_before_it(
        values in any_values(), place in 26..SCRAPES, other in 50.0..5000.0_f64,
    ) {
        let changed: Vec<Vec<f64>> = values.iter().enumerate().map(|(n, values)| {
            let mut values = values.clone();
            // The canary stays as it is: only stable's values can move a level.
            if n > 0 {
                values[place..].fill(other);
            }
            values
        }).collect();
        let before = look(&Cursor::default(), 290.0, named(&values));
        let after = look(&Cursor::default(), 290.0, named(&changed));
        let same_time = |a: &super::super::StreamWindow, b: &super::super::StreamWindow| {
            a.window.ends_at == b.window.ends_at
        };
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let changed_at = at(FIRST + 15.0 * place as f64);
        for window in &before.windows {
            let Some(twin) = after.windows.iter().find(|w| same_time(w, window)) else { continue };
            let canary = |w: &super::super::StreamWindow| w.window.arms().0;
            // The window in which they change ends with their first changed sample.
            if window.window.ends_at - window.window.length <= changed_at {
                prop_assert_eq!(canary(window), canary(twin));
            }
        }
    }

    /// Rounds make no difference, so neither do the hub's pauses.
    #[test]
    fn it_does_not_matter_in_which_rounds_windows_are_read(
        values in any_values(), pause in 1..12_u8,
    ) {
        let once = look(&Cursor::default(), 290.0, named(&values));
        let (mut cursor, mut found) = (Cursor::default(), Vec::new());
        let mut until = -60.0;
        while until < 290.0 {
            until = (until + 10.0 * f64::from(pause)).min(290.0);
            let read = look(&cursor, until, named(&values));
            cursor = read.cursor;
            found.extend(read.windows);
        }
        // Who looks earlier has seen fewer scrapes when a late window falls due, and no more.
        for window in &found {
            prop_assert!(once.windows.contains(window), "{window:?}");
        }
    }
}
