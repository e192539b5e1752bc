//! The folder in which one run keeps its state.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use tempfile::TempDir;

const PREFIX: &str = "lockflight-fleet-";
const LOCK: &str = "running";

/// A fresh folder, removed at the end unless it is to be kept.
#[derive(Debug)]
pub struct RunDir {
    dir: TempDir,
    // Held as long as the run lives: it tells later runs that this folder is in use.
    _lock: Option<File>,
}

impl RunDir {
    /// Makes a folder, and removes those that earlier runs left because they were killed.
    pub fn create(keep: bool) -> anyhow::Result<Self> {
        remove_abandoned(&std::env::temp_dir());
        let mut dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir()
            .context("no folder for temporary files: set TMPDIR to one that can be written")?;
        dir.disable_cleanup(keep);
        let lock = (!keep).then(|| File::create(dir.path().join(LOCK))).transpose()?;
        if let Some(lock) = &lock {
            lock.lock()?;
        }
        Ok(Self { dir, _lock: lock })
    }

    /// Lets the folder stay after the end.
    pub fn keep(&mut self) {
        self.dir.disable_cleanup(true);
        // Without it, later runs take the folder for one that was kept.
        std::fs::remove_file(self.dir.path().join(LOCK)).ok();
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// A folder whose lock nobody holds belongs to a run that was killed. One without a lock file was
/// kept on purpose, or is being made right now.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RunDir;

    #[test]
    fn a_run_removes_its_own_folder_and_not_that_of_another() {
        let first = RunDir::create(false).unwrap();
        let second = RunDir::create(false).unwrap();
        assert!(first.path().exists() && second.path().exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists() && first.path().exists());
    }
}
