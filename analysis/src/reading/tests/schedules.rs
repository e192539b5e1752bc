//! Schedules of random faults over a history whose truth is known.

use std::collections::BTreeMap;

use super::{Cursor, GONE, RawSeries, at, counter, look};
use crate::judge::{Arm, Counts};

/// Random faults over a history whose truth is known: nothing is counted that did not happen, no
/// event twice, none in the other arm.
#[test]
fn ten_thousand_schedules_of_faults_count_nothing_that_did_not_happen() {
    let mut judged = 0;
    for seed in 0..10_000 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut truth: BTreeMap<(&str, i64), (u64, u64)> = BTreeMap::new();
        let mut total: Vec<RawSeries> = Vec::new();
        let mut bad: Vec<RawSeries> = Vec::new();
        for (pod, first) in [("c", 7.0), ("s", 11.0)] {
            // The canary's process is as old as its pod; stable's has counted before.
            let before = if pod == "c" { 0 } else { dice.u32(0..500) };
            let (mut sum, mut failed) = (before, 0);
            let (mut all, mut errors) = (Vec::new(), Vec::new());
            for n in 0..14_i64 {
                if dice.u8(..) < 6 {
                    (sum, failed) = (0, 0);
                }
                let events = dice.u32(0..60);
                let broken = dice.u32(0..=events / 4);
                (sum, failed) = (sum + events, failed + broken);
                truth.insert((pod, n), (u64::from(events), u64::from(broken)));
                let gone = dice.u8(..) < 12;
                let value = |v: u32| if gone { GONE } else { f64::from(v) };
                all.push(if dice.u8(..) < 4 { f64::NAN } else { value(sum) });
                errors.push(value(failed));
            }
            total.push(counter(pod, first, &all));
            if dice.bool() {
                bad.push(counter(pod, first, &errors));
            } else {
                for n in 0..14 {
                    if let Some(truth) = truth.get_mut(&(pod, n)) {
                        truth.1 = 0;
                    }
                }
            }
        }
        let mut cursor = Cursor::default();
        let mut counted: BTreeMap<Arm, (u64, u64)> = BTreeMap::new();
        let mut ends = Vec::new();
        for until in [60.0, 120.0, 121.0, 170.0, 230.0] {
            let cut = |series: &[RawSeries]| -> Vec<RawSeries> {
                let known = |s: &RawSeries| RawSeries {
                    floats: s
                        .floats
                        .iter()
                        .filter(|sample| sample.at <= at(until))
                        .copied()
                        .collect(),
                    ..s.clone()
                };
                series.iter().map(known).collect()
            };
            let read = look(&cursor, until, cut(&bad), cut(&total));
            for window in &read.windows {
                ends.push(window.window.ends_at);
                let Counts::Cells(cells) = &window.window.counts else { continue };
                for cell in cells {
                    let own = if &*cell.pod == "c" { Arm::Canary } else { Arm::Stable };
                    assert_eq!(cell.arm, own, "seed {seed}");
                    let sum = counted.entry(cell.arm).or_default();
                    *sum = (sum.0 + cell.events, sum.1 + cell.bad);
                }
            }
            cursor = read.cursor;
        }
        let mut once = ends.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ends.len(), "seed {seed}: a window twice");
        for (arm, (events, broken)) in counted {
            let pod = if arm == Arm::Canary { "c" } else { "s" };
            let of = truth.iter().filter(|((name, _), _)| *name == pod);
            let (all, failed) = of.fold((0, 0), |sum, (_, t)| (sum.0 + t.0, sum.1 + t.1));
            assert!(
                events <= all && broken <= failed,
                "seed {seed}: {arm:?} {events}/{all} {broken}/{failed}"
            );
            judged += events;
        }
    }
    assert!(judged > 1_000_000, "only {judged} events were counted: the faults hid all");
}
