//! The API: one page for each kind's spec, and one for each status that is large.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use crate::cell;

/// A part with more fields than this has a page of its own.
const FIELDS_MAX: usize = 60;

/// Pages by their path.
pub(crate) fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for crd in lockflight_crds::custom_resource_definitions() {
        add(&crd, &mut pages);
    }
    pages
}

fn add(crd: &Value, pages: &mut BTreeMap<String, String>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names = &crd["spec"]["names"];
    let (kind, file) = (text(&names["kind"]), text(&names["singular"]));
    let version = &crd["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    let parts = ["spec", "status"].map(|part| (part, fields(&schema["properties"][part], part)));
    let mut page = format!("# {kind}\n\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "`{}/{}`, {}. {}\n",
        text(&crd["spec"]["group"]),
        text(&version["name"]),
        if crd["spec"]["scope"] == "Cluster" { "one for the whole hub" } else { "in a namespace" },
        paragraph(&schema["description"])
    );
    for (part, fields) in parts.iter().filter(|(_, fields)| !fields.is_empty()) {
        let title = format!("{kind}: {part}");
        if *part == "status" && fields.len() > FIELDS_MAX {
            let _ = writeln!(page, "Its status: [{title}]({file}-status.md).\n");
            let mut own = format!(
                "# {title}\n\nWritten by the hub. {}\n\n",
                paragraph(&schema["properties"][*part]["description"])
            );
            table(fields, &mut own);
            pages.insert(format!("docs/reference/api/{file}-status.md"), own);
        } else {
            let _ = writeln!(page, "## {part}\n");
            table(fields, &mut page);
        }
    }
    pages.insert(format!("docs/reference/api/{file}.md"), page.trim_end().to_owned() + "\n");
}

struct Field {
    path: String,
    kind: String,
    meaning: String,
}

fn table(fields: &[Field], page: &mut String) {
    page.push_str("| Field | Type | Meaning |\n|---|---|---|\n");
    for Field { path, kind, meaning } in fields {
        let _ = writeln!(page, "| `{path}` | {kind} | {meaning} |");
    }
    page.push('\n');
}

/// All fields below a schema, depth first, in the order of their names.
fn fields(schema: &Value, path: &str) -> Vec<Field> {
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name))
    };
    let mut found = Vec::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let mut path = format!("{path}.{name}");
        let mut inner = field;
        if field["items"].is_object() {
            path.push_str("[]");
            inner = &field["items"];
        } else if field["additionalProperties"].is_object() {
            path.push_str(".*");
            inner = &field["additionalProperties"];
        }
        found.push(Field {
            path: path.clone(),
            kind: kind(field),
            meaning: meaning(field, required(name)),
        });
        found.extend(fields(inner, &path));
    }
    found
}

/// Type of a field for a reader, with the values or bounds that it has to keep to.
fn kind(field: &Value) -> String {
    let values = field["enum"].as_array().or_else(|| field["items"]["enum"].as_array());
    if let Some(values) = values {
        let values = values.iter().filter(|value| !value.is_null());
        let values: Vec<String> = values.map(|value| format!("`{}`", plain(value))).collect();
        return values.join(", ");
    }
    let own = match field["type"].as_str() {
        Some("array") => format!("list of {}", kind(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map to {}", kind(&field["additionalProperties"]))
        }
        Some(name) => name.to_owned(),
        None if field["x-kubernetes-int-or-string"] == true => "number or string".to_owned(),
        None => "any".to_owned(),
    };
    let bound = |name: &str| field[name].as_i64();
    let unit = match field["type"].as_str() {
        Some("string") => ("minLength", "maxLength", " characters"),
        Some("array") => ("minItems", "maxItems", " entries"),
        _ => ("minimum", "maximum", ""),
    };
    match (bound(unit.0), bound(unit.1)) {
        (Some(low), Some(high)) => format!("{own}, {low} to {high}{}", unit.2),
        (None, Some(high)) => format!("{own}, at most {high}{}", unit.2),
        (Some(low), None) => format!("{own}, at least {low}{}", unit.2),
        (None, None) => own,
    }
}

fn meaning(field: &Value, required: bool) -> String {
    let mut text = cell(&paragraph(&field["description"]));
    if required {
        text = format!("**Required.** {text}");
    }
    match &field["default"] {
        Value::Null => {}
        Value::Object(fields) if fields.is_empty() => {}
        // Most descriptions say it themselves.
        _ if text.to_lowercase().contains("default") => {}
        default => {
            let _ = write!(text, " Default: `{}`.", cell(&plain(default)));
        }
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn paragraph(description: &Value) -> String {
    description.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
