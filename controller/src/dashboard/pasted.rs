//! A manifest of a Rollout as text: the one that stands, to start from, and one that somebody has
//! pasted, to see its plan before it is applied.

use std::sync::LazyLock;

use kube::{CustomResourceExt, Resource as _, ResourceExt as _};
use lockflight_crds::Rollout;
use serde_json::{Map, Value, json};

use crate::shelf::Key;

/// Problems that are told at once; the rest shows when these are gone.
const TOLD_MAX: usize = 5;

/// The schema of a Rollout's `spec`.
static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<Rollout>);

/// The schema of `spec` as the API server has it.
fn schema_of<K: CustomResourceExt>() -> Value {
    let crd = serde_json::to_value(K::crd()).unwrap_or_default();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    schema.cloned().unwrap_or_default()
}

/// Why a manifest has no plan, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unplanned {
    pub(super) why: String,
    pub(super) remedy: String,
}

impl Unplanned {
    pub(super) fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into() }
    }
}

/// What somebody would have to apply to get the Rollout as it stands.
pub(super) fn manifest_of(rollout: &Rollout) -> Option<String> {
    let mut spec = serde_json::to_value(&rollout.spec).ok()?;
    drop_nulls(&mut spec);
    let mut metadata = Map::from_iter([("name".to_owned(), rollout.name_any().into())]);
    if let Some(namespace) = rollout.namespace() {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    let manifest = json!({
        "apiVersion": Rollout::api_version(&()),
        "kind": Rollout::kind(&()),
        "metadata": metadata,
        "spec": spec,
    });
    serde_saphyr::to_string(&manifest).ok()
}

/// Fields that were left out need not be read by a person.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Reads a manifest of the Rollout `key`. Fields that the schema does not know and lists that are
/// too long are refused; its patterns and rules are left to the API server. What the manifest says
/// of an attempt that once was binds nobody.
pub(super) fn read(manifest: &str, key: &Key) -> Result<Rollout, Unplanned> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).map_err(|error| {
        Unplanned::new(
            format!("the manifest is no YAML: {}", first_line(&error.to_string())),
            "correct the text at this place",
        )
    })?;
    let Ok([document]) = <[Value; 1]>::try_from(documents) else {
        return Err(Unplanned::new(
            "the manifest must be one document",
            "leave one Rollout and nothing else; templates and clusters are those of the hub",
        ));
    };
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    for (field, pointer, wanted, may_lack) in [
        ("apiVersion", "/apiVersion", &*Rollout::api_version(&()), false),
        ("kind", "/kind", &*Rollout::kind(&()), false),
        // Templates are looked up there: those of others are not for this page to tell.
        ("metadata.namespace", "/metadata/namespace", key.namespace.as_str(), true),
        ("metadata.name", "/metadata/name", key.name.as_str(), true),
    ] {
        let is_absent = document.pointer(pointer).is_none_or(Value::is_null);
        if text(pointer) != Some(wanted) && !(may_lack && is_absent) {
            return Err(Unplanned::new(
                format!("{field} is not {wanted:?}"),
                format!("write {field}: {wanted}"),
            ));
        }
    }
    let spec = document.get("spec").cloned().unwrap_or_default();
    let mut found = Vec::new();
    differences(&SCHEMA, &spec, "a Rollout", "spec", &mut found);
    if !found.is_empty() {
        let remedy = "kubectl explain rollout.spec --recursive lists the fields and their bounds";
        return Err(Unplanned::new(found.join("; "), remedy));
    }
    let spec = serde_path_to_error::deserialize(spec).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "spec".to_owned() } else { format!("spec.{path}") };
        let remedy = format!("correct {field}; kubectl explain rollout.spec tells its type");
        Unplanned::new(format!("{field}: {}", error.into_inner()), remedy)
    })?;
    let mut rollout = Rollout::new(&key.name, spec);
    rollout.metadata.namespace = Some(key.namespace.clone());
    Ok(rollout)
}

