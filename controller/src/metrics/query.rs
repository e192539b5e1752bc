//! Queries with placeholders: parsed once, filled in each round.

use std::{collections::BTreeMap, fmt::Write};

use lockflight_analysis::{Piece, pieces};

use super::template::TemplateError;

/// What the hub itself fills in, per round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Builtin {
    Window,
    CanaryPods,
    StablePods,
    Revision,
    Cluster,
}

/// Values of the built-in placeholders in one round.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Builtins<'a> {
    /// Time since the evidence opened, as a range: `90s`.
    pub(super) window: String,
    /// Regular expression that matches the canary's pods.
    pub(super) canary_pods: String,
    /// Regular expression that matches the stable revision's pods.
    pub(super) stable_pods: String,
    /// Name of the revision on trial.
    pub(super) revision: &'a str,
    /// Name of the cluster.
    pub(super) cluster: &'a str,
}

/// A query whose arguments are filled in and whose built-in placeholders are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    /// Within this quote; None outside of quotes, where only the window may stand.
    Builtin(Builtin, Option<char>),
}

impl Query {
    /// Fills in the arguments, escaped for the quotes around them. `field` names the query in
    /// errors.
    pub(super) fn parse(
        field: &str,
        text: &str,
        args: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        for piece in pieces(text) {
            match piece {
                Piece::Code(code) => fill(field, code, None, args, &mut parts)?,
                // A comment would swallow what the hub appends to a selector.
                Piece::Comment(_) => {}
                Piece::Quoted { closed: false, .. } => {
                    return Err(TemplateError::UnclosedString { field: field.to_owned() });
                }
                Piece::Quoted { quote, text, .. } => {
                    parts.push(Part::Text(quote.to_string()));
                    fill(field, text, Some(quote), args, &mut parts)?;
                    parts.push(Part::Text(quote.to_string()));
                }
            }
        }
        Ok(Self { parts })
    }

    /// The query of this round.
    pub(super) fn render(&self, builtins: &Builtins<'_>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Builtin(builtin, quote) => {
                    let value = match builtin {
                        Builtin::Window => &builtins.window,
                        Builtin::CanaryPods => &builtins.canary_pods,
                        Builtin::StablePods => &builtins.stable_pods,
                        Builtin::Revision => builtins.revision,
                        Builtin::Cluster => builtins.cluster,
                    };
                    push_escaped(&mut text, value, *quote);
                }
            }
        }
        text.trim().to_owned()
    }
}

/// Fills the arguments into a text outside of any query language, such as a label's value.
pub(super) fn fill_plain(
    field: &str,
    text: &str,
    args: &BTreeMap<String, String>,
) -> Result<String, TemplateError> {
    let mut filled = String::new();
    for (before, name) in placeholders(text) {
        filled.push_str(before);
        if let Some(name) = name {
            filled.push_str(args.get(name).ok_or_else(|| unknown(field, name))?);
        }
    }
    Ok(filled)
}

/// Regular expression that matches exactly these names; for none of them one that matches no
/// pod, because an empty alternation would match series without the label.
pub(super) fn alternation<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut expression = String::new();
    for name in names {
        if !expression.is_empty() {
            expression.push('|');
        }
        for c in name.chars() {
            if !c.is_ascii_alphanumeric() && c != '-' && c != '_' {
                expression.push('\\');
            }
            expression.push(c);
        }
    }
    if expression.is_empty() { "no pods".to_owned() } else { expression }
}

fn fill(
    field: &str,
    text: &str,
    quote: Option<char>,
    args: &BTreeMap<String, String>,
    parts: &mut Vec<Part>,
) -> Result<(), TemplateError> {
    for (before, name) in placeholders(text) {
        parts.push(Part::Text(before.to_owned()));
        let Some(name) = name else { continue };
        let field = || field.to_owned();
        let placeholder = || name.to_owned();
        let builtin = builtin(name);
        match quote {
            // Between backticks nothing can be escaped, so a value could end the string.
            Some('`') => {
                return Err(TemplateError::InBackticks {
                    field: field(),
                    placeholder: placeholder(),
                });
            }
            None if builtin != Some(Builtin::Window) => {
                return Err(TemplateError::Unquoted { field: field(), placeholder: placeholder() });
            }
            _ => {}
        }
        parts.push(match (builtin, args.get(name)) {
            (Some(builtin), _) => Part::Builtin(builtin, quote),
            (None, Some(value)) => {
                let mut escaped = String::new();
                push_escaped(&mut escaped, value, quote);
                Part::Text(escaped)
            }
            (None, None) => return Err(unknown(&field(), name)),
        });
    }
    Ok(())
}

