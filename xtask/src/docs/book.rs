//! The documentation as a book: every page is in its list, every picture on a page, and no link
//! leads out of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::markdown;
use crate::workspace::root;

/// Where the book is.
const FOLDER: &str = "docs";
/// Its list of pages.
const LIST: &str = "docs/SUMMARY.md";

/// What is wrong with the book, whose files are among `files`.
pub(super) fn complaints(files: &[PathBuf]) -> Result<Vec<String>> {
    let list = fs::read_to_string(root().join(LIST)).with_context(|| LIST.to_owned())?;
    let mut listed: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (_, target) in markdown::local_links(&list) {
        *listed.entry(Path::new(FOLDER).join(target)).or_default() += 1;
    }
    let mut complaints = Vec::new();
    let mut texts = Vec::new();
    let is_page = |file: &&PathBuf| {
        file.starts_with(FOLDER)
            && file.extension().is_some_and(|extension| extension == "md")
            && **file != *Path::new(LIST)
    };
    for page in files.iter().filter(is_page) {
        match listed.get(page) {
            Some(1) => {}
            Some(_) => complaints.push(format!("{LIST}: {} is listed twice", page.display())),
            None => complaints.push(format!("{LIST}: {} is not listed", page.display())),
        }
        let text = fs::read_to_string(root().join(page)).unwrap_or_default();
        for (line, target) in markdown::local_links(&text) {
            if leads_out(page, &target) {
                complaints.push(format!(
                    "{}:{line}: {target} is no part of the book: name it as code instead",
                    page.display()
                ));
            }
        }
        texts.push(text);
    }
    complaints.extend(unseen(files, &texts));
    Ok(complaints)
}

/// Pictures that no page shows.
fn unseen(files: &[PathBuf], texts: &[String]) -> Vec<String> {
    let is_picture = |file: &&PathBuf| {
        file.starts_with(FOLDER) && file.extension().is_some_and(|extension| extension == "png")
    };
    let mut unseen = Vec::new();
    for picture in files.iter().filter(is_picture) {
        let name = picture.file_name().map(|name| format!("/{})", name.display()));
        if !name.is_some_and(|name| texts.iter().any(|text| text.contains(&name))) {
            unseen.push(format!("{}: no page shows it", picture.display()));
        }
    }
    unseen
}

/// Whether a link of a page leaves the book's folder.
fn leads_out(page: &Path, target: &str) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    let mut depth = page.parent().map_or(0, |folder| folder.components().count());
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => depth = depth.saturating_sub(1),
            Component::Normal(_) => depth += 1,
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
        if depth == 0 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_book_are_found() {
        let table = [
            ("docs/a.md", "b.md", false),
            ("docs/a.md", "#here", false),
            ("docs/a.md", "../README.md", true),
            ("docs/how-to/a.md", "../reference/b.md#c", false),
            ("docs/how-to/a.md", "../../README.md", true),
        ];
        for (page, target, out) in table {
            assert_eq!(leads_out(Path::new(page), target), out, "{page} {target}");
        }
    }

    #[test]
    fn pictures_that_no_page_shows_are_found() {
        let files = ["docs/s/a.png", "docs/s/b.png", "docs/c.md", "d.png"].map(PathBuf::from);
        let texts = ["![](../s/a.png)".to_owned()];
        assert_eq!(unseen(&files, &texts), ["docs/s/b.png: no page shows it"]);
    }
}
