//! The CRDs as files of the chart.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::workspace::{root, verdict};

/// `kubectl apply` without `--server-side` keeps the object in an annotation of at most 256 KiB;
/// the rest is room for one more version.
const SIZE_MAX: usize = 200 * 1024;

/// First line of every file.
const HEADER: &str =
    "# Generated from the crate lockflight-crds by `cargo xtask crd`. Do not edit.\n";

fn folder() -> PathBuf {
    root().join("helm/lockflight/files/crds")
}

/// Files by name, as they have to be.
fn files() -> Result<BTreeMap<String, String>> {
    let file = |crd: &Value| {
        let name = crd["metadata"]["name"].as_str().context("a CRD without a name")?;
        let yaml = serde_saphyr::to_string(crd)?;
        Ok((format!("{name}.yaml"), format!("{HEADER}{yaml}")))
    };
    lockflight_crds::custom_resource_definitions().iter().map(file).collect()
}

/// Writes the files.
pub(crate) fn write() -> Result<String> {
    fs::create_dir_all(folder())?;
    let files = files()?;
    for (name, content) in &files {
        let path = folder().join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(format!("wrote {} CRDs", files.len()))
}

/// Compares the files with the types, and the types with our rules.
pub(crate) fn check() -> Result<String> {
    let crds = lockflight_crds::custom_resource_definitions();
    let mut complaints = drift(&files()?);
    for crd in &crds {
        complaints.extend(broken_rules(crd));
    }
    verdict(&complaints, format!("{} CRDs are as the types say", crds.len()))
}

fn drift(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, content) in files {
        if fs::read_to_string(folder().join(name)).ok().as_ref() != Some(content) {
            complaints.push(format!("{name} is not what the types say: run `cargo xtask crd`"));
        }
    }
    for entry in fs::read_dir(folder()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            complaints.push(format!("{name} in the chart's crds belongs to no type: remove it"));
        }
    }
    complaints
}

/// What `kubectl explain` and `kubectl apply` need from a CRD.
fn broken_rules(crd: &Value) -> Vec<String> {
    let name = crd["metadata"]["name"].as_str().unwrap_or_default();
    let text = crd.to_string();
    let mut complaints = Vec::new();
    if text.len() > SIZE_MAX {
        complaints.push(format!("{name} has {} bytes, more than {SIZE_MAX}", text.len()));
    }
    if text.contains("\"nullable\"") {
        complaints.push(format!("{name} has nullable fields: null is a second spelling of absent"));
    }
    for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
        let schema = &version["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            let part_schema = &schema["properties"][part];
            undescribed(part_schema, &format!("{name} {part}"), &mut complaints);
        }
    }
    complaints
}

/// Fields below a schema that say nothing about themselves.
fn undescribed(schema: &Value, path: &str, complaints: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if field["description"].as_str().is_none_or(str::is_empty) {
            complaints.push(format!("{path} has no description"));
        }
        undescribed(field, &path, complaints);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            undescribed(&schema[inner], &format!("{path}[]"), complaints);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_chart_has_what_the_types_say() {
        check().unwrap();
    }

    #[test]
    fn the_yaml_says_the_same_as_the_types() {
        let crds = lockflight_crds::custom_resource_definitions();
        for (crd, yaml) in crds.iter().zip(files().unwrap().values()) {
            let read: Value = serde_saphyr::from_str(yaml).unwrap();
            assert_eq!(read, *crd);
        }
    }

    #[test]
    fn finds_what_breaks_a_rule() {
        let field = json!({"type": "array", "description": "Things.", "items": {
            "properties": {"silent": {"type": "string", "nullable": true}},
        }});
        let schema = json!({"properties": {"spec": {"properties": {"things": field}}}});
        let crd = json!({
            "metadata": {"name": "things.lockflight.dev"},
            "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]},
        });
        let complaints = broken_rules(&crd);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("nullable"));
        assert!(complaints[1].contains("spec.things[].silent has no description"));
    }
}
