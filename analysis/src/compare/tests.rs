use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{ArmWindow, ComparisonRule, Windows, compare};
use crate::series::{Birth, Sample, Series};
use crate::verdict::Verdict;

/// Evidence opens at second 100; samples come every 5 s.
const OPENED: i64 = 100;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn series(source: &str, key: &str, samples: &[(i64, f64)]) -> Series {
    Series {
        source: source.to_owned(),
        key: key.to_owned(),
        samples: samples.iter().map(|(t, value)| Sample { at: at(*t), value: *value }).collect(),
    }
}

/// An arm of one pod with so many events since the opening.
fn arm(pod: &str, bad: f64, total: f64) -> ArmWindow {
    ArmWindow {
        bad: vec![series(pod, "5xx", &[(95, 7.0), (105, 7.0 + bad / 2.0), (110, 7.0 + bad)])],
        total: vec![series(
            pod,
            "all",
            &[(95, 50.0), (105, 50.0 + total / 2.0), (110, 50.0 + total)],
        )],
    }
}

fn windows(canary: ArmWindow, stable: Option<ArmWindow>) -> Windows {
    Windows {
        opened_at: at(OPENED),
        judged_at: at(111),
        scrape_interval: None,
        canary_birth: Birth::FromZero,
        canary,
        stable,
    }
}

fn rule() -> ComparisonRule {
    ComparisonRule::new(2.0, 0.01, 100).expect("a sound rule")
}

#[test]
fn the_ratio_decides_once_there_are_samples() {
    use Verdict::{Error, Fail, Pass, Watch};
    let cases = [
        // (canary bad, total), (stable bad, total), verdict, part of the message
        ((0.0, 37.0), (0.0, 1000.0), Watch, "37 of 100 samples"),
        ((37.0, 37.0), (0.0, 1000.0), Watch, "37 of 100 samples"),
        ((0.0, 0.0), (0.0, 1000.0), Watch, "0 of 100 samples"),
        ((0.0, 100.0), (0.0, 1000.0), Pass, "0 % of the canary's 100 events are bad"),
        ((1.0, 100.0), (0.0, 0.0), Pass, "tolerated"),
        (
            (8.0, 100.0),
            (4.0, 1000.0),
            Fail,
            "8 % of the canary's 100 events are bad, more than 2 × stable's 0.4 %",
        ),
        ((8.0, 100.0), (40.0, 1000.0), Pass, "not more than 2 × stable's 4 %"),
        ((8.0, 100.0), (0.0, 1000.0), Fail, "more than 2 × stable's 0 %"),
        ((8.0, 100.0), (0.0, 0.0), Watch, "stable had none"),
        ((8.0, 100.0), (0.0, 60.0), Watch, "only 60 of 100 samples"),
        ((120.0, 100.0), (0.0, 1000.0), Error, "120 bad of 100 events"),
        ((8.0, 100.0), (2000.0, 1000.0), Error, "the stable has 2000 bad of 1000"),
    ];
    for (canary, stable, verdict, message) in cases {
        let given = windows(arm("c", canary.0, canary.1), Some(arm("s", stable.0, stable.1)));
        let found = compare("errors", &rule(), &given);
        assert_eq!(found.verdict, verdict, "{canary:?} {stable:?}: {found:?}");
        assert!(found.message.contains(message), "{canary:?} {stable:?}: {}", found.message);
    }
}

#[test]
fn a_verdict_says_what_was_seen_and_what_is_allowed() {
    let found =
        compare("errors", &rule(), &windows(arm("c", 8.0, 110.0), Some(arm("s", 4.0, 1000.0))));
    assert_eq!(found.metric, "errors");
    assert_eq!(found.observed, "7.27 %");
    assert_eq!(found.limit, "at most 2 × stable's 0.4 % or 1 %");
    assert_eq!(found.samples, Some(110));
}

