use super::*;

fn key(cluster: &str) -> SeriesKey {
    SeriesKey {
        namespace: "shop".to_owned(),
        rollout: "checkout".to_owned(),
        cluster: cluster.to_owned(),
        metric: "errors".to_owned(),
    }
}

fn compared(total: u32) -> EvidencePoint {
    let abort = Some(AgainstBar { ln_e: f64::NEG_INFINITY, bar: 3.0 });
    EvidencePoint {
        at: DateTime::UNIX_EPOCH,
        step: 1,
        verdict: VerdictState::Pass,
        seen: Seen::Compared {
            canary: Arm { bad: 0.0, total: f64::from(total) },
            stable: Arm::default(),
            balance: Balance { abort, promote: None },
        },
    }
}

fn measured(seconds: i64, value: f64) -> EvidencePoint {
    EvidencePoint {
        at: DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds),
        step: 2,
        verdict: VerdictState::Pass,
        seen: Seen::Measured(Some(value)),
    }
}

fn facts(attempt: i64) -> SeriesFacts {
    SeriesFacts { attempt, ..SeriesFacts::default() }
}

fn threshold() -> SeriesFacts {
    SeriesFacts { kind: SeriesKind::Threshold, ..facts(1) }
}

fn series(feed: &EvidenceFeed, since: u64) -> Vec<SeriesView> {
    feed.page("shop", "checkout", "a", since).0.series
}

fn totals(feed: &EvidenceFeed, since: u64) -> Vec<f64> {
    series(feed, since).first().map(|series| series.canary_total.clone()).unwrap_or_default()
}

#[test]
fn a_ring_keeps_the_newest_and_counts_what_it_drops() {
    let feed = EvidenceFeed::default();
    for total in 0..u32::try_from(POINTS_MAX).unwrap() + 3 {
        feed.push(key("a"), facts(1), Some(compared(total)));
    }
    let (page, newest) = feed.page("shop", "checkout", "a", 0);
    assert_eq!((page.series[0].at_ms.len(), page.series[0].dropped), (POINTS_MAX, 3));
    assert_eq!(totals(&feed, 0).first(), Some(&3.0));
    assert_eq!(totals(&feed, newest - 1).len(), 1);
    assert!(totals(&feed, newest).is_empty());
    let evidence = &page.series[0].abort_evidence;
    assert!(evidence.iter().all(|value| value.is_some_and(f64::is_finite)));
    assert_eq!(page.series[0].promote_bar, vec![None; POINTS_MAX]);
    let state = feed.state.read().unwrap();
    assert_eq!(state.series[&key("a")].points.capacity(), POINTS_MAX, "no room is wasted");
}

#[test]
fn a_new_attempt_starts_with_an_empty_ring() {
    let feed = EvidenceFeed::default();
    feed.push(key("a"), facts(1), Some(compared(7)));
    feed.push(key("a"), facts(2), Some(compared(9)));
    assert_eq!(totals(&feed, 0), [9.0]);
}

#[test]
fn at_the_limit_the_idlest_series_goes() {
    let feed = EvidenceFeed::default();
    for number in 0..=SERIES_MAX {
        feed.push(key(&format!("c{number:05}")), facts(1), Some(compared(1)));
    }
    let (page, _) = feed.page("shop", "checkout", "c00001", 0);
    assert_eq!(page.clusters.len(), SERIES_MAX);
    assert!(!page.clusters.contains(&"c00000".to_owned()));
    feed.forget("shop", "other");
    assert_eq!(feed.page("shop", "checkout", "a", 0).0.clusters.len(), SERIES_MAX);
    feed.forget("shop", "checkout");
    assert!(feed.page("shop", "checkout", "a", 0).0.clusters.is_empty());
}

#[test]
fn what_was_said_a_moment_ago_is_no_point() {
    let feed = EvidenceFeed::default();
    for (seconds, value) in [(0, 1.0), (1, 1.0), (14, 1.0), (15, 1.0), (16, 2.0), (17, 2.0)] {
        feed.push(key("a"), threshold(), Some(measured(seconds, value)));
    }
    let found = &series(&feed, 0)[0];
    assert_eq!(found.at_ms, [0, 15_000, 16_000]);
    assert_eq!(found.value, [Some(1.0), Some(1.0), Some(2.0)]);
    // Columns of other kinds are empty.
    assert!(found.canary_total.is_empty() && found.abort_bar.is_empty());
}

#[test]
fn a_verdict_that_changes_is_news_without_a_point() {
    let feed = EvidenceFeed::default();
    let asked = SeriesFacts { query: Some("up".to_owned()), ..threshold() };
    feed.push(key("a"), asked, None);
    assert_eq!(series(&feed, 0).len(), 1);
    let seen = feed.newest();
    feed.push(key("a"), threshold(), None);
    assert!(series(&feed, seen).is_empty());
    let broken = SeriesFacts { verdict: VerdictState::Error, ..threshold() };
    feed.push(key("a"), broken, None);
    let news = series(&feed, seen);
    assert_eq!(news[0].verdict, VerdictState::Error);
    assert_eq!(news[0].query.as_deref(), Some("up"), "the last question is kept");
}

