//! Selectors of raw counters, and how several become one question.
//!
//! Rollouts that use the same template ask the same question about other services: their
//! selectors differ in the values of some labels only. Such selectors have one *shape* and are
//! asked together; the answer is told apart by each selector's own matchers.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{Expr, VectorSelector},
};

/// Selectors asked in one query, at most: its text has to stay well below the length of a URL.
const MERGED_MAX: usize = 64;

/// Text of a merged query, at most.
const TEXT_LENGTH_MAX: usize = 4096;

/// Label that holds the name of a metric.
const NAME: &str = "__name__";

/// A selector, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    text: String,
    /// Labels that must have one value, with it.
    fixed: BTreeMap<String, String>,
    /// All other matchers.
    others: Vec<Matcher>,
}

impl Selector {
    /// Parses a plain selector; none for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Ok(Expr::VectorSelector(selector)) = promql_parser::parser::parse(text) else {
            return None;
        };
        let VectorSelector { name, matchers, offset: None, at: None } = selector else {
            return None;
        };
        if !matchers.or_matchers.is_empty() {
            return None;
        }
        let mut parsed = Self { text: text.to_owned(), fixed: BTreeMap::new(), others: Vec::new() };
        parsed.fixed.extend(name.map(|name| (NAME.to_owned(), name)));
        for matcher in matchers.matchers {
            // Of two values for one label the second must not replace the first: both count.
            let plain = matcher.op == MatchOp::Equal && !parsed.fixed.contains_key(&matcher.name);
            if plain {
                parsed.fixed.insert(matcher.name, matcher.value);
            } else {
                parsed.others.push(matcher);
            }
        }
        parsed.others.sort_by_cached_key(ToString::to_string);
        Some(parsed)
    }

    /// Whether a series with these labels is meant. A label that is absent is empty.
    pub(crate) fn matches<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        let value = |name: &str| label(name).unwrap_or("");
        self.fixed.iter().all(|(name, fixed)| value(name) == fixed)
            && self.others.iter().all(|matcher| matcher.is_match(value(&matcher.name)))
    }

    /// What selectors that are asked together have in common.
    fn shape(&self) -> (Vec<&str>, Vec<String>, Option<&str>) {
        (
            self.fixed.keys().map(String::as_str).collect(),
            self.others.iter().map(ToString::to_string).collect(),
            // Another metric is another question: its answer has another size.
            self.fixed.get(NAME).map(String::as_str),
        )
    }
}

/// A question, and the selectors that it answers by their place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merged {
    /// A selector whose series contain those of all of them.
    pub(crate) text: String,
    /// Places of the selectors.
    pub(crate) answers: Vec<usize>,
}

/// As few questions as these selectors need. Their number depends on the shapes, not on how many
/// selectors have one, up to [`MERGED_MAX`] of them.
pub(crate) fn merge(selectors: &[&Selector]) -> Vec<Merged> {
    let mut shapes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, selector) in selectors.iter().enumerate() {
        shapes.entry(selector.shape()).or_default().push(place);
    }
    let chunks = shapes.values().flat_map(|places| places.chunks(MERGED_MAX));
    chunks.flat_map(|places| unite(selectors, places)).collect()
}

/// One question for selectors of one shape, or more when its text would be too long.
fn unite(selectors: &[&Selector], places: &[usize]) -> Vec<Merged> {
    let of = |place: &usize| selectors.get(*place).copied();
    let Some(first) = places.first().and_then(of) else { return Vec::new() };
    let distinct: BTreeSet<&str> =
        places.iter().filter_map(of).map(|selector| selector.text.as_str()).collect();
    if distinct.len() == 1 {
        return vec![Merged { text: first.text.clone(), answers: places.to_vec() }];
    }
    let matchers = first.fixed.keys().map(|name| {
        let values: BTreeSet<&str> = places
            .iter()
            .filter_map(of)
            .filter_map(|selector| selector.fixed.get(name))
            .map(String::as_str)
            .collect();
        any_of(name, &values)
    });
    let all: Vec<String> = matchers.chain(first.others.iter().map(ToString::to_string)).collect();
    let text = format!("{{{}}}", all.join(","));
    if text.len() <= TEXT_LENGTH_MAX || places.len() == 1 {
        return vec![Merged { text, answers: places.to_vec() }];
    }
    let (left, right) = places.split_at(places.len() / 2);
    [unite(selectors, left), unite(selectors, right)].concat()
}

/// A matcher for any of these values.
fn any_of(name: &str, values: &BTreeSet<&str>) -> String {
    if values.len() == 1
        && let Some(value) = values.first()
    {
        return format!("{name}={}", quoted(value));
    }
    let values: Vec<String> = values.iter().map(|value| escaped(value)).collect();
    format!("{name}=~{}", quoted(&values.join("|")))
}

/// A value that stands for itself in a regular expression.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// A PromQL string.
fn quoted(value: &str) -> String {
    let inside = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{inside}\"")
}

#[cfg(test)]
#[path = "selector_tests.rs"]
mod tests;
