//! The front end's types, written from the schemas of the views.
//!
//! `UPDATE_GOLDEN=1 cargo test -p lockflight typescript` writes them anew.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::*;

const HEAD: &str = "// Written from controller/src/dashboard/view by `UPDATE_GOLDEN=1 cargo test -p lockflight typescript`.\n";

fn generated() -> String {
    // As written, absent fields included: `skip_serializing_if` makes a field optional.
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut add = |schema: fn(&mut SchemaGenerator) -> schemars::Schema| {
        schema(&mut generator);
    };
    add(SchemaGenerator::subschema_for::<Snapshot>);
    add(SchemaGenerator::subschema_for::<Frame>);
    add(SchemaGenerator::subschema_for::<Me>);
    add(SchemaGenerator::subschema_for::<Problem>);
    add(SchemaGenerator::subschema_for::<ActionRight>);
    add(SchemaGenerator::subschema_for::<HistoryPage>);
    add(SchemaGenerator::subschema_for::<CellState>);
    add(SchemaGenerator::subschema_for::<EvidencePage>);
    add(SchemaGenerator::subschema_for::<PlanPage>);
    let types: BTreeMap<String, Value> = generator.take_definitions(true).into_iter().collect();
    let mut text = HEAD.to_owned();
    for (name, schema) in types {
        let _ = write!(text, "\n{}", declaration(&name, &schema));
    }
    text
}

fn declaration(name: &str, schema: &Value) -> String {
    let comment = comment(schema, "");
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => {
            format!("{comment}export interface {name} {{\n{}}}\n", fields(schema, properties))
        }
        None => format!("{comment}export type {name} = {};\n", expression(schema)),
    }
}

fn fields(schema: &Value, properties: &Map<String, Value>) -> String {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut text = String::new();
    for (name, field) in properties {
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        let comment = comment(field, "  ");
        let _ = writeln!(text, "{comment}  {name}{mark}: {};", expression(field));
    }
    text
}

fn comment(schema: &Value, indent: &str) -> String {
    let text = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    if text.is_empty() { text } else { format!("{indent}/** {text} */\n") }
}

/// The type of a schema. What is not known here must not pass for `any`.
fn expression(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    for union in ["oneOf", "anyOf"] {
        if let Some(parts) = schema[union].as_array() {
            return parts.iter().map(expression).collect::<Vec<_>>().join(" | ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    match &schema["type"] {
        Value::String(kind) => simple(kind, schema),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .map(|kind| simple(kind, schema))
            .collect::<Vec<_>>()
            .join(" | "),
        other => panic!("a schema without a type: {other} in {schema}"),
    }
}

fn simple(kind: &str, schema: &Value) -> String {
    match kind {
        "string" | "boolean" | "null" => kind.to_owned(),
        "integer" | "number" => "number".to_owned(),
        "array" => {
            let item = expression(&schema["items"]);
            if item.contains('|') { format!("({item})[]") } else { format!("{item}[]") }
        }
        "object" => {
            format!("Record<string, {}>", expression(&schema["additionalProperties"]))
        }
        other => panic!("no type for {other}"),
    }
}

#[test]
fn typescript_is_what_the_views_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard/src/api/types.ts");
    let wanted = generated();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, wanted, "run UPDATE_GOLDEN=1 cargo test -p lockflight typescript");
}