fn unknown(field: &str, placeholder: &str) -> TemplateError {
    TemplateError::UnknownPlaceholder {
        field: field.to_owned(),
        placeholder: placeholder.to_owned(),
    }
}

fn builtin(name: &str) -> Option<Builtin> {
    match name {
        "window" => Some(Builtin::Window),
        "canaryPods" => Some(Builtin::CanaryPods),
        "stablePods" => Some(Builtin::StablePods),
        "revision" => Some(Builtin::Revision),
        "cluster" => Some(Builtin::Cluster),
        _ => None,
    }
}

/// Whether the hub fills in this name, so that no argument may have it.
pub(super) fn is_builtin(name: &str) -> bool {
    builtin(name).is_some()
}

/// Each placeholder's name with the text before it, then the text after the last one. Braces
/// that are not closed are text.
fn placeholders(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        found.push((before, Some(name.trim())));
        rest = after;
    }
    found.push((rest, None));
    found
}

/// Appends a value so that `PromQL` reads exactly it between these quotes.
fn push_escaped(text: &mut String, value: &str, quote: Option<char>) {
    for c in value.chars() {
        match (quote, c) {
            (None, c) => text.push(c),
            (Some(_), '\n') => text.push_str("\\n"),
            (Some(_), c) if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            (Some(quote), c) => {
                if c == '\\' || c == quote {
                    text.push('\\');
                }
                text.push(c);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Builtins, Query, alternation, fill_plain};

    fn rendered(text: &str, service: &str) -> Result<String, String> {
        let args = BTreeMap::from([("service".to_owned(), service.to_owned())]);
        let query = Query::parse("query", text, &args).map_err(|error| error.to_string())?;
        Ok(query.render(&Builtins {
            window: "90s".to_owned(),
            canary_pods: alternation(["a-1", "a.2"]),
            stable_pods: alternation([]),
            revision: "6f9d",
            cluster: "eu-west-1",
        }))
    }

    #[test]
    fn placeholders_are_filled_in() {
        let cases = [
            ("up", "", "up"),
            (r#"up{s="{{service}}"}"#, "cart", r#"up{s="cart"}"#),
            (r#"up{s="{{ service }}-x"}"#, "cart", r#"up{s="cart-x"}"#),
            (r#"up{s="{{service}}"}"#, r#"a"\b"#, r#"up{s="a\"\\b"}"#),
            (r"up{s='{{service}}'}", r#"a"'b"#, r#"up{s='a"\'b'}"#),
            (r#"up{s="{{service}}"}"#, "a\nb\u{7}", r#"up{s="a\nb\u0007"}"#),
            (r#"up{s="{{service}}"}"#, "{{cluster}}", r#"up{s="{{cluster}}"}"#),
            ("rate(x[{{window}}])", "", "rate(x[90s])"),
            (r#"up{p=~"{{canaryPods}}"}"#, "", r#"up{p=~"a-1|a\\.2"}"#),
            (r#"up{p=~"{{stablePods}}"}"#, "", r#"up{p=~"no pods"}"#),
            (r#"up{r="{{revision}}",c="{{cluster}}"}"#, "", r#"up{r="6f9d",c="eu-west-1"}"#),
            ("up # {{nothing}}\n+ 1", "", "up \n+ 1"),
            (r#"up{s=~"a{{2}"}"#, "", r#"up{s=~"a{{2}"}"#),
        ];
        for (text, service, expect) in cases {
            assert_eq!(rendered(text, service).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_could_inject_is_refused() {
        let cases = [
            ("up{s={{service}}}", "must stand within quotes"),
            ("{{revision}}", "must stand within quotes"),
            ("up{s=`{{service}}`}", "backticks"),
            (r#"up{s="{{servce}}"}"#, "{{servce}}"),
            (r#"up{s="{{service}}"#, "closing quote"),
        ];
        for (text, expect) in cases {
            let error = rendered(text, "cart").expect_err(text);
            assert!(error.contains(expect) && error.starts_with("query: "), "{text}: {error}");
        }
    }

    #[test]
    fn label_values_are_filled_in_as_they_are() {
        let args = BTreeMap::from([("service".to_owned(), "ca\"rt".to_owned())]);
        let filled = fill_plain("f", "shop_{{service}}-stable_80", &args);
        assert_eq!(filled.ok().as_deref(), Some("shop_ca\"rt-stable_80"));
        assert!(fill_plain("f", "{{other}}", &args).is_err());
    }
}