/// Errors of YAML draw the place below their first line.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// What of the `spec` of an object of this kind the API server would drop or refuse: fields that
/// the schema does not know, and lists that are too long. Patterns and rules are left to it.
/// `kind`: as it is called in a sentence, for example `a Rollout`.
#[must_use]
pub fn unplannable<K: CustomResourceExt>(kind: &str, spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    differences(&schema_of::<K>(), spec, kind, "spec", &mut found);
    found
}

/// Fields that the schema does not know, and lists that are longer than it lets them be. A field
/// that the API server would drop, or refuse, must not look as if it were planned with.
fn differences(schema: &Value, value: &Value, kind: &str, path: &str, found: &mut Vec<String>) {
    if found.len() >= TOLD_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            let known = schema.get("properties");
            let is_free = known.is_none() || schema["x-kubernetes-preserve-unknown-fields"] == true;
            for (name, field) in fields {
                let inner = known.and_then(|known| known.get(name));
                match inner.or_else(|| schema.get("additionalProperties")) {
                    Some(inner) => {
                        differences(inner, field, kind, &format!("{path}.{name}"), found);
                    }
                    None if is_free => {}
                    None => found.push(format!("{path}.{name} is no field of {kind}")),
                }
            }
        }
        Value::Array(items) => {
            let most = schema["maxItems"].as_u64();
            if let Some(most) = most.filter(|most| items.len() as u64 > *most) {
                found.push(format!("{path} has {} items, at most {most} are allowed", items.len()));
                return;
            }
            for (index, item) in items.iter().enumerate() {
                differences(&schema["items"], item, kind, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::view::testing;

    const EXAMPLE: &str = include_str!("../../../docs/examples/rollout.yaml");

    fn key() -> Key {
        Key::new("shop", "checkout")
    }

    fn refused(from: &str, to: &str) -> Unplanned {
        assert!(EXAMPLE.contains(from), "{from}");
        read(&EXAMPLE.replacen(from, to, 1), &key()).unwrap_err()
    }

    #[test]
    fn what_stands_is_read_back_as_it_stands() {
        for rollout in [testing::progressing(), read(EXAMPLE, &key()).unwrap()] {
            let again = read(&manifest_of(&rollout).unwrap(), &key()).unwrap();
            let (before, after) = (json!(rollout.spec), json!(again.spec));
            assert_eq!(before, after);
            assert!(again.status.is_none());
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_field_and_what_helps() {
        for (from, to, why) in [
            ("kind: Rollout", "kind: Deployment", "kind is not \"Rollout\""),
            ("v1alpha1", "v9", "apiVersion is not"),
            ("namespace: shop", "namespace: bank", "metadata.namespace is not \"shop\""),
            ("namespace: shop", "namespace: 7", "metadata.namespace is not \"shop\""),
            ("  replicas: 6", "  replikas: 6", "spec.replikas is no field"),
            ("    maxConcurrent: 1\n", "    atOnce: 1\n", "spec.waves[0].atOnce is no field"),
            ("  replicas: 6", "  replicas: many", "spec.replicas: invalid type"),
            ("weight: 33", "weight: [1]", "spec.strategy.canary.steps[2].weight"),
            ("approval: Before", "approval: Perhaps", "spec.waves[1].approval: unknown variant"),
            ("spec:", "spec: [", "the manifest is no YAML"),
            ("spec:", "---\nspec:", "one document"),
        ] {
            let found = refused(from, to);
            assert!(found.why.contains(why), "{to}: {found:?}");
            assert!(!found.remedy.is_empty() && !found.why.contains('\n'), "{found:?}");
        }
        for text in ["", "7", "- a", "kind: Rollout"] {
            assert!(read(text, &key()).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_and_references_are_bounded() {
        let steps = "      - weight: 5\n".repeat(200);
        let found = refused("      - weight: 5\n", &steps);
        assert!(found.why.contains("spec.strategy.canary.steps has 204 items"), "{found:?}");
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, last) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip("abcdefg".chars()) {
            let ten = vec![format!("*{last}"); 10].join(", ");
            bomb = format!("{bomb}{name}: &{name} [{ten}]\n");
        }
        assert!(read(&bomb, &key()).unwrap_err().why.contains("no YAML"));
    }
}
