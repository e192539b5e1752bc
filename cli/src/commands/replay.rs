//! `replay`: recorded windows, judged again.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};

use lockflight_analysis::{
    judge::Observation,
    trust::{self, Head, Line},
};

use super::say;
use crate::{EvidenceView, Exit, Failure, arguments::Replay, render_evidence};

/// The longest line: a window of ten thousand pods.
const LINE_LENGTH_MAX: u64 = 1 << 20;

/// Lines at most, so that a file that never ends is an error and not a wait.
const LINES_MAX: usize = 10_000_000;

pub(super) fn run(arguments: &Replay) -> Result<Exit, Failure> {
    let (head, lines) = open(&arguments.file)?;
    let refused = |number: usize, why: &dyn std::fmt::Display| {
        Failure::State(format!("{}, line {number}: {why}", arguments.file.display()))
    };
    let mut replay = trust::Replay::begin(&head).map_err(|error| refused(1, &error))?;
    let mut until = None;
    for line in lines {
        let (number, line) = line?;
        if let Line::Window(window) = &line {
            until = until.max(Some(window.ends_at));
        }
        replay.take(line).map_err(|error| refused(number, &error))?;
    }
    let standing = replay.standing();
    let as_of = replay.crossing().map_or(until, |crossing| Some(crossing.at));
    let view = EvidenceView::of(&standing, as_of);
    if arguments.output.is_some() {
        say(&format!("{}\n", serde_json::to_string_pretty(&view)?))?;
    } else {
        say(&render_evidence(&view))?;
        if let Some(crossing) = replay.crossing() {
            let at = crossing.at.format("%Y-%m-%d %H:%M:%SZ");
            say(&format!("\nReached in round {}, with the windows up to {at}.\n", crossing.round))?;
        }
    }
    let report = replay.report();
    let left = report.late + report.foreign;
    if left > 0 {
        eprintln!(
            "{} windows counted; {} came late or twice, {} are of no metric or cluster of the \
             first line, or of a finished cluster",
            report.counted, report.late, report.foreign
        );
    }
    Ok(if standing.crossed.is_some() { Exit::Aborted } else { Exit::Ok })
}

/// Lines after the first, with their numbers.
type Lines = Box<dyn Iterator<Item = Result<(usize, Line), Failure>>>;

/// The first line of a recording, and the others as they are read.
fn open(path: &Path) -> Result<(Head, Lines), Failure> {
    let shown = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| Failure::State(format!("cannot read {shown}: {error}")))?;
    let mut reader = BufReader::new(file);
    let mut next = {
        let shown = shown.clone();
        move |number: usize| -> Result<Option<String>, Failure> {
            let mut line = String::new();
            let read =
                (&mut reader).take(LINE_LENGTH_MAX).read_line(&mut line).map_err(|error| {
                    Failure::State(format!("cannot read {shown}, line {number}: {error}"))
                })?;
            if read as u64 == LINE_LENGTH_MAX || number > LINES_MAX {
                return Err(Failure::State(format!(
                    "{shown}, line {number}: longer than a recording may be; lines have at most \
                     {LINE_LENGTH_MAX} bytes and files {LINES_MAX} lines"
                )));
            }
            Ok((read > 0).then_some(line))
        }
    };
    let first = next(1)?.unwrap_or_default();
    let head = serde_json::from_str(&first).map_err(|error| {
        Failure::State(format!("{shown}, line 1: not the settings of a judge: {error}"))
    })?;
    let mut number = 1;
    let lines = std::iter::from_fn(move || {
        loop {
            number += 1;
            match next(number) {
                Err(failure) => return Some(Err(failure)),
                Ok(None) => return None,
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => {
                    let read = serde_json::from_str(&line);
                    if read.is_err() && !line.ends_with('\n') {
                        // A hub that was killed while it wrote.
                        eprintln!("{shown}, line {number}: cut off, and so left out");
                        return None;
                    }
                    let read = read.map_err(|error| {
                        Failure::State(format!(
                            "{shown}, line {number}: neither a window, a calibration nor a \
                             finished cluster: {error}"
                        ))
                    });
                    return Some(read.map(|line| (number, line)));
                }
            }
        }
    });
    Ok((head, Box::new(lines)))
}

/// A recording's settings and all of its windows.
pub(super) fn windows(path: &Path) -> Result<(Head, Vec<Observation>), Failure> {
    let (head, lines) = open(path)?;
    let mut found = Vec::new();
    for line in lines {
        let (number, line) = line?;
        if let Line::Window(window) = line {
            found.push(window.observation().map_err(|error| {
                Failure::State(format!("{}, line {number}: {error}", path.display()))
            })?);
        }
    }
    Ok((head, found))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands/golden").join(name)
    }

    fn replayed(name: &str) -> Result<Exit, Failure> {
        run(&Replay { file: file(name), output: None })
    }

    #[test]
    fn a_recording_ends_as_it_did() {
        assert_eq!(replayed("good.jsonl").unwrap(), Exit::Ok);
        assert_eq!(replayed("bad.jsonl").unwrap(), Exit::Aborted);
    }

    #[test]
    fn a_last_line_that_was_cut_off_is_left_out() {
        let whole = std::fs::read_to_string(file("good.jsonl")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cut.jsonl");
        std::fs::write(&path, whole.trim_end().trim_end_matches('}')).unwrap();
        assert_eq!(run(&Replay { file: path, output: None }).unwrap(), Exit::Ok);
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        for (name, words) in [
            ("missing.jsonl", "cannot read"),
            ("no-settings.jsonl", "line 1: not the settings"),
            ("no-window.jsonl", "line 2: neither a window, a calibration"),
            ("backwards.jsonl", "line 3: round is 1 after round 2"),
        ] {
            let failure = replayed(name).unwrap_err().to_string();
            assert!(failure.contains(words), "{name}: {failure}");
        }
    }
}