#[test]
fn missing_series_are_told_apart() {
    let no_bad = ArmWindow { bad: vec![], ..arm("c", 0.0, 200.0) };
    let found = compare("m", &rule(), &windows(no_bad.clone(), Some(arm("s", 0.0, 200.0))));
    assert_eq!((found.verdict, found.samples), (Verdict::Pass, Some(200)));

    let no_total = ArmWindow { total: vec![], ..arm("c", 1.0, 200.0) };
    let found = compare("m", &rule(), &windows(no_total, Some(arm("s", 0.0, 200.0))));
    assert_eq!(found.verdict, Verdict::NoData, "{found:?}");

    let found = compare("m", &rule(), &windows(arm("c", 50.0, 200.0), Some(ArmWindow::default())));
    assert_eq!(found.verdict, Verdict::NoData, "{found:?}");
    assert!(found.message.contains("stable's total"), "{}", found.message);
}

#[test]
fn old_samples_are_no_data() {
    let mut given = windows(arm("c", 0.0, 200.0), Some(arm("s", 0.0, 200.0)));
    // The newest sample is of second 110; samples are 10 s and 5 s apart, the median is 10 s.
    given.judged_at = at(140);
    assert_eq!(compare("m", &rule(), &given).verdict, Verdict::Pass);
    given.judged_at = at(141);
    let found = compare("m", &rule(), &given);
    assert_eq!(found.verdict, Verdict::NoData);
    assert_eq!(found.message, "stale: the canary's newest sample is 31 s old, more than 30 s");

    let every_second: Vec<_> =
        (90..=110).map(|t| (t, 40.0 * f64::from(i32::try_from(t).unwrap()))).collect();
    given.canary = ArmWindow { bad: vec![], total: vec![series("c", "all", &every_second)] };
    given.judged_at = at(120);
    assert_eq!(compare("m", &rule(), &given).verdict, Verdict::Pass);
    given.judged_at = at(121);
    assert_eq!(compare("m", &rule(), &given).verdict, Verdict::NoData);
}

#[test]
fn no_number_is_no_data() {
    let mut given = windows(arm("c", 0.0, 200.0), Some(arm("s", 0.0, 200.0)));
    given.canary.total[0].samples[1].value = f64::NAN;
    let found = compare("m", &rule(), &given);
    assert_eq!(found.verdict, Verdict::NoData);
    assert!(found.message.contains("no number"), "{}", found.message);
}

#[test]
fn first_values_count_where_the_birth_is_known() {
    // The canary's pod is new; stable's pod had no bad counter before its first bad event.
    let canary = ArmWindow {
        bad: vec![series("c", "5xx", &[(105, 3.0), (110, 10.0)])],
        total: vec![series("c", "all", &[(105, 60.0), (110, 120.0)])],
    };
    let stable = ArmWindow {
        bad: vec![series("s", "5xx", &[(110, 20.0)])],
        total: vec![series("s", "all", &[(95, 100.0), (110, 300.0)])],
    };
    let found = compare("m", &rule(), &windows(canary.clone(), Some(stable.clone())));
    assert_eq!((found.samples, found.verdict), (Some(120), Verdict::Pass), "{found:?}");
    assert!(found.message.contains("stable's 10 %"), "{}", found.message);

    // Where nobody knows since when the canary counts, its first value is only a base.
    let unknown = Windows { canary_birth: Birth::Unknown, ..windows(canary, Some(stable)) };
    assert_eq!(compare("m", &rule(), &unknown).samples, Some(60));
}

#[test]
fn a_scrape_in_one_answer_only_does_not_count_yet() {
    // Bad was read after the scrape of second 110, total before it.
    let mut canary = arm("c", 100.0, 100.0);
    canary.total[0].samples.pop();
    let found = compare("m", &rule(), &windows(canary, Some(arm("s", 0.0, 1000.0))));
    assert_eq!((found.verdict, found.samples), (Verdict::Watch, Some(50)), "{found:?}");

    // The other way round: total of second 110 without its bad events would look too good.
    let mut canary = arm("c", 100.0, 100.0);
    canary.bad[0].samples.pop();
    let found = compare("m", &rule(), &windows(canary, Some(arm("s", 0.0, 1000.0))));
    assert_eq!((found.verdict, found.samples), (Verdict::Watch, Some(50)), "{found:?}");
}

