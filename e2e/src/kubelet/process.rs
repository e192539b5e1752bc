//! One process of one pod.

use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::manifest::Manifest;

/// The end of standard error that becomes the message of a terminated container.
const MESSAGE_BYTES: usize = 1024;
/// A grandchild may keep standard error open; its message is then not worth waiting for.
const MESSAGE_WAIT: Duration = Duration::from_millis(200);

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    started: Timestamp,
    /// Its standard input; see [`crate::app::EXIT_WITH_STDIN`].
    _owner: Option<ChildStdin>,
    message: JoinSet<String>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) code: i32,
    pub(super) signal: Option<i32>,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
    pub(super) message: Option<String>,
}

impl Process {
    /// Starts the program of a pod. Its environment is the pod's alone, apart from `PATH`.
    pub(super) fn launch(program: &Path, pod: &Manifest, address: Ipv4Addr) -> io::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
        let mut child = Command::new(program)
            .args(&pod.args)
            .env_clear()
            .env("PATH", path)
            .env("PORT", pod.port.to_string())
            .envs(pod.env.iter().map(|(name, value)| (name, value)))
            .env("POD_NAME", &pod.name)
            .env("POD_IP", address.to_string())
            .env(crate::app::EXIT_WITH_STDIN, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // Its own group: Ctrl-C at the terminal is for the testbed, which ends its pods.
            .process_group(0)
            .spawn()?;
        // Taken, because waiting for a child closes the standard input that it still holds.
        let owner = child.stdin.take();
        let mut message = JoinSet::new();
        if let Some(stderr) = child.stderr.take() {
            message.spawn(tail(stderr));
        }
        let pid = child.id().unwrap_or_default();
        Ok(Self { child, pid, started: Timestamp::now(), _owner: owner, message })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    /// Waits for its end. May be cancelled and called again.
    pub(super) async fn exited(&mut self) -> Exit {
        let status = self.child.wait().await;
        let finished = Timestamp::now();
        let message = timeout(MESSAGE_WAIT, self.message.join_next()).await;
        let message = message.ok().flatten().and_then(Result::ok).filter(|text| !text.is_empty());
        // A status that cannot be had (somebody else reaped the child) is an unknown failure.
        let (code, signal) = status.map_or((255, None), exit_code);
        Exit { code, signal, started: self.started, finished, message }
    }

    /// Its end if it was killed and that could not be waited for.
    pub(super) fn killed(&self) -> Exit {
        let finished = Timestamp::now();
        Exit { code: 137, signal: Some(9), started: self.started, finished, message: None }
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        // `id` is none once the process was reaped, so the signal cannot reach another one.
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            // It may have ended on its own; then there is nothing to do.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// A process that a signal ended has, for Kubernetes, the code 128 + signal.
fn exit_code(status: ExitStatus) -> (i32, Option<i32>) {
    let signal = status.signal();
    let code = status.code().or_else(|| signal.map(|signal| 128 + signal));
    (code.unwrap_or(255), signal)
}

/// Reads to the end and gives the last bytes.
async fn tail(mut stream: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; MESSAGE_BYTES];
    // Ends with the process, which has the only other end.
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        kept.drain(..kept.len().saturating_sub(MESSAGE_BYTES));
    }
    String::from_utf8_lossy(&kept).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;

    fn shell(script: &str) -> Process {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "a-1", "namespace": "shop", "uid": "u"},
            "spec": {"containers": [{
                "name": "a",
                "image": "shell",
                "args": ["-c", script],
                "env": [{"name": "VERSION", "value": "v1"}],
            }]},
        }))
        .unwrap();
        let shell = Path::new("/bin/sh");
        let programs = BTreeMap::from([("shell".to_owned(), shell.to_owned())]);
        Process::launch(shell, &Manifest::of(&pod, &programs), Ipv4Addr::LOCALHOST).unwrap()
    }

    #[tokio::test]
    async fn the_end_of_standard_error_says_why_it_ended() {
        let mut process = shell("echo $VERSION $POD_NAME $POD_IP $PORT $HOME >&2; exit 3");
        let exit = process.exited().await;
        assert_eq!((exit.code, exit.signal), (3, None));
        assert_eq!(exit.message.as_deref(), Some("v1 a-1 127.0.0.1 8080"));
        assert_eq!(process.exited().await.code, 3);
    }

    #[tokio::test]
    async fn a_signal_is_told_from_an_exit_code() {
        // It would wait for ever: its standard input stays open.
        let mut process = shell("read line");
        process.kill();
        let exit = process.exited().await;
        assert_eq!((exit.code, exit.signal), (137, Some(9)));
    }
}
