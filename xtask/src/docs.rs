//! The documentation, as far as a machine can read it.

mod book;
mod evidence;
mod manifest;
mod markdown;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::workspace::{cargo, files, root, verdict};

/// Writes the reference pages from the code, or compares them with it, and checks the rest.
pub(crate) fn write(compare_only: bool) -> Result<String> {
    let mut reference = cargo(&["run", "--quiet", "--locked", "-p", "lockflight-reference", "--"]);
    reference.args(compare_only.then_some("--check"));
    let status = reference.status().context("cannot run cargo")?;
    ensure!(status.success(), "the reference pages are not as they should be");
    check()
}

/// Checks YAML blocks and local links of every Markdown file, every example, the book's list of
/// pages, and the tests that its tables name.
pub(crate) fn check() -> Result<String> {
    let (mut complaints, mut blocks, mut links) = (Vec::new(), 0, 0);
    let files = files()?;
    complaints.extend(book::complaints(&files)?);
    let functions = evidence::functions(&files);
    for file in &files {
        let Ok(text) = fs::read_to_string(root().join(file)) else {
            continue;
        };
        let name = file.display();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("md") => {
                complaints.extend(evidence::complaints(file, &text, &functions));
                for (line, yaml) in markdown::yaml_blocks(&text) {
                    blocks += 1;
                    let found = manifest::complaints(&yaml);
                    complaints.extend(found.iter().map(|why| format!("{name}:{line}: {why}")));
                }
                for (line, target) in markdown::local_links(&text) {
                    links += 1;
                    if let Some(why) = broken(file, &text, &target) {
                        complaints.push(format!("{name}:{line}: {why}"));
                    }
                }
            }
            Some("yaml" | "yml") if file.starts_with("docs") => {
                blocks += 1;
                let found = manifest::complaints(&text);
                complaints.extend(found.iter().map(|why| format!("{name}: {why}")));
            }
            _ => {}
        }
    }
    verdict(&complaints, format!("{blocks} YAML texts and {links} local links are good"))
}

/// Why a link from a file leads nowhere.
fn broken(file: &Path, text: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let content = if path.is_empty() {
        Some(text.to_owned())
    } else {
        let path = root().join(file.parent().unwrap_or(Path::new(""))).join(path);
        if !path.exists() {
            return Some(format!("{target} does not exist"));
        }
        fs::read_to_string(path).ok()
    };
    let has_anchor = |text: String| markdown::anchors(&text).any(|found| found == anchor);
    (!anchor.is_empty() && !content.is_some_and(has_anchor))
        .then(|| format!("{target}: there is no such heading"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_good() {
        check().unwrap();
    }
}
