//! Tables that name the tests which show what they say.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::workspace::root;

/// Heading of the column with the tests.
const COLUMN: &str = "Shown by";

/// Every function of the workspace, by its name.
pub(super) fn functions(files: &[PathBuf]) -> BTreeSet<String> {
    let is_rust = |file: &&PathBuf| file.extension().is_some_and(|extension| extension == "rs");
    let texts = files.iter().filter(is_rust).filter_map(|file| {
        let text = fs::read_to_string(root().join(file)).ok()?;
        Some(text)
    });
    texts.flat_map(|text| names(&text)).collect()
}

fn names(text: &str) -> Vec<String> {
    let heads = text.lines().filter_map(|line| {
        let rest = line.split_once("fn ")?.1;
        rest.split(['(', '<']).next()
    });
    heads.map(|name| name.trim().to_owned()).collect()
}

/// Rows that name no test, or one that does not exist.
pub(super) fn complaints(page: &Path, text: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut within = false;
    for (index, line) in text.lines().enumerate() {
        if !line.starts_with('|') {
            within = false;
            continue;
        }
        let last = line.trim_end_matches('|').rsplit(" |").next().unwrap_or_default().trim();
        let last = last.trim_start_matches('|').trim();
        if last == COLUMN {
            within = true;
        } else if within && !last.starts_with("---") {
            let at = format!("{}:{}", page.display(), index + 1);
            let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
            if named.is_empty() {
                complaints.push(format!("{at}: the row names no test"));
            }
            let gone = named.iter().filter(|name| !functions.contains(**name));
            complaints.extend(gone.map(|name| format!("{at}: there is no test {name}")));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_test_and_tests_that_are_gone_are_found() {
        let functions = names("#[test]\nfn is_there() {}\n    pub(crate) async fn too(\n");
        let functions = functions.into_iter().collect();
        let table = "| When | Shown by |\n|---|---|\n| a | `is_there`, `too` |\n| b | `gone` |\n\
                     | c | - |\n\n| Other | Table |\n|---|---|\n| d | `gone` |\n";
        let found = complaints(Path::new("p.md"), table, &functions);
        assert_eq!(found, ["p.md:4: there is no test gone", "p.md:5: the row names no test"]);
    }
}
