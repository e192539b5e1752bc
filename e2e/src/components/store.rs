//! The cache folder: made once, moved into place whole, checked by digest.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::Recipe;

/// File beside a component that holds its digest.
const DIGEST: &str = "sha256";
/// So often a build that takes long says that it goes on: compilers of Go print nothing.
const SIGN_OF_LIFE: Duration = Duration::from_mins(1);

/// `$LOCKFLIGHT_CACHE`, else `$XDG_CACHE_HOME/lockflight`, else `~/.cache/lockflight`.
pub fn cache_dir() -> anyhow::Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    variable("LOCKFLIGHT_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("lockflight")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/lockflight")))
        .context("no cache folder: set LOCKFLIGHT_CACHE to a folder that can be written")
}

pub(super) struct Store {
    root: PathBuf,
}

impl Store {
    pub(super) fn open() -> anyhow::Result<Self> {
        let root = cache_dir()?;
        std::fs::create_dir_all(&root).with_context(|| {
            format!("cannot make {}: set LOCKFLIGHT_CACHE to another folder", root.display())
        })?;
        Ok(Self { root })
    }

    /// Where the recipe's file lies once it is made.
    pub(super) fn file(&self, recipe: &Recipe) -> PathBuf {
        self.root.join(&recipe.key).join(recipe.file)
    }

    /// Whether the file is there and has the digest that was noted when it was made.
    pub(super) fn is_sound(&self, recipe: &Recipe) -> bool {
        let noted = std::fs::read_to_string(self.root.join(&recipe.key).join(DIGEST));
        match (noted, digest(&self.file(recipe))) {
            (Ok(noted), Ok(actual)) => noted.trim() == actual,
            _ => false,
        }
    }

    /// Makes the component, unless another run makes it at this moment: then waits for that.
    /// `place` says which of how many it is.
    pub(super) fn make(&self, recipe: &Recipe, place: &str) -> anyhow::Result<()> {
        let lock = File::create(self.root.join(format!("{}.lock", recipe.key)))?;
        lock.lock()?;
        if self.is_sound(recipe) {
            return Ok(());
        }
        let folder = self.root.join(&recipe.key);
        if folder.exists() {
            eprintln!("{} is damaged: making it anew", folder.display());
            std::fs::remove_dir_all(&folder)?;
        }
        let Recipe { name, purpose, usual, .. } = recipe;
        eprintln!("{place}: making {name} ({purpose}; usually {usual}) …");
        let begin = Instant::now();
        let work = tempfile::Builder::new().prefix(".making-").tempdir_in(&self.root)?;
        saying_that_it_goes_on(name, || (recipe.make)(work.path())).with_context(|| {
            format!("could not make {}: are the network and enough disk there?", recipe.key)
        })?;
        std::fs::write(work.path().join(DIGEST), digest(&work.path().join(recipe.file))?)?;
        std::fs::rename(work.keep(), &folder)?;
        eprintln!("{place}: made {name} in {:.0?}", begin.elapsed());
        Ok(())
    }
}

/// Works, and prints now and then that it still does.
fn saying_that_it_goes_on<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = channel::<()>();
    let begin = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("  still making {name}, {} min so far", begin.elapsed().as_secs() / 60);
            }
        });
        // Dropped at the end, and in a panic too: that ends the thread.
        let _done = done;
        work()
    })
}

/// SHA-256 of a file, in hexadecimal.
fn digest(path: &Path) -> anyhow::Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&block[..length]);
    }
}

/// SHA-256 of several texts, in hexadecimal.
pub(super) fn digest_of(texts: &[Vec<u8>]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::{Recipe, Store};

    #[test]
    fn a_damaged_component_is_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let store = Store { root: root.path().to_owned() };
        let recipe = Recipe {
            key: "tool-v1".into(),
            file: "tool",
            name: "a tool",
            purpose: "nothing",
            usual: "no time",
            make: |dir| Ok(std::fs::write(dir.join("tool"), "whole")?),
        };
        assert!(!store.is_sound(&recipe));
        store.make(&recipe, "1 of 1").unwrap();
        assert!(store.is_sound(&recipe));
        std::fs::write(store.file(&recipe), "half").unwrap();
        assert!(!store.is_sound(&recipe));
        store.make(&recipe, "1 of 1").unwrap();
        assert_eq!(std::fs::read_to_string(store.file(&recipe)).unwrap(), "whole");
    }
}
