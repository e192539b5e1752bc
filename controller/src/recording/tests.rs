use std::{fs, path::Path};

use chrono::{DateTime, TimeDelta};
use lockflight_analysis::{
    judge::{
        Arm, Calibration, Cell, Counts, Evidence, Judge, Margins, MetricPlan, Observation,
        Standing, Window,
    },
    trust::Replay,
};
use tempfile::tempdir;

use super::Recorder;
use crate::{
    judgement::{Judgement, Memory, Trial},
    shelf::Key,
};

fn judge() -> Judge {
    let plan = |name: &str, weight| MetricPlan {
        name: name.into(),
        weight,
        promotes: true,
        margins: Margins::default(),
        streams: 1,
    };
    Judge {
        metrics: vec![plan("web/errors", 2.0 / 3.0), plan("web/slow", 1.0 / 3.0)],
        clusters: vec!["eu".into(), "us".into()],
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

/// A round of one cluster; the canary fails this many times 1 %.
fn round(number: i64, cluster: &str, worse: f64, random: &mut fastrand::Rng) -> Vec<Observation> {
    let mut windows = Vec::new();
    for metric in ["web/errors", "web/slow"] {
        let cells = (0..4).map(|pod| {
            let arm = if pod == 0 { Arm::Canary } else { Arm::Stable };
            let share = if pod == 0 { 0.01 * worse } else { 0.01 };
            let bad = (0..200).filter(|_| random.f64() < share).count() as u64;
            Cell { arm, pod: format!("{cluster}-{pod}").into(), bad, events: 200 }
        });
        windows.push(Observation {
            metric: metric.into(),
            stream: 0,
            cluster: cluster.into(),
            window: Window {
                ends_at: DateTime::UNIX_EPOCH
                    + TimeDelta::milliseconds(1_800_000_000_123 + number * 15_000),
                length: TimeDelta::seconds(15),
                counts: Counts::Cells(cells.collect()),
            },
        });
    }
    windows
}

/// An attempt of 40 rounds in two clusters, with what is learned and finished on the way.
fn attempt(judgement: &Judgement, worse: f64, seed: u64, between: impl Fn(i64)) -> Standing {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut standing = judgement.take(Vec::new());
    for number in 0..40 {
        for cluster in ["eu", "us"] {
            if number == if cluster == "eu" { 0 } else { 3 } {
                let found = Calibration {
                    pod_sd: 0.1 + random.f64() / 3.0,
                    batch_mean: 1.0 + random.f64(),
                    batch_mean_upper: 2.0 + random.f64(),
                };
                judgement.calibrate(&"web/errors".into(), &cluster.into(), found);
            }
            if (number < 30 || cluster == "us") && standing.crossed.is_none() {
                standing = judgement.take(round(number, cluster, worse, &mut random));
            }
        }
        if number >= 30 {
            judgement.finish("eu");
        }
        between(number);
    }
    judgement.take(Vec::new())
}

fn files(directory: &Path) -> Vec<String> {
    let found = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = found.map(|path| path.display().to_string()).collect();
    found.sort();
    found
}

fn replayed(path: &str) -> Replay {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let head = serde_json::from_str(lines.next().unwrap()).unwrap();
    let mut replay = Replay::begin(&head).unwrap();
    for line in lines {
        replay.take(serde_json::from_str(line).unwrap()).unwrap();
    }
    replay
}

fn rollout() -> Key {
    Key::new("shop", "checkout")
}

fn trial(attempt: i64) -> Trial {
    Trial { revision: "7a1b2c3d4e".to_owned(), attempt }
}

/// The evidence of a judgement, to the last bit.
fn encoded(judgement: &Judgement) -> String {
    in_base64(judgement.memory().evidence().unwrap())
}

fn in_base64(evidence: &Evidence) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(evidence.encode())
}

#[test]
fn a_recording_replays_byte_for_byte() {
    for (worse, file_bytes, files_min) in [(1.0, 1 << 20, 1), (4.0, 1 << 20, 1), (1.0, 10_000, 3)] {
        let directory = tempdir().unwrap();
        let (recorder, thread) =
            Recorder::with_files_of(directory.path(), 1 << 20, file_bytes).unwrap();
        let judgement = Judgement::open(trial(1), judge(), None);
        judgement.record(&recorder, &rollout());
        let first = attempt(&judgement, worse, 5, |_| {});
        assert_eq!(first.crossed.is_some(), worse > 2.0);
        let known = Memory::from(&judgement.status().status);
        let written = encoded(&judgement);
        // The next attempt begins with what is carried over.
        let second = Judgement::open(trial(2), judge(), Some(known));
        second.record(&recorder, &rollout());
        let standing = attempt(&second, 1.0, 6, |_| {});
        let written_then = encoded(&second);
        assert_eq!(recorder.dropped(), 0);
        drop((recorder, judgement, second));
        thread.join().unwrap();
        let files = files(directory.path());
        let of = |number: i64| {
            let files =
                files.iter().filter(|file| file.contains(&format!("_{number}_7a1b2c3d4e_")));
            files.collect::<Vec<_>>()
        };
        assert!(of(1).len() >= files_min && of(2).len() >= files_min, "{files:?}");
        for (number, standing, written) in [(1, first, written), (2, standing, written_then)] {
            let mut replay = replayed(of(number).last().unwrap());
            assert_eq!(replay.standing(), standing);
            assert_eq!(in_base64(replay.evidence()), written, "attempt {number}, {worse}");
        }
    }
}

#[test]
fn what_cannot_be_written_is_counted_and_changes_no_verdict() {
    let directory = tempdir().unwrap();
    let place = directory.path().join("recordings");
    let away = directory.path().join("away");
    let (recorder, thread) = Recorder::with_files_of(&place, 1 << 20, 1 << 20).unwrap();
    let judgement = Judgement::open(trial(1), judge(), None);
    judgement.record(&recorder, &rollout());
    let unrecorded = Judgement::open(trial(1), judge(), None);
    let expected = attempt(&unrecorded, 1.0, 5, |_| {});
    // The thread is as fast as it is: it may be told of a failure before or after any round. A
    // whole attempt passes while there is no directory, and a round after it is back.
    fs::rename(&place, &away).unwrap();
    let standing = attempt(&judgement, 1.0, 5, |_| {});
    assert_eq!(standing, expected);
    while recorder.dropped() == 0 {
        std::thread::yield_now();
    }
    fs::rename(&away, &place).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut number = 40;
    while files(&place).is_empty() && number < 100_000 {
        let _ = judgement.take(round(number, "us", 1.0, &mut random));
        number += 1;
        std::thread::yield_now();
    }
    let (standing, written) = (judgement.take(Vec::new()), encoded(&judgement));
    drop((recorder, judgement));
    thread.join().unwrap();
    let mut replay = replayed(files(&place).last().unwrap());
    assert_eq!((replay.standing(), in_base64(replay.evidence())), (standing, written));
}

#[test]
fn the_oldest_recordings_make_room() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("notes.txt"), "mine").unwrap();
    let (recorder, thread) = Recorder::with_files_of(directory.path(), 40_000, 10_000).unwrap();
    let judgement = Judgement::open(trial(1), judge(), None);
    judgement.record(&recorder, &rollout());
    let standing = attempt(&judgement, 1.0, 5, |_| {});
    drop((recorder, judgement));
    thread.join().unwrap();
    let files = files(directory.path());
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes < 55_000, "{bytes}");
    assert!(files.iter().any(|file| file.ends_with("notes.txt")), "{files:?}");
    assert!(!files.iter().any(|file| file.ends_with(".001.jsonl")), "{files:?}");
    let last = files.iter().rfind(|file| file.contains("_7a1b2c3d4e_")).unwrap();
    assert_eq!(replayed(last).standing(), standing);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_at_the_start() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Recorder::open(&file, 1 << 20).is_err());
}
