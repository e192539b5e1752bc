use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::recording::WindowLine;
use super::*;
use crate::judge::{Arm, Cell, Counts, Evidence, Judge, Margins, MetricPlan, Observation, Window};

fn judge() -> Judge {
    Judge {
        metrics: vec![MetricPlan {
            name: "web/errors".into(),
            weight: 1.0,
            promotes: true,
            margins: Margins::default(),
            streams: 1,
        }],
        clusters: vec!["eu".into(), "us".into()],
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + seconds)
}

/// Windows of 15 s of four pods with 200 requests each; the first `canaries` of them are the
/// canary and fail this share, the others 1 %.
fn windows(count: i64, canaries: usize, share: f64, seed: u64) -> Vec<Observation> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bad = |share: f64| (0..200).filter(|_| random.f64() < share).count() as u64;
    let mut found = Vec::new();
    for number in 1..=count {
        for cluster in ["eu", "us"] {
            let cells = (0..4).map(|pod| {
                let is_canary = pod < canaries;
                Cell {
                    arm: if is_canary { Arm::Canary } else { Arm::Stable },
                    pod: format!("{cluster}-{pod}").into(),
                    bad: bad(if is_canary { share } else { 0.01 }),
                    events: 200,
                }
            });
            found.push(Observation {
                metric: "web/errors".into(),
                stream: 0,
                cluster: cluster.into(),
                window: Window {
                    ends_at: at(number * 15),
                    length: TimeDelta::seconds(15),
                    counts: Counts::Cells(cells.collect()),
                },
            });
        }
    }
    found
}

fn replayed(observations: &[Observation]) -> Replay {
    let mut replay = Replay::begin(&Head::of(&judge(), 1, &BTreeMap::new())).unwrap();
    for pair in observations.chunks(2).enumerate() {
        for one in pair.1 {
            replay.take(Line::Window(WindowLine::of(pair.0 as u64, one))).unwrap();
        }
    }
    replay
}

#[test]
fn a_replay_ends_where_the_judge_ended() {
    for (share, crosses) in [(0.01, false), (0.10, true)] {
        let observations = windows(40, 1, share, 7);
        let (mut evidence, judge) = (Evidence::default(), judge());
        let mut crossed = None;
        for round in observations.chunks(2) {
            judge.observe(&mut evidence, &BTreeMap::new(), round.to_vec());
            if judge.standing(&evidence).crossed.is_some() {
                crossed = Some(round[0].window.ends_at);
                break;
            }
        }
        let mut replay = replayed(&observations);
        assert_eq!(replay.standing(), judge.standing(&evidence));
        assert_eq!(replay.crossing().map(|crossing| crossing.at), crossed);
        assert_eq!(crossed.is_some(), crosses, "{share}");
    }
}

