//! Leftovers, and files that have grown too long.

use std::{fs, path::Path};

use anyhow::Result;

use crate::workspace::{files, root, verdict};

/// Past this a file holds more than one idea.
const LINES_MAX: usize = 400;

/// Files that may be longer, and why.
const LONG: [(&str, &str); 7] = [
    ("Cargo.lock", "written by cargo"),
    ("dashboard/package-lock.json", "written by npm"),
    ("dashboard/src/api/types.ts", "written from the dashboard's views by their test"),
    ("e2e/hk/go.sum", "written by go"),
    (
        "helm/lockflight/files/crds/analysistemplates.lockflight.dev.yaml",
        "written by cargo xtask crd",
    ),
    (
        "helm/lockflight/files/crds/metricproviders.lockflight.dev.yaml",
        "written by cargo xtask crd",
    ),
    ("helm/lockflight/files/crds/rollouts.lockflight.dev.yaml", "written by cargo xtask crd"),
];

/// What may stand in no file. Split, so that this file does not hold it either.
const LEFTOVERS: [(&str, &str); 4] = [
    (concat!("TO", "DO"), "do it, or put it into an issue"),
    (concat!("FIX", "ME"), "do it, or put it into an issue"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
];

/// What may stand in no Rust file.
const RUST_LEFTOVERS: [(&str, &str); 4] = [
    (concat!("#[ig", "nore"), "a test that is never run proves nothing"),
    (concat!("to", "do!("), "not finished"),
    (concat!("unimple", "mented!("), "not finished"),
    (concat!("db", "g!("), "left from debugging"),
];

/// Looks at every file that Git would take.
pub(crate) fn check() -> Result<String> {
    let files = files()?;
    let mut complaints = Vec::new();
    for file in &files {
        // What is no text has no lines either.
        if let Ok(text) = fs::read_to_string(root().join(file)) {
            complaints.extend(complaints_about(file, &text));
        }
    }
    verdict(&complaints, format!("{} files are tidy", files.len()))
}

fn complaints_about(file: &Path, text: &str) -> Vec<String> {
    let name = file.to_string_lossy();
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX && !LONG.iter().any(|(long, _)| *long == name) {
        complaints.push(format!("{name} has {lines} lines, more than {LINES_MAX}: split it"));
    }
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let rust = RUST_LEFTOVERS.iter().filter(|_| is_rust);
    for (number, line) in text.lines().enumerate() {
        for (leftover, why) in LEFTOVERS.iter().chain(rust.clone()) {
            if stands_alone(line, leftover) {
                complaints.push(format!("{name}:{}: {leftover} ({why})", number + 1));
            }
        }
    }
    complaints
}

/// Whether it is there, and not as a part of a longer word or path.
fn stands_alone(line: &str, leftover: &str) -> bool {
    line.match_indices(leftover).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_leftovers_and_long_files() {
        let leftover = concat!("    db", "g!(x);\n");
        assert_eq!(complaints_about(Path::new("a.rs"), leftover).len(), 1);
        assert_eq!(complaints_about(Path::new("a.md"), leftover).len(), 0);
        let path = concat!("see /wo", "rk/main\n");
        assert_eq!(complaints_about(Path::new("a.md"), path).len(), 1);
        let address = concat!("see https://a.example/net", "/wo", "rk/main\n");
        assert_eq!(complaints_about(Path::new("a.md"), address).len(), 0);
        let long = "line\n".repeat(LINES_MAX + 1);
        assert_eq!(complaints_about(Path::new("a.rs"), &long).len(), 1);
        assert_eq!(complaints_about(Path::new("Cargo.lock"), &long).len(), 0);
    }
}
