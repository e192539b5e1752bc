//! The hub controller under test, as a process with nothing but its own rights.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::addresses::{HUB_CONTROLLER, HUB_DASHBOARD_OPEN};
use crate::process::{self, Process, Spec};
use crate::{access, http};

const READY_DEADLINE: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(10);

/// `lockflight run` against the hub.
pub struct HubProcess {
    process: Process,
}

impl HubProcess {
    /// Prepares `program`; `around` is the command line that runs it, if it is not to be run as it
    /// is; `kubeconfig` is that of its ServiceAccount, and `more` are arguments beside those that
    /// every hub needs.
    pub(crate) fn new(
        around: Vec<String>,
        program: &Path,
        kubeconfig: &Path,
        dir: &Path,
        env: Vec<(String, String)>,
        more: Vec<String>,
    ) -> anyhow::Result<Self> {
        let args = [
            program.display().to_string(),
            "run".to_owned(),
            "--kubeconfig".to_owned(),
            kubeconfig.display().to_string(),
            "--namespace".to_owned(),
            access::NAMESPACE.to_owned(),
            "--listen".to_owned(),
            HUB_CONTROLLER.to_string(),
        ];
        let mut line = around.into_iter().chain(args).chain(more);
        Ok(Self {
            process: Process::new(Spec {
                name: "the hub controller".to_owned(),
                program: line.next().context("no program")?.into(),
                args: line.collect(),
                env,
                log: process::create_log(dir.join("lockflight.log"))?,
            }),
        })
    }

    /// With a dashboard at [`HUB_DASHBOARD_OPEN`]: everybody may look, nobody may press.
    #[must_use]
    pub fn with_open_dashboard(mut self) -> Self {
        self.process.add_arguments(vec![format!("--dashboard-listen={HUB_DASHBOARD_OPEN}")]);
        self
    }

    /// Starts it and waits until it listens.
    pub async fn start(&self) -> anyhow::Result<()> {
        self.process.start()?;
        self.process
            .wait_ready(READY_DEADLINE, async || {
                tokio::net::TcpStream::connect(HUB_CONTROLLER).await?;
                Ok(())
            })
            .await
    }

    /// Waits until `/readyz` answers 200.
    pub async fn wait_ready(&self) -> anyhow::Result<()> {
        self.process
            .wait_ready(READY_DEADLINE, async || http::expect_ok(HUB_CONTROLLER, "/readyz").await)
            .await
    }

    /// SIGTERM, and SIGKILL if it does not end.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.process.stop(GRACE).await
    }

    /// SIGKILL: it can save nothing.
    pub async fn kill9(&self) -> anyhow::Result<()> {
        self.process.kill9().await
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Resident memory in bytes.
    pub fn rss_bytes(&self) -> anyhow::Result<u64> {
        let id = self.id().context("the hub controller does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        rss_of(&status).context("no VmRSS in the status of the hub controller")
    }

    /// File with everything that it printed.
    #[must_use]
    pub fn log(&self) -> &PathBuf {
        self.process.log()
    }
}

fn rss_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn resident_memory() {
        let status = "Name:\tlockflight\nVmPeak:\t  90000 kB\nVmRSS:\t   12345 kB\nThreads:\t3\n";
        assert_eq!(super::rss_of(status), Some(12345 * 1024));
        assert_eq!(super::rss_of("State:\tZ (zombie)\n"), None);
    }
}
