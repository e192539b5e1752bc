//! One stage: commands or a check in this process, with a log.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context as _, Result};

use super::Count;

/// A part of the suite.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) work: Work,
    /// Whether tests must have run for the stage to have passed.
    pub(super) has_tests: bool,
    /// Whether its output is shown while it runs.
    pub(super) is_shown: bool,
}

/// What a stage does.
pub(super) enum Work {
    /// Commands, one after the other; one that fails does not hide what the next would tell.
    Commands(Vec<Command>),
    /// A check in this process.
    Check(fn() -> Result<String>),
    /// Nothing, for this reason.
    Nothing(String),
}

/// How a stage ended.
pub(super) enum Outcome {
    Passed { tests: Option<Count>, note: String },
    Failed { tests: Count, why: String },
    Skipped { why: String },
}

impl Outcome {
    /// A stage without tests counts as one, and so does what failed before any test ran.
    pub(super) fn count(&self) -> Count {
        match self {
            Self::Passed { tests: Some(tests), .. } => *tests,
            Self::Passed { tests: None, .. } => Count { passed: 1, failed: 0 },
            Self::Failed { tests, .. } => Count { failed: tests.failed.max(1), ..*tests },
            Self::Skipped { .. } => Count::default(),
        }
    }
}

impl Stage {
    pub(super) fn run(&self, log: &Path) -> Outcome {
        match self.attempt(log) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed { tests: Count::default(), why: format!("{error:#}") },
        }
    }

    fn attempt(&self, log: &Path) -> Result<Outcome> {
        let mut file =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let failure = match &self.work {
            Work::Nothing(why) => return Ok(Outcome::Skipped { why: why.clone() }),
            Work::Check(check) => match check() {
                Ok(note) => return Ok(Outcome::Passed { tests: None, note }),
                Err(error) => {
                    writeln!(file, "{error:#}")?;
                    Some(format!("{error:#}"))
                }
            },
            Work::Commands(commands) => self.commands(commands, file)?,
        };
        let tests = Count::read(&std::fs::read_to_string(log)?);
        if let Some(why) = failure {
            return Ok(Outcome::Failed { tests, why });
        }
        if !self.has_tests {
            return Ok(Outcome::Passed { tests: None, note: String::new() });
        }
        if tests.passed == 0 || tests.failed > 0 {
            let why = format!("{} tests passed, {} failed", tests.passed, tests.failed);
            return Ok(Outcome::Failed { tests, why });
        }
        Ok(Outcome::Passed { tests: Some(tests), note: String::new() })
    }

    /// Why the first of the commands that failed did so.
    fn commands(&self, commands: &[Command], log: File) -> Result<Option<String>> {
        let log = Mutex::new(log);
        let mut failure = None;
        for command in commands {
            let name = describe(command);
            let mut child = copy(command)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .with_context(|| format!("cannot run {name}"))?;
            let (out, err) = (child.stdout.take(), child.stderr.take());
            thread::scope(|scope| {
                scope.spawn(|| self.keep(out, &log));
                scope.spawn(|| self.keep(err, &log));
            });
            let status = child.wait().with_context(|| format!("lost {name}"))?;
            if !status.success() {
                failure.get_or_insert(format!("{name}: {status}"));
            }
        }
        Ok(failure)
    }

    /// Copies lines to the log, and to the terminal where the stage is shown.
    fn keep(&self, stream: Option<impl Read>, log: &Mutex<File>) {
        for line in stream.into_iter().flat_map(|stream| BufReader::new(stream).split(b'\n')) {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line);
            if self.is_shown {
                eprintln!("{line}");
            }
            // A log that cannot be written must not stop the stage: its exit code still counts.
            if let Ok(mut log) = log.lock() {
                let _ = writeln!(log, "{line}");
            }
        }
    }
}

/// A command can be spawned only through a unique borrow; stages are shared.
fn copy(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => copy.env(name, value),
            None => copy.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        copy.current_dir(folder);
    }
    copy
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(has_tests: bool, script: &str) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let work = Work::Commands(vec![command]);
        let stage = Stage { name: "shell", work, has_tests, is_shown: false };
        let log = std::env::temp_dir().join(format!(
            "lockflight-stage-{}-{:?}.log",
            std::process::id(),
            thread::current().id()
        ));
        let outcome = stage.run(&log);
        std::fs::remove_file(log).unwrap();
        outcome
    }

    #[test]
    fn a_stage_without_the_tests_it_should_have_has_failed() {
        let fine = shell(true, "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'");
        assert_eq!(fine.count(), Count { passed: 2, failed: 0 });
        assert!(matches!(shell(true, "true"), Outcome::Failed { .. }));
        assert!(matches!(shell(false, "true"), Outcome::Passed { tests: None, .. }));
    }

    #[test]
    fn a_failure_counts_at_least_once() {
        assert_eq!(shell(false, "exit 3").count(), Count { passed: 0, failed: 1 });
        let some = shell(true, "echo 'test result: FAILED. 5 passed; 2 failed'; exit 101");
        assert_eq!(some.count(), Count { passed: 5, failed: 2 });
    }
}
