//! The reference pages of the documentation, made from what they describe: the API from the
//! definitions, the command lines from their parsers, the metrics from their catalogue. The page
//! of reasons is written by people; [`reasons`] holds it against the code, and dashboards and
//! alerts are held against the catalogue.

mod api;
mod commands;
mod metrics;
mod monitoring;
pub mod reasons;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// First line of every page that is written here.
const HEADER: &str = "<!-- Written by `cargo xtask docs` from the code. Do not edit. -->\n\n";

/// The repository's root: the folder above this crate's.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Pages by their path from the root.
#[must_use]
pub fn pages() -> BTreeMap<String, String> {
    let mut pages = api::pages();
    pages.extend(commands::pages());
    pages.insert("docs/reference/metrics.md".to_owned(), metrics::page());
    pages.into_iter().map(|(path, page)| (path, format!("{HEADER}{page}"))).collect()
}

/// Writes every page; how many there are.
pub fn write() -> Result<usize> {
    let pages = pages();
    for (name, page) in &pages {
        let path = root().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(pages.len())
}

/// Fails where a page is not what the code says, or where a reason is not explained.
pub fn check() -> Result<usize> {
    let pages = pages();
    let mut complaints = Vec::new();
    for (name, page) in &pages {
        if fs::read_to_string(root().join(name)).ok().as_ref() != Some(page) {
            complaints.push(format!("{name} is not what the code says: run `cargo xtask docs`"));
        }
    }
    complaints.extend(reasons::complaints(&root())?);
    complaints.extend(monitoring::complaints(&root())?);
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(pages.len())
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_reference_is_what_the_code_says() {
        super::check().unwrap();
    }
}
