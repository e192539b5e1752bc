//! The name of a revision.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::RolloutSpec;

/// Versions the algorithm: upgrading Lockflight must never start a rollout, so the hash of a
/// given spec may only change together with this text, and the text only with a migration.
const ALGORITHM: &str = "lockflight.dev/revision/v1";

/// Hexadecimal digits kept: 40 bits keep the chance of two of a service's revisions meeting
/// below one in a million for a thousand revisions.
const DIGITS: usize = 10;

/// The revision of a spec: one hash over the user's own JSON of what a release is (template and
/// ports; never replicas, waves, steps or gates). It is the same in every member.
///
/// JSON objects are hashed in key order, so field order and white space do not matter; values
/// are taken as written (`1000m` and `1` are two revisions).
#[must_use]
pub fn revision_of(spec: &RolloutSpec) -> String {
    let release = json!({
        "template": spec.template,
        "ports": spec.ports,
    });
    let mut hash = Sha256::new();
    hash.update(ALGORITHM);
    hash.update([0]);
    hash.update(canonical(&release).to_string());
    hash.finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(DIGITS)
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Sorts the keys whatever `serde_json`'s map is in this build (its `preserve_order` feature can
/// be switched on by any other crate).
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), canonical(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> RolloutSpec {
        serde_json::from_str(text).unwrap()
    }

    const FIRST: &str = r#"{
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "app", "image": "demo:v1"}]}},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        "traffic": {"gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": "checkout"}]}}
    }"#;

    #[test]
    fn fixed_by_a_vector() {
        assert_eq!(revision_of(&spec(FIRST)), "618e741e25");
    }

    #[test]
    fn order_and_replicas_do_not_matter_and_the_image_does() {
        let reordered = FIRST
            .replace(r#""name": "app", "image": "demo:v1""#, r#""image": "demo:v1", "name": "app""#)
            .replace(r#""replicas": 2"#, r#""replicas": 9"#);
        assert_eq!(revision_of(&spec(&reordered)), revision_of(&spec(FIRST)));
        let other = FIRST.replace("demo:v1", "demo:v2");
        assert_ne!(revision_of(&spec(&other)), revision_of(&spec(FIRST)));
    }
}
