//! A user's shell on a running fleet: kubectl, its plugin, and a kubeconfig of all clusters.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;

use crate::components;
use crate::fleet::{Fleet, built_beside};

/// The plugin's program.
const PLUGIN: &str = "kubectl-lockflight";

/// What a shell needs, as a file to be sourced and as variables.
pub struct Shell {
    environment: PathBuf,
    variables: Vec<(String, String)>,
}

/// What a command of the shell printed, both streams in one, and how it ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Standard output and standard error as a terminal shows them.
    pub text: String,
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
}

impl Shell {
    /// Opens the clusters through `listeners` (hub first) and writes what a shell needs into the
    /// fleet's folder.
    pub fn open(fleet: &Fleet, listeners: Vec<TcpListener>) -> anyhow::Result<Self> {
        let kubeconfig = fleet.expose(listeners)?;
        let plugin = built_beside(PLUGIN)
            .context("the plugin is not built: run `cargo build -p kubectl-lockflight` first")?;
        let programs = fleet.dir().join("bin");
        std::fs::create_dir_all(&programs)?;
        let hk = components::locate()?.hk;
        let kubectl = format!("#!/bin/sh\nexec '{}' kubectl \"$@\"\n", hk.display());
        let file = programs.join("kubectl");
        std::fs::write(&file, kubectl)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
        let link = programs.join(PLUGIN);
        if !link.exists() {
            std::os::unix::fs::symlink(&plugin, &link)?;
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let variables = vec![
            ("KUBECONFIG".to_owned(), kubeconfig.display().to_string()),
            ("PATH".to_owned(), format!("{}:{path}", programs.display())),
        ];
        let environment = fleet.dir().join("env");
        let text = format!(
            "export KUBECONFIG='{}'\nexport PATH='{}':\"$PATH\"\n",
            kubeconfig.display(),
            programs.display()
        );
        std::fs::write(&environment, text)?;
        Ok(Self { environment, variables })
    }

    /// The file to be sourced by `.`.
    #[must_use]
    pub fn environment(&self) -> &Path {
        &self.environment
    }

    /// Runs a line as a shell does, in the folder `dir`.
    pub async fn run(&self, line: &str, dir: &Path, deadline: Duration) -> anyhow::Result<Answer> {
        let mut command = tokio::process::Command::new("sh");
        command.arg("-c").arg(format!("exec 2>&1\n{line}")).current_dir(dir);
        // No colours, and no proxy of the machine's own between the shell and the fleet.
        command.env("NO_COLOR", "1").env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(deadline, command.output())
            .await
            .with_context(|| format!("`{line}` has not ended after {deadline:?}"))??;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Answer { text, code: output.status.code() })
    }
}