#[test]
fn what_cannot_be_a_recording_is_refused_by_field() {
    let head = Head::of(&judge(), 1, &BTreeMap::new());
    let cases: [(&str, Head); 6] = [
        ("format", Head { format: "x".to_owned(), ..head.clone() }),
        ("version", Head { version: 2, ..head.clone() }),
        ("attempt", Head { attempt: 0, ..head.clone() }),
        ("falseAbort", Head { false_abort: f64::NAN, ..head.clone() }),
        ("episodeSeconds", Head { episode_seconds: f64::INFINITY, ..head.clone() }),
        ("clusters", Head { clusters: Vec::new(), ..head.clone() }),
    ];
    for (field, head) in cases {
        let error = Replay::begin(&head).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
    let line = WindowLine::of(3, &windows(1, 1, 0.0, 1)[0]);
    let mut replay = Replay::begin(&head).unwrap();
    replay.take(Line::Window(line.clone())).unwrap();
    let back = WindowLine { round: 2, ..line.clone() };
    let none = WindowLine { cells: None, ..line.clone() };
    let endless = WindowLine { seconds: 1e300, ..line };
    for (line, word) in [(back, "round 3"), (none, "either cells"), (endless, "seconds")] {
        let error = replay.take(Line::Window(line)).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn a_verdict_is_one_sentence() {
    let bad = explain(&replayed(&windows(40, 1, 0.10, 7)).standing());
    assert!(bad.starts_with("Taken back everywhere: web/errors is bad in"), "{bad}");
    assert!(bad.contains("once in 25 rollouts"), "{bad}");
    let fresh = explain(&replayed(&[]).standing());
    assert!(fresh.starts_with("Nothing known yet"), "{fresh}");
    let good = explain(&replayed(&windows(40, 1, 0.01, 7)).standing());
    assert!(good.starts_with("No harm seen") || good.starts_with("Good enough"), "{good}");
    for sentence in [bad, fresh, good] {
        assert_eq!(sentence.matches(". ").count(), 0, "{sentence}");
    }
}

#[test]
fn stable_against_itself_is_seldom_taken_back_and_tenfold_is_seen() {
    let (judge, history) = (judge(), windows(400, 0, 0.0, 11));
    let fleet = Fleet { judge: &judge, history: &history };
    let stages = [0.25, 0.5].map(|share| Stage { share, length: TimeDelta::minutes(5) });
    let trials = Trials { stages: &stages, trials: 60, seed: 5 };
    let found = stable_against_stable(fleet, trials).unwrap();
    assert_eq!(found, stable_against_stable(fleet, trials).unwrap());
    assert_eq!(found.aborted, 0);
    // A fair bet reaches 4 in a quarter of all rollouts at most.
    assert!(found.above_four <= 15, "{found:?}");
    assert!(found.aborts.high < 0.5 && found.independent >= 10.0, "{found:?}");
    let ten = detect(fleet, trials, 10.0).unwrap();
    let two = detect(fleet, trials, 2.0).unwrap();
    assert_eq!(ten.found, 60);
    assert!(ten.median.unwrap() <= TimeDelta::minutes(2), "{ten:?}");
    assert!(two.found < ten.found || two.median > ten.median, "{two:?}");
}

#[test]
fn a_forecast_is_near_what_the_judge_does() {
    let (judge, history) = (judge(), windows(480, 0, 0.0, 12));
    let stages = [Stage { share: 0.5, length: TimeDelta::minutes(20) }];
    let trials = Trials { stages: &stages, trials: 40, seed: 6 };
    let fleet = Fleet { judge: &judge, history: &history };
    let row = &traffic(&history)[0];
    assert!((row.events_per_second - 800.0 / 15.0).abs() < 0.01, "{row:?}");
    assert!((row.bad_share - 0.01).abs() < 0.001 && row.pods == 4, "{row:?}");
    let load = Load {
        requests_per_second: row.events_per_second,
        bad_share: row.bad_share,
        batch_mean: row.batch_mean,
        pod_sd: row.pod_sd,
    };
    let forecast = Forecast { judge: &judge, metric: &judge.metrics[0], load };
    let step = Step { canary_share: 0.5, pods: (2, 2), clusters: 2 };
    let mut said = Vec::new();
    for factor in [3.0, 10.0] {
        // The trials see a window when it ends.
        let told = forecast.to_detect(step, factor).unwrap() - forecast.behind();
        let told = told.num_seconds();
        let found = detect(fleet, trials, factor).unwrap().median.unwrap().num_seconds();
        said.push((factor, told, found));
    }
    assert!(
        said.iter().all(|(_, told, found)| told <= &(found * 5 / 2) && found <= &(told * 5 / 2)),
        "{said:?}"
    );
    assert_eq!(forecast.to_detect(step, 1.2), None);
    assert!(forecast.to_prove(step).is_some());
}

#[test]
fn no_trial_without_history_pods_or_steps() {
    let judge = judge();
    let stages = [Stage { share: 0.5, length: TimeDelta::minutes(5) }];
    let history = windows(4, 0, 0.0, 1);
    let alone = windows(40, 3, 0.0, 1);
    for (history, stages, word) in [
        (&history, &stages[..], "--since"),
        (&alone, &stages[..], "two stable pods"),
        (&history, &[][..], "no step"),
    ] {
        let trials = Trials { stages, trials: 5, seed: 1 };
        let error = stable_against_stable(Fleet { judge: &judge, history }, trials).unwrap_err();
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn an_interval_holds_its_share_and_widens_with_less() {
    let wide = Interval::of(3, 100, 10.0);
    let narrow = Interval::of(3, 100, 100.0);
    assert!(wide.high > narrow.high && narrow.low <= 0.03 && 0.03 <= narrow.high);
    assert_eq!(Interval::of(0, 0, 0.0), Interval { share: 0.0, low: 0.0, high: 1.0 });
}
