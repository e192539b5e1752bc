use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use lockflight_analysis::{
    gate,
    judge::{ClusterStanding, Margins, MetricPlan, Rates},
};
use lockflight_planner::{MemberId, Revision};

use super::*;
use crate::{judgement::StepCount, metrics::Compared};

const BAR: f64 = 3.0;

fn plan(name: &str, weight: f64, promotes: bool) -> MetricPlan {
    MetricPlan { name: name.into(), weight, promotes, margins: Margins::default(), streams: 1 }
}

fn judge() -> Judge {
    Judge {
        metrics: vec![
            plan("golden/errors", 0.5, true),
            plan("golden/hints", 0.0, false),
            plan(SCRAPE_HEALTH, 0.05, false),
        ],
        clusters: vec!["a".into(), "b".into()],
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

fn counts(bad: u64, events: u64) -> ArmCounts {
    ArmCounts { bad, events }
}

/// The fleet has seen ten times what cluster `a` has.
fn own(name: &str, against_ln: f64, promotes: bool) -> MetricStanding {
    let rates = |times| Rates { canary: counts(times, 9 * times), stable: counts(0, 90 * times) };
    MetricStanding {
        name: name.into(),
        weight: 1.0,
        against_ln,
        in_favour_ln: 1.0,
        promotes,
        rates: rates(10),
        needed_events: 0,
        clusters: vec![ClusterStanding { name: "a".into(), against_ln: 0.0, rates: rates(1) }],
    }
}

fn standing() -> Standing {
    Standing {
        against_ln: 0.3,
        against_bar_ln: BAR,
        crossed: None,
        in_favour_ln: 1.0,
        in_favour_bar_ln: 2.9,
        metrics: vec![
            own("golden/errors", 0.4, true),
            own("golden/hints", 9.0, false),
            own(SCRAPE_HEALTH, -0.1, false),
        ],
        sentence: "golden/errors: all is well".to_owned(),
    }
}

fn verdict(metric: &str, message: &str) -> MetricVerdict {
    MetricVerdict {
        metric: metric.to_owned(),
        verdict: Verdict::Pass,
        observed: String::new(),
        limit: "result[0] < 9".to_owned(),
        samples: None,
        message: message.to_owned(),
    }
}

fn asked(key: &str, kind: AskedKind, query: Option<&str>) -> Asked {
    let informs = key == "golden/hints";
    Asked { key: key.into(), kind, informs, query: query.map(str::to_owned), bounds: vec![9.0] }
}

fn round(standing: Option<Standing>, value: AskedKind) -> metrics::Evidence {
    let sentence = "golden/errors: all is well";
    metrics::Evidence {
        gate: gate(vec![
            verdict("errors", sentence),
            verdict("hints", "hints: no data"),
            verdict("load", "it holds"),
        ]),
        compared: standing.map(|standing| Compared { standing, step: StepCount::default() }),
        fleet: false,
        undecided: false,
        opened_at: DateTime::UNIX_EPOCH,
        judged_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(9),
        next_round_in: Duration::from_secs(1),
        asked: vec![
            asked("golden/errors", AskedKind::Compared, Some("bad\nall")),
            asked("golden/hints", AskedKind::Compared, Some("x")),
            asked("golden/load", value, Some("load")),
        ],
    }
}

fn the_gate() -> Gate {
    Gate {
        member: MemberId("a".to_owned()),
        attempt: 4,
        step: 2,
        canary: Revision("new".to_owned()),
        stable: Some(Revision("old".to_owned())),
        opened_at: DateTime::UNIX_EPOCH,
    }
}

fn fed(rounds: &[metrics::Evidence]) -> (GateFeed, Arc<EvidenceFeed>) {
    let feed = Arc::<EvidenceFeed>::default();
    let gates = GateFeed::new(Arc::clone(&feed), Key::new("shop", "checkout"));
    for round in rounds {
        gates.take(&the_gate(), &judge(), round);
    }
    (gates, feed)
}

const MEASURED: AskedKind = AskedKind::Measured { is_new: true, value: Some(7.5) };

#[test]
fn every_metric_becomes_a_series_of_its_kind() {
    let (gates, feed) = fed(&[round(Some(standing()), MEASURED)]);
    let (page, _) = feed.page("shop", "checkout", "a", 0);
    let kinds: Vec<_> = page.series.iter().map(|one| (one.metric.as_str(), one.kind)).collect();
    assert_eq!(
        kinds,
        [
            (TOGETHER, SeriesKind::Together),
            ("golden/errors", SeriesKind::Comparison),
            ("golden/hints", SeriesKind::Comparison),
            (SCRAPE_HEALTH, SeriesKind::Comparison),
            ("golden/load", SeriesKind::Threshold),
        ]
    );
    let [together, errors, hints, health, load] = &page.series[..] else { panic!("{page:?}") };
    assert_eq!((together.abort_evidence[0], together.abort_bar[0]), (Some(0.3), Some(BAR)));
    assert_eq!(together.message, "golden/errors: all is well");
    // What this cluster has seen, beside the evidence of all.
    assert_eq!((errors.canary_bad[0], errors.canary_total[0]), (1.0, 9.0));
    assert_eq!((errors.stable_bad[0], errors.stable_total[0]), (0.0, 90.0));
    assert_eq!((errors.attempt, errors.step[0], errors.at_ms[0]), (4, 2, 9_000));
    // With half the weight it has to show twice as much to decide alone.
    assert_eq!((errors.abort_evidence[0], errors.abort_bar[0]), (Some(0.4), Some(3.693)));
    assert_eq!((errors.promote_evidence[0], errors.promote_bar[0]), (Some(1.0), Some(2.9)));
    assert_eq!((errors.query.as_deref(), errors.message.as_str()), (Some("bad\nall"), ""));
    assert!(hints.informs && !errors.informs);
    assert_eq!((hints.abort_bar[0], hints.promote_bar[0]), (None, None));
    assert_eq!(hints.message, "hints: no data");
    assert!(health.abort_bar[0].is_some() && health.promote_bar[0].is_none());
    assert_eq!((load.value[0], load.bounds[0]), (Some(7.5), 9.0));
    assert_eq!((load.limit.as_str(), load.message.as_str()), ("result[0] < 9", "it holds"));
    gates.forget();
    assert!(feed.page("shop", "checkout", "a", 0).0.series.is_empty());
}

#[test]
fn what_nothing_speaks_against_watches_until_enough_speaks_for_it() {
    use VerdictState::{Pass, Watch};
    for (in_favour_ln, expect) in [(2.8, Watch), (2.9, Pass)] {
        let mut standing = Standing { in_favour_ln, ..standing() };
        standing.metrics[0].in_favour_ln = in_favour_ln;
        let (_, feed) = fed(&[round(Some(standing), MEASURED)]);
        let (page, _) = feed.page("shop", "checkout", "a", 0);
        let verdicts: Vec<_> = page.series.iter().map(|one| one.verdict).collect();
        // Together, the errors, and then what promotes nothing.
        assert_eq!(verdicts, [expect, expect, Pass, Pass, Pass], "{in_favour_ln}");
    }
}

#[test]
fn what_was_not_asked_is_no_point() {
    let idle = AskedKind::Measured { is_new: false, value: None };
    let broken = AskedKind::Measured { is_new: true, value: None };
    for (kind, points) in [(idle, vec![]), (broken, vec![None]), (MEASURED, vec![Some(7.5)])] {
        let (_, feed) = fed(&[round(None, kind)]);
        let (page, _) = feed.page("shop", "checkout", "a", 0);
        // Without a standing there is nothing to compare, but the verdicts are told.
        let lengths: Vec<usize> = page.series.iter().map(|one| one.at_ms.len()).collect();
        assert_eq!(lengths, [0, 0, points.len()], "{kind:?}");
        assert_eq!(page.series[2].value, points, "{kind:?}");
    }
}

#[test]
fn a_release_that_nothing_promotes_has_no_bar_for_it() {
    let endless = Standing { in_favour_ln: f64::INFINITY, ..standing() };
    let (_, feed) = fed(&[round(Some(endless), MEASURED)]);
    let (page, _) = feed.page("shop", "checkout", "a", 0);
    assert_eq!(page.series[0].promote_bar, [None]);
    assert!(page.series[0].abort_bar[0].is_some());
}
