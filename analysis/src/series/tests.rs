use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Birth, NoDataReason, Sample, Series, events_since, newest_sample, scrape_interval};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn series(samples: &[(i64, f64)]) -> Series {
    Series {
        source: "pod-a".to_owned(),
        key: "requests".to_owned(),
        samples: samples.iter().map(|(t, value)| Sample { at: at(*t), value: *value }).collect(),
    }
}

#[test]
fn events_are_the_deltas_after_the_opening() {
    type Case = (&'static str, &'static [(i64, f64)], Birth, f64);
    use Birth::{FromZero, Unknown};
    // Evidence opened at second 10.
    let cases: [Case; 12] = [
        ("nothing", &[], FromZero, 0.0),
        ("only before", &[(1, 5.0), (9, 8.0)], FromZero, 0.0),
        ("a sample at the opening is the base", &[(10, 5.0), (11, 8.0)], FromZero, 3.0),
        ("the delta across the opening counts", &[(8, 5.0), (12, 8.0)], Unknown, 3.0),
        ("the base is the last before", &[(1, 1.0), (9, 5.0), (12, 8.0)], Unknown, 3.0),
        ("birth from zero", &[(11, 4.0), (12, 6.0)], FromZero, 6.0),
        ("birth unknown", &[(11, 4.0), (12, 6.0)], Unknown, 2.0),
        ("reset", &[(9, 100.0), (11, 103.0), (12, 2.0), (13, 3.0)], Unknown, 6.0),
        ("reset across the opening", &[(9, 100.0), (11, 7.0)], Unknown, 7.0),
        ("any order", &[(12, 8.0), (9, 5.0), (11, 7.0)], Unknown, 3.0),
        ("same sample twice", &[(9, 5.0), (11, 7.0), (11, 7.0), (12, 8.0)], Unknown, 3.0),
        ("of one timestamp the last", &[(9, 5.0), (11, 0.0), (11, 7.0)], Unknown, 2.0),
    ];
    for (case, samples, birth, expect) in cases {
        assert_eq!(events_since(&series(samples), at(10), birth), Ok(expect), "{case}");
    }
}

#[test]
fn what_is_no_count_is_no_data() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let result = events_since(&series(&[(9, 1.0), (11, value)]), at(10), Birth::FromZero);
        assert!(matches!(result, Err(NoDataReason::NotANumber { .. })), "{value}: {result:?}");
    }
    let negative = events_since(&series(&[(9, -1.0)]), at(10), Birth::FromZero);
    assert!(matches!(negative, Err(NoDataReason::Negative { .. })));
}

#[test]
fn the_interval_is_the_median_gap() {
    let regular = series(&[(0, 1.0), (5, 1.0), (10, 1.0), (15, 1.0)]);
    let one_missed = series(&[(3, 1.0), (8, 1.0), (18, 1.0)]);
    assert_eq!(scrape_interval([&regular, &one_missed]), Some(TimeDelta::seconds(5)));
    assert_eq!(scrape_interval([&series(&[(3, 1.0), (3, 2.0)])]), None);
    assert_eq!(scrape_interval([]), None);
    assert_eq!(newest_sample([&regular, &one_missed]), Some(at(18)));
}

proptest! {
    #[test]
    fn any_float_is_judged(samples in prop::collection::vec((0_i64..50, any::<f64>()), 0..20)) {
        for birth in [Birth::FromZero, Birth::Unknown] {
            if let Ok(events) = events_since(&series(&samples), at(25), birth) {
                prop_assert!(events >= 0.0);
            }
        }
    }

    #[test]
    fn resets_never_give_negative_events(
        samples in prop::collection::vec((0_i64..50, 0.0_f64..1e9), 0..20),
    ) {
        let events = events_since(&series(&samples), at(25), Birth::FromZero)?;
        prop_assert!(events >= 0.0 && events.is_finite());
        prop_assert!(events >= events_since(&series(&samples), at(25), Birth::Unknown)?);
    }
}
