use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use lockflight_analysis::judge::{
    Arm, Cell, Counts, Judge, Margins, MetricPlan, Observation, Window,
};

use super::{Counted, Judgement, Memory, Trial};

fn judge(clusters: usize) -> Judge {
    Judge {
        metrics: vec![MetricPlan {
            name: "web/errors".into(),
            weight: 1.0,
            promotes: true,
            margins: Margins::default(),
            streams: 1,
        }],
        clusters: (0..clusters).map(|number| format!("prod-{number:03}").into()).collect(),
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

fn trial(revision: &str, attempt: i64) -> Trial {
    Trial { revision: revision.to_owned(), attempt }
}

/// A window of two canary and four stable pods with so many bad events of 200 each.
fn window(number: i64, canary: u64, stable: u64) -> Observation {
    let cell = |arm, pod: usize, bad| Cell { arm, pod: format!("p{pod}").into(), bad, events: 200 };
    let cells = (0..2).map(|pod| cell(Arm::Canary, pod, canary));
    let cells = cells.chain((2..6).map(|pod| cell(Arm::Stable, pod, stable)));
    Observation {
        metric: "web/errors".into(),
        stream: 0,
        cluster: "prod-000".into(),
        window: Window {
            ends_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(15 * (number + 100)),
            length: TimeDelta::seconds(15),
            counts: Counts::Cells(cells.collect()),
        },
    }
}

/// A hub that starts again, or one that goes on with what it knows.
fn known(judgement: &Judgement, restarts: bool) -> Memory {
    if restarts { Memory::from(&judgement.status().status) } else { judgement.memory() }
}

#[test]
fn row_07_another_revision_is_another_test() {
    for restarts in [false, true] {
        let first = Judgement::open(trial("aaa", 1), judge(2), None);
        let fresh = first.take(Vec::new());
        for number in 0..40 {
            let _ = first.take(vec![window(number, 0, number.unsigned_abs() % 2 * 4)]);
        }
        let shown = first.take(Vec::new());
        assert!(shown.in_favour_ln > 0.3, "{}", shown.in_favour_ln);
        first.keep_level("web/memory@1", "prod-000", 5.0);
        let counted = Counted { state: vec![1, 2], against: Some(vec![3]) };
        first.keep_counted("prod-000", counted);

        // A retry: what speaks for it is carried on, and what is asked for against it is five
        // times as much, so that all attempts together keep to the chance of a false abort.
        let mut last = (known(&first, restarts), shown.against_bar_ln);
        for attempt in 2..5 {
            let (memory, bar) = last;
            let retry = Judgement::open(trial("aaa", attempt), judge(2), Some(memory));
            let standing = retry.take(Vec::new());
            assert!((standing.in_favour_ln - shown.in_favour_ln).abs() < 1e-9, "{attempt}");
            assert!(standing.against_ln.abs() < 1e-9, "{attempt}: {}", standing.against_ln);
            let more = standing.against_bar_ln - bar;
            assert!((more - 5.0_f64.ln()).abs() < 1e-9, "{attempt}: {more}");
            assert_eq!(retry.level("web/memory@1", "prod-000"), None);
            assert_eq!(retry.counted("prod-000"), None);
            last = (known(&retry, restarts), standing.against_bar_ln);
        }

        // Another revision: nothing is carried over, and the whole chance is there again, though
        // four attempts were made of the one before.
        let (memory, _) = last;
        let other = Judgement::open(trial("bbb", 5), judge(2), Some(memory));
        assert_eq!(other.take(Vec::new()), fresh);
        assert_eq!(other.status().status.attempts, 1);
        // And back to the first: what was known of it is gone with its status.
        let back = Judgement::open(trial("aaa", 6), judge(2), Some(known(&other, restarts)));
        assert_eq!(back.take(Vec::new()), fresh);
    }
}

#[test]
fn the_same_attempt_goes_on() {
    let first = Judgement::open(trial("aaa", 1), judge(2), None);
    for number in 0..20 {
        let _ = first.take(vec![window(number, 3, 2)]);
    }
    first.keep_level("web/memory@1", "prod-000", 5.0);
    first.keep_counted("prod-000", Counted { state: vec![1, 2], against: Some(vec![3]) });
    assert_eq!(first.changes(), 1);
    let again = Judgement::open(trial("aaa", 1), judge(2), Some(known(&first, true)));
    let (one, other) = (first.take(Vec::new()), again.take(Vec::new()));
    assert!((one.against_ln - other.against_ln).abs() < 0.02);
    assert!((one.in_favour_ln - other.in_favour_ln).abs() < 1e-9);
    assert_eq!(again.level("web/memory@1", "prod-000"), Some(5.0));
    assert_eq!(again.counted("prod-000"), Some(vec![1, 2]));
    // What it took over is in the status already; what is finished is counted no more.
    again.keep_counted("prod-000", Counted { state: vec![1, 2], against: Some(vec![3]) });
    assert_eq!(again.changes(), 0);
    again.keep_counted("prod-000", Counted { state: vec![1, 3], against: Some(vec![4]) });
    assert_eq!(again.changes(), 1);
    again.finish("prod-000");
    again.keep_counted("prod-000", Counted { state: vec![1, 3], against: Some(vec![5]) });
    assert_eq!((again.changes(), again.counted("prod-000")), (1, None));
}

#[test]
fn what_has_no_room_is_named() {
    let clusters = 500;
    let judgement = Judgement::open(trial("aaa", 1), judge(clusters), None);
    let fill = |levels: usize, bytes: usize| {
        for cluster in judgement.judge().clusters.clone() {
            for number in 0..levels {
                judgement.keep_level(&format!("web/m{number}@1"), &cluster, 123_456_789.012_345_6);
            }
            let counted = Counted { state: vec![0; bytes], against: Some(vec![1]) };
            judgement.keep_counted(&cluster, counted);
        }
    };
    // As many levels of gauges as a plan of ten metrics has, and counters of six thresholds.
    fill(10, 220);
    let saved = judgement.status();
    assert_eq!((saved.left_out, saved.status.levels.len()), (vec![], 10));
    fill(14, 400);
    let saved = judgement.status();
    let named: BTreeMap<_, _> = saved.left_out.iter().map(|left| (left.what, left.max)).collect();
    let expect =
        [("the counters of the thresholds", 200_000), ("the levels of the gauges", 200_000)];
    assert_eq!(named, expect.into());
    assert!(saved.status.levels.is_empty() && saved.status.counters.is_empty());
    // What is finished makes room.
    for number in 0..200 {
        judgement.finish(&format!("prod-{number:03}"));
    }
    let saved = judgement.status();
    assert_eq!(saved.left_out, vec![], "{:?}", saved.left_out);
    assert_eq!(saved.status.counters.len(), 300);
}
