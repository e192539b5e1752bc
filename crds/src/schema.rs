//! Schemas that derive macros cannot express, and the CRDs as they are shipped.

use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{AnalysisTemplate, Cluster, MetricProvider, Rollout, names::ROLLOUT_NAME_LENGTH_MAX};

/// An object whose fields the hub does not check.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// `metav1.Condition`s, merged by type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "Kind of the condition."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds."},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0, "description": "Generation of the spec it was judged for."},
                "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When the status last changed."},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Reason in one word."},
                "message": {"type": "string", "maxLength": 32768, "description": "Reason in a sentence."}
            }
        }
    })
}

/// The four CRDs as shipped, each as one JSON document.
#[must_use]
pub fn custom_resource_definitions() -> Vec<Value> {
    let mut crds: Vec<Value> =
        [AnalysisTemplate::crd(), Cluster::crd(), MetricProvider::crd(), Rollout::crd()]
            .iter()
            .map(|crd| json!(crd))
            .collect();
    for crd in &mut crds {
        simplify(crd);
        limit_name(crd);
    }
    crds
}

/// Derived schemas mark each `Option` as nullable and give titles; Kubernetes' own types do
/// neither, and `null` would be a second spelling of absent.
fn simplify(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_schema =
                map.contains_key("type") || map.contains_key("x-kubernetes-int-or-string");
            if is_schema {
                map.remove("nullable");
                if map.get("title").is_some_and(Value::is_string) {
                    map.remove("title");
                }
                // Of Rust's integer widths Kubernetes knows two.
                match map.get("format").and_then(Value::as_str) {
                    Some("uint8" | "uint16" | "int8" | "int16" | "uint32") => {
                        map.insert("format".to_owned(), json!("int32"));
                    }
                    Some("uint64") => {
                        map.insert("format".to_owned(), json!("int64"));
                    }
                    _ => {}
                }
                if let Some(Value::Array(values)) = map.get_mut("enum") {
                    values.retain(|value| !value.is_null());
                }
            }
            map.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn limit_name(crd: &mut Value) {
    if crd.pointer("/spec/names/kind") != Some(&json!("Rollout")) {
        return;
    }
    if let Some(schema) = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        schema["x-kubernetes-validations"] = json!([{
            "rule": format!("size(self.metadata.name) <= {ROLLOUT_NAME_LENGTH_MAX}"),
            "message": format!("metadata.name must be at most {ROLLOUT_NAME_LENGTH_MAX} characters: names of Services and pods are derived from it"),
        }]);
    }
}
