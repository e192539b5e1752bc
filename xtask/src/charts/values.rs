//! The values of a chart with what their comments say.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Path, for example `image.tag`.
    pub(super) path: String,
    /// Default, as JSON.
    pub(super) default: String,
    /// The comment above it.
    pub(super) meaning: String,
}

/// A key of the file: how deep it stands, its path, and the comment above it.
struct Key {
    depth: usize,
    path: Vec<String>,
    comment: String,
}

/// Every value that has a comment. A map whose own values have comments is left out; its comment
/// must have none. A value that no comment covers is an error.
pub(super) fn rows(text: &str) -> Result<Vec<Row>> {
    let all: Value = serde_saphyr::from_str(text)?;
    let keys = keys(text);
    let mut rows = Vec::new();
    let mut covered: Option<usize> = None;
    for (index, key) in keys.iter().enumerate() {
        // Below a value that is shown whole.
        if covered.is_some_and(|depth| key.depth > depth) {
            continue;
        }
        covered = None;
        let mut below = keys[index + 1..].iter().take_while(|other| other.depth > key.depth);
        let has_rows_below = below.any(|other| !other.comment.is_empty());
        if has_rows_below {
            ensure!(
                key.comment.is_empty(),
                "{}: values below it have comments of their own; say it there",
                key.path.join(".")
            );
            continue;
        }
        ensure!(!key.comment.is_empty(), "{} has no comment", key.path.join("."));
        covered = Some(key.depth);
        let pointer = format!("/{}", key.path.join("/"));
        let default = all.pointer(&pointer).with_context(|| format!("no value at {pointer}"))?;
        rows.push(Row {
            path: key.path.join("."),
            default: default.to_string(),
            meaning: key.comment.replace('|', "\\|"),
        });
    }
    Ok(rows)
}

/// The keys in their order. Lists in these files stand on one line.
fn keys(text: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut comment = String::new();
    for line in text.lines() {
        let content = line.trim_start();
        if let Some(words) = content.strip_prefix('#') {
            if !comment.is_empty() {
                comment.push(' ');
            }
            comment.push_str(words.trim());
        } else if let Some((name, _)) = content.split_once(':') {
            let depth = (line.len() - content.len()) / 2;
            let parents = keys.iter().rev().find(|key| key.depth < depth);
            let mut path = parents.map(|key| key.path.clone()).unwrap_or_default();
            path.push(name.to_owned());
            keys.push(Key { depth, path, comment: std::mem::take(&mut comment) });
        } else {
            comment.clear();
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_rows() {
        let text = "# First,\n# in two lines.\na: 1\n\nb:\n  # Deep | down.\n  c: [x]\n\
                    # Whole.\nd:\n  e: true\n";
        let found = rows(text).unwrap();
        let row = |path: &str, default: &str, meaning: &str| Row {
            path: path.to_owned(),
            default: default.to_owned(),
            meaning: meaning.to_owned(),
        };
        let expected = [
            row("a", "1", "First, in two lines."),
            row("b.c", "[\"x\"]", "Deep \\| down."),
            row("d", "{\"e\":true}", "Whole."),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_value_without_a_comment_is_named() {
        let error = rows("b:\n  # Good.\n  c: 1\n  d: 2\n").unwrap_err();
        assert_eq!(error.to_string(), "b.d has no comment");
        let error = rows("# Lost.\nb:\n  # Good.\n  c: 1\n").unwrap_err();
        assert!(error.to_string().starts_with("b: "), "{error}");
    }
}
