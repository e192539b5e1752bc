//! What the demo starts, looked for before minutes of building and not after them.

use std::{env, ffi::OsStr};

use anyhow::{Result, ensure};

/// Programs, and where each comes from. How old they may be, the fleet itself checks.
const PROGRAMS: [(&str, &str); 4] = [
    ("go", "Go 1.26 or newer, https://go.dev/dl"),
    ("python3", "Python 3.9 or newer with pip"),
    ("ip", "the package iproute2"),
    ("unshare", "the package util-linux"),
];

/// Fails with all that is missing in one sentence.
pub(crate) fn check() -> Result<()> {
    let missing = missing_in(&env::var_os("PATH").unwrap_or_default());
    ensure!(missing.is_empty(), "missing on your PATH: {}", missing.join("; "));
    Ok(())
}

fn missing_in(path: &OsStr) -> Vec<String> {
    let is_there = |program: &str| env::split_paths(path).any(|dir| dir.join(program).is_file());
    let missing = PROGRAMS.iter().filter(|(program, _)| !is_there(program));
    missing.map(|(program, from)| format!("{program} ({from})")).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::{PROGRAMS, missing_in};

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let dir = std::env::temp_dir().join(format!("lockflight-xtask-{}", process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("ip"), "").unwrap();
        let missing = missing_in(dir.as_os_str());
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(missing.len(), PROGRAMS.len() - 1);
        assert_eq!(missing[0], "go (Go 1.26 or newer, https://go.dev/dl)");
        assert!(!missing.iter().any(|text| text.starts_with("ip ")));
    }
}
