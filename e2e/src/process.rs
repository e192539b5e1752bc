//! Child processes: log file, readiness, orderly and sudden end.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::wait;

/// Proxies of the user's environment must not see traffic that never leaves the namespace.
const PROXY_VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// What to run.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Name in errors and of the log file.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
    /// Where stdout and stderr go (appended, so that a restart keeps what came before).
    pub log: PathBuf,
}

/// A program that is run as a child, and can be stopped and started again.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// A process that does not run yet.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        Self { spec, child: Mutex::new(None) }
    }

    /// Arguments for every later start, behind those that it has.
    pub(crate) fn add_arguments(&mut self, more: Vec<String>) {
        self.spec.args.extend(more);
    }

    /// Starts `spec` at once.
    pub fn spawn(spec: Spec) -> anyhow::Result<Self> {
        let process = Self::new(spec);
        process.start()?;
        Ok(process)
    }

    /// Starts the program; an error when it runs already.
    pub fn start(&self) -> anyhow::Result<()> {
        let Spec { name, program, args, env, log } = &self.spec;
        let mut child = self.child();
        if let Some(running) = child.as_mut() {
            anyhow::ensure!(running.try_wait()?.is_some(), "{name} runs already");
        }
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(program);
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        let started = command
            .args(args)
            .envs(env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A group of its own: Ctrl-C reaches only the fleet, which then ends its parts.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name} ({})", program.display()))?;
        *child = Some(started);
        Ok(())
    }

    /// The process id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child().as_ref().and_then(Child::id)
    }

    /// SIGTERM, and SIGKILL for what still runs after `grace`.
    pub async fn stop(&self, grace: Duration) -> anyhow::Result<()> {
        let Some(mut child) = self.take() else {
            return Ok(());
        };
        if let Some(id) = child.id() {
            kill(pid(id)?, Signal::SIGTERM).ok();
        }
        if tokio::time::timeout(grace, child.wait()).await.is_err() {
            child.kill().await?;
        }
        Ok(())
    }

    /// SIGKILL: the process learns nothing.
    pub async fn kill9(&self) -> anyhow::Result<()> {
        if let Some(mut child) = self.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Waits until `probe` succeeds. Fails at once when the process ends, and shows the end of its
    /// log whenever it fails.
    pub async fn wait_ready(
        &self,
        deadline: Duration,
        mut probe: impl AsyncFnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let name = &self.spec.name;
        let mut ended = None;
        let ready = wait::until(&format!("{name} to be ready"), deadline, async || {
            ended = self.ended();
            if ended.is_some() { Ok(()) } else { probe().await }
        })
        .await;
        match ended {
            Some(status) => Err(anyhow::anyhow!("{name} ended ({status})")),
            None => ready,
        }
        .with_context(|| format!("the log of {name} ends with:\n{}", self.log_tail()))
    }

    /// Where the output goes.
    #[must_use]
    pub fn log(&self) -> &PathBuf {
        &self.spec.log
    }

    /// The last lines of the log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        std::fs::read_to_string(&self.spec.log).map_or_else(|e| e.to_string(), |s| tail(&s, 12))
    }

    fn take(&self) -> Option<Child> {
        self.child().take()
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a short program to its end and returns what it printed.
pub async fn output(program: impl Into<PathBuf>, args: &[&str]) -> anyhow::Result<String> {
    let program = program.into();
    let mut command = Command::new(&program);
    for variable in PROXY_VARIABLES {
        command.env_remove(variable);
    }
    let output = command
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("starting {}", program.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "{} {} failed ({}): {}",
        program.display(),
        args.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last `count` lines of `text`.
#[must_use]
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Creates the file that a process will log to, so that reading it never fails.
pub fn create_log(path: PathBuf) -> anyhow::Result<PathBuf> {
    File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    Ok(path)
}

fn pid(id: u32) -> anyhow::Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(id)?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn tail_is_the_end() {
        assert_eq!(super::tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(super::tail("a", 5), "a");
    }
}