#[test]
fn without_stable_events_are_only_counted() {
    let found = compare("m", &rule(), &windows(arm("c", 90.0, 100.0), None));
    assert_eq!((found.verdict, found.samples), (Verdict::Pass, Some(100)));
    assert!(found.message.contains("not compared"), "{}", found.message);
    let found = compare("m", &rule(), &windows(ArmWindow::default(), None));
    assert_eq!((found.verdict, found.samples), (Verdict::Pass, Some(0)));
}

#[test]
fn rules_that_cannot_be_compared_are_refused() {
    for (ratio, tolerated, samples) in [
        (f64::NAN, 0.1, 1),
        (0.5, 0.1, 1),
        (f64::INFINITY, 0.1, 1),
        (2.0, f64::NAN, 1),
        (2.0, 1.1, 1),
        (2.0, 0.1, 0),
    ] {
        assert_eq!(ComparisonRule::new(ratio, tolerated, samples), None);
    }
}

fn any_series(value: impl Strategy<Value = f64> + Clone) -> impl Strategy<Value = Vec<Series>> {
    let samples = prop::collection::vec((80_i64..112, value), 0..8);
    prop::collection::vec(("[ab]", "[xyz]", samples), 0..4).prop_map(|all| {
        all.into_iter().map(|(source, key, samples)| series(&source, &key, &samples)).collect()
    })
}

fn any_arm(value: impl Strategy<Value = f64> + Clone) -> impl Strategy<Value = ArmWindow> {
    (any_series(value.clone()), any_series(value)).prop_map(|(bad, total)| ArmWindow { bad, total })
}

proptest! {
    #[test]
    fn any_windows_get_a_verdict(
        canary in any_arm(any::<f64>()),
        stable in prop::option::of(any_arm(any::<f64>())),
    ) {
        let found = compare("m", &rule(), &windows(canary, stable));
        prop_assert!(!found.message.is_empty());
    }

    #[test]
    fn the_order_of_series_does_not_matter(
        canary in any_arm(0.0_f64..1e4),
        stable in any_arm(0.0_f64..1e4),
    ) {
        // Two series with one key are not an answer a source gives.
        let mut given = windows(canary, Some(stable));
        let arms = [Some(&mut given.canary), given.stable.as_mut()];
        for counters in arms.into_iter().flatten().flat_map(|arm| [&mut arm.bad, &mut arm.total]) {
            for (n, series) in counters.iter_mut().enumerate() {
                series.key = format!("{}{n}", series.key);
            }
        }
        let before = compare("m", &rule(), &given);
        let arms = [Some(&mut given.canary), given.stable.as_mut()];
        for counters in arms.into_iter().flatten().flat_map(|arm| [&mut arm.bad, &mut arm.total]) {
            counters.reverse();
        }
        prop_assert_eq!(before, compare("m", &rule(), &given));
    }

    #[test]
    fn more_errors_never_turn_a_failure_into_a_pass(
        bad in 0_u32..300,
        more in 0_u32..300,
        total in 1_u32..400,
        stable_bad in 0_u32..50,
        stable_total in 0_u32..2000,
    ) {
        let judge = |bad: u32| {
            let canary = arm("c", f64::from(bad), f64::from(total));
            let stable = arm("s", f64::from(stable_bad), f64::from(stable_total));
            compare("m", &rule(), &windows(canary, Some(stable))).verdict
        };
        if judge(bad) == Verdict::Fail {
            prop_assert!(judge(bad + more) >= Verdict::Error);
        }
        if judge(bad + more) == Verdict::Pass {
            prop_assert_eq!(judge(bad), if bad + more > total { Verdict::Error } else { Verdict::Pass });
        }
    }
}