#[test]
fn texts_are_bounded() {
    let feed = EvidenceFeed::default();
    let long = SeriesFacts { message: "ä".repeat(TEXT_BYTES_MAX), ..facts(1) };
    feed.push(key("a"), long, None);
    assert_eq!(series(&feed, 0)[0].message.len(), TEXT_BYTES_MAX);
}

fn at_step(seconds: i64, step: u32, canary: f64, stable: (f64, f64)) -> EvidencePoint {
    let (bad, total) = stable;
    let seen = Seen::Compared {
        canary: Arm { bad: 0.0, total: canary },
        stable: Arm { bad, total },
        balance: Balance::default(),
    };
    let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
    EvidencePoint { at, step, verdict: VerdictState::Pass, seen }
}

#[test]
fn traffic_is_counted_where_a_gate_was_open() {
    let feed = EvidenceFeed::default();
    let traffic = || feed.traffic("shop", "checkout", 1, "errors");
    // 10 requests a second for 90 s, then a pause without a gate, then another step.
    for point in [
        at_step(0, 1, 0.0, (0.0, 0.0)),
        at_step(45, 1, 45.0, (4.0, 405.0)),
        at_step(90, 1, 90.0, (8.0, 810.0)),
        at_step(900, 1, 91.0, (8.0, 812.0)),
        at_step(910, 2, 91.0, (8.0, 812.0)),
    ] {
        let before = traffic();
        feed.push(key("a"), facts(1), Some(point));
        assert_eq!(before.is_some(), point.at.timestamp() > 90, "{}", point.at);
    }
    let seen = traffic().unwrap();
    assert_eq!((seen.cluster.as_str(), seen.requests_per_second), ("a", 10.0));
    assert!((seen.bad_share - 8.0 / 810.0).abs() < 1e-12, "{seen:?}");
    // Of two clusters it is that of the one with fewer bad requests.
    feed.push(key("b"), facts(1), Some(at_step(0, 1, 0.0, (0.0, 0.0))));
    feed.push(key("b"), facts(1), Some(at_step(60, 1, 60.0, (0.0, 6_000.0))));
    feed.push(key("b"), facts(1), Some(at_step(120, 1, 120.0, (1.0, 12_000.0))));
    assert_eq!(traffic().unwrap().cluster, "b");
    assert_eq!(feed.traffic("shop", "checkout", 2, "errors"), None);
    assert_eq!(feed.traffic("shop", "checkout", 1, "latency"), None);
}

#[test]
fn thresholds_are_the_newest_of_the_attempt() {
    let feed = EvidenceFeed::default();
    feed.push(key("a"), threshold(), Some(measured(0, 0.5)));
    feed.push(key("a"), threshold(), Some(measured(20, 0.7)));
    feed.push(key("b"), facts(1), Some(compared(3)));
    let seen = feed.thresholds("shop", "checkout", 1);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].cluster.as_str(), seen[0].value), ("a", Some(0.7)));
    assert!(feed.thresholds("shop", "checkout", 2).is_empty());
    assert!(feed.thresholds("shop", "other", 1).is_empty());
}

fn standing_of(ln: f64) -> Standing {
    Standing {
        against_ln: ln,
        against_bar_ln: 3.0,
        crossed: None,
        in_favour_ln: 0.0,
        in_favour_bar_ln: 3.0,
        metrics: Vec::new(),
        sentence: String::new(),
    }
}

#[test]
fn the_newest_standing_is_kept_of_so_many_rollouts() {
    let feed = EvidenceFeed::default();
    let key = |name: &str| Key::new("shop", name);
    let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
    let ln = |name: &str, attempt| Some(feed.standing(&key(name), attempt)?.against.ln_e);
    feed.stand(&key("a"), 1, at(5), &standing_of(0.5));
    // Rounds of several gates come in any order.
    feed.stand(&key("a"), 1, at(4), &standing_of(0.4));
    assert_eq!((ln("a", 1), ln("a", 2)), (Some(0.5), None));
    feed.stand(&key("a"), 2, at(3), &standing_of(0.3));
    assert_eq!((ln("a", 1), ln("a", 2)), (None, Some(0.3)));
    for number in 0..STANDINGS_MAX {
        let after = i64::try_from(number).unwrap() + 10;
        feed.stand(&key(&format!("r{number}")), 1, at(after), &standing_of(0.1));
    }
    assert_eq!((feed.standings.len(), ln("a", 2)), (STANDINGS_MAX, None));
    feed.forget("shop", "r7");
    assert_eq!((ln("r7", 1), ln("r8", 1)), (None, Some(0.1)));
}
