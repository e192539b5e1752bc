//! The page of reasons against the code: a word that the hub can say and the page does not
//! explain is an error, and so is one that it explains and nobody says.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The page, from the root.
const PAGE: &str = "docs/reference/reasons.md";
/// Where the hub's words are chosen: enums of the planner, and literals in these files.
const ENUMS: (&str, [&str; 2]) = ("planner/src/plan.rs", ["WaitReason", "NoticeReason"]);
const LITERALS: [&str; 4] = [
    "planner/src",
    "controller/src/status/report.rs",
    "controller/src/fleet/report.rs",
    "controller/src/saving.rs",
];
const CONDITIONS: &str = "crds/src/conditions.rs";

/// What the page lacks, and what it has too much.
pub fn complaints(root: &Path) -> Result<Vec<String>> {
    let page = read(&root.join(PAGE))?;
    let (said, explained) = (said(root)?, explained(&page));
    let missing =
        said.difference(&explained).map(|word| format!("{PAGE}: {word} is not explained"));
    let idle = explained.difference(&said).map(|word| format!("{PAGE}: nothing says {word}"));
    Ok(missing.chain(idle).collect())
}

/// Every reason and every type of a condition that the hub can write.
pub fn said(root: &Path) -> Result<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    let plan = read(&root.join(ENUMS.0))?;
    for name in ENUMS.1 {
        words.extend(variants(&plan, name));
    }
    for place in LITERALS {
        for file in rust_files(&root.join(place))? {
            words.extend(literals(&read(&file)?));
        }
    }
    words.extend(literals(&read(&root.join(CONDITIONS))?));
    Ok(words)
}

/// Words in the first column of the page's tables.
fn explained(page: &str) -> BTreeSet<String> {
    let first = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    first.map(str::to_owned).collect()
}

fn variants(source: &str, name: &str) -> Vec<String> {
    let body = source.split(&format!("pub enum {name} {{")).nth(1).unwrap_or_default();
    let body = body.split('}').next().unwrap_or_default();
    body.lines().filter_map(|line| word(line.trim().trim_end_matches(','))).collect()
}

/// String literals that are one word in upper camel case, outside of tests.
fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2).filter_map(word)).collect()
}

fn word(text: &str) -> Option<String> {
    let is_word = text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric());
    is_word.then(|| text.to_owned())
}

fn rust_files(place: &Path) -> Result<Vec<PathBuf>> {
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place).with_context(|| format!("{}", place.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_explains_as_many_reasons_as_there_are() {
        let root = crate::root();
        let page = read(&root.join(PAGE)).unwrap();
        assert_eq!(complaints(&root).unwrap(), Vec::<String>::new());
        assert_eq!(explained(&page).len(), said(&root).unwrap().len());
    }

    #[test]
    fn words_are_found_where_they_are_said() {
        let source = "pub enum WaitReason {\n    Settling,\n    Baking,\n}\n\
                      // \"Comment\"\nlet a = (\"Aborted\", \"two words\", \"lower\");\n\
                      #[cfg(test)]\nlet b = \"OnlyTested\";";
        assert_eq!(variants(source, "WaitReason"), ["Settling", "Baking"]);
        assert_eq!(literals(source), ["Aborted"]);
        let found = explained("| Reason | Means |\n|---|---|\n| `Settling` | `Other` |\n");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Settling"]);
    }
}
