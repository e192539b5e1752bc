//! Lockflight's charts, rendered by the real Helm.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use crate::access::NAMESPACE;
use crate::apply;
use crate::process::tail;

/// Longest part of Helm's complaint that is shown.
const COMPLAINT_LINES: usize = 20;

/// One of the two charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// `helm/lockflight`.
    Hub,
    /// `helm/lockflight-member`.
    Member,
}

impl Chart {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hub, Self::Member];

    /// Its name, which is that of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hub => "lockflight",
            Self::Member => "lockflight-member",
        }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm").join(self.name())
    }

    /// What `helm template` prints for an installation of the chart in Lockflight's namespace. An
    /// error holds what Helm says.
    pub fn template(self, helm: &Path, kubernetes: &str, values: &Value) -> anyhow::Result<String> {
        let mut command = Command::new(helm);
        command.args(["template", self.name()]).arg(self.folder());
        command.args(["--namespace", NAMESPACE, "--kube-version", kubernetes, "--values", "-"]);
        run(command, values)
    }

    /// What `helm lint --strict` says of the chart with these values.
    pub fn lint(self, helm: &Path, values: &Value) -> anyhow::Result<String> {
        let mut command = Command::new(helm);
        command.args(["lint", "--strict"]).arg(self.folder());
        command.args(["--namespace", NAMESPACE, "--values", "-"]);
        run(command, values)
    }

    /// The objects of an installation.
    pub fn objects(
        self,
        helm: &Path,
        kubernetes: &str,
        values: &Value,
    ) -> anyhow::Result<Vec<Value>> {
        apply::documents_of(&self.template(helm, kubernetes, values)?)
            .with_context(|| format!("parsing what the chart {} renders", self.name()))
    }
}

/// Helm with the values on its standard input.
fn run(mut command: Command, values: &Value) -> anyhow::Result<String> {
    let mut helm = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting helm")?;
    if let Some(mut input) = helm.stdin.take() {
        input.write_all(values.to_string().as_bytes()).context("giving helm its values")?;
    }
    let output = helm.wait_with_output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "helm failed:\n{}\n{}",
        tail(&complaint, COMPLAINT_LINES),
        if command.get_args().next().is_some_and(|a| a == "lint") { &printed } else { "" }
    );
    Ok(printed)
}
