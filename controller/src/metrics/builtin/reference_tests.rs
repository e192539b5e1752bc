//! The reference page of the built-in templates, written from them.

use std::{fmt::Write as _, path::PathBuf};

use super::{BUILTIN_PREFIX, Builtin, scrape_tests::PAGES};

/// Set to anything, the page is written instead of compared.
const UPDATE: &str = "UPDATE_GOLDEN";

/// A template's comments: of the whole, and before each item of its lists.
struct Comments {
    title: String,
    text: String,
    /// Name of an item, and what is said of it.
    items: Vec<(String, String)>,
}

fn comments(yaml: &str) -> Comments {
    let said = |line: &str| {
        line.strip_prefix('#').map(|said| said.strip_prefix(' ').unwrap_or(said).to_owned())
    };
    let mut head = yaml.lines().map_while(said);
    let title = head.next().unwrap_or_default();
    let text = head.collect::<Vec<_>>().join("\n").trim().to_owned();
    let (mut items, mut before) = (Vec::new(), Vec::new());
    for line in yaml.lines().skip_while(|line| line.starts_with('#')) {
        match (said(line), line.strip_prefix("- name: ")) {
            (Some(said), _) => before.push(said),
            (None, Some(name)) => {
                items.push((name.to_owned(), std::mem::take(&mut before).join(" ")));
            }
            (None, None) => before.clear(),
        }
    }
    Comments { title, text, items }
}

fn section(builtin: &Builtin) -> String {
    let Comments { title, text, items } = comments(builtin.yaml);
    let spec = builtin.spec().expect("a template");
    let mut page = format!("\n## `{BUILTIN_PREFIX}{}`: {title}\n\n{text}\n", builtin.name);
    let said = |name: &str| {
        let found = items.iter().find(|(item, _)| item == name).map(|(_, said)| said.as_str());
        found
            .filter(|said| !said.is_empty())
            .unwrap_or_else(|| panic!("{}: say above `- name: {name}` what it is", builtin.name))
    };
    if !spec.args.is_empty() {
        page.push_str("\n| Argument | Default | What it is |\n|---|---|---|\n");
        for argument in &spec.args {
            let default = match argument.value.as_deref() {
                None => "none: must be given".to_owned(),
                Some("") => "empty".to_owned(),
                Some(value) => format!("`{}`", value.replace('|', "\\|")),
            };
            let name = &argument.name;
            writeln!(page, "| `{name}` | {default} | {} |", said(name)).expect("a String");
        }
    }
    page.push_str("\n| Metric | Severity | What it compares |\n|---|---|---|\n");
    for metric in &spec.metrics {
        let name = &metric.name;
        writeln!(page, "| `{name}` | {:?} | {} |", metric.severity, said(name)).expect("a String");
    }
    let file = format!("{}.yaml", builtin.name);
    writeln!(page, "\nThe template: `controller/src/metrics/builtin/{file}`").expect("a String");
    page
}

/// What a template has been proved on, as the head of its page says.
fn proof(name: &str) -> &'static str {
    let (.., page, _) = PAGES.iter().find(|page| page.0 == name).expect(name);
    let head = page.lines().next().and_then(|line| line.strip_prefix("# Proof: "));
    head.unwrap_or_else(|| panic!("{name}: say in the page's first line what proves the template"))
}

fn page() -> String {
    let intro = include_str!("introduction.md");
    let mut page = format!("{}\n", intro.trim_end());
    page.push_str("\n| Template | Source | Arms by | Proved on |\n|---|---|---|---|\n");
    for builtin in Builtin::all() {
        let title = comments(builtin.yaml).title;
        let arms = if builtin.yaml.contains("pod: {}") { "pod" } else { "Service" };
        let proof = proof(builtin.name);
        writeln!(page, "| `{BUILTIN_PREFIX}{}` | {title} | {arms} | {proof} |", builtin.name)
            .expect("a String");
    }
    page.extend(Builtin::all().iter().map(section));
    page
}

#[test]
fn the_reference_says_what_the_templates_say() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/builtin-templates.md");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, page()).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let first = page().lines().zip(written.lines()).position(|(a, b)| a != b);
    assert!(
        written == page(),
        "docs/reference/builtin-templates.md differs (first in line {:?}): run `UPDATE_GOLDEN=1 cargo test -p lockflight builtin` and look at the difference",
        first.map(|line| line + 1)
    );
}

#[test]
fn templates_are_in_order() {
    assert!(Builtin::names().is_sorted());
}
