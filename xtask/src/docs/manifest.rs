//! YAML in the documentation: what is ours must be what the types accept, field by field.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use lockflight_crds::{AnalysisTemplate, Cluster, GROUP, MetricProvider, Rollout};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What is wrong with a YAML text of any number of documents.
pub(super) fn complaints(yaml: &str) -> Vec<String> {
    match serde_saphyr::from_multiple::<Value>(yaml) {
        Ok(documents) => documents.iter().flat_map(complaints_about).collect(),
        Err(error) => vec![format!("not YAML: {error}")],
    }
}

fn complaints_about(document: &Value) -> Vec<String> {
    let text = |key: &str| document[key].as_str().unwrap_or_default();
    let Some((GROUP, version)) = text("apiVersion").split_once('/') else {
        return Vec::new();
    };
    match (version, text("kind")) {
        ("v1alpha1", "AnalysisTemplate") => strict::<AnalysisTemplate>(document),
        ("v1alpha1", "Cluster") => strict::<Cluster>(document),
        ("v1alpha1", "MetricProvider") => strict::<MetricProvider>(document),
        ("v1alpha1", "Rollout") => {
            let mut found = strict::<Rollout>(document);
            found.extend(strict::<PodTemplateSpec>(&document["spec"]["template"]));
            found
        }
        (version, kind) => vec![format!("there is no kind {kind:?} in {GROUP}/{version}")],
    }
}

/// Types ignore fields that they do not know; what does not come back was not understood.
fn strict<T: DeserializeOwned + Serialize>(written: &Value) -> Vec<String> {
    let understood = serde_json::from_value::<T>(written.clone()).and_then(serde_json::to_value);
    match understood {
        Ok(understood) => {
            let mut lost = Vec::new();
            compare(written, &understood, "", &mut lost);
            lost
        }
        Err(error) => vec![error.to_string()],
    }
}

/// Defaults may be added; nothing that was written may be lost or changed.
fn compare(written: &Value, understood: &Value, path: &str, lost: &mut Vec<String>) {
    match (written, understood) {
        (Value::Object(written), Value::Object(understood)) => {
            for (key, value) in written {
                let path = format!("{path}.{key}");
                match understood.get(key) {
                    Some(understood) => compare(value, understood, &path, lost),
                    None => lost.push(format!("{path} is not a field")),
                }
            }
        }
        (Value::Array(written), Value::Array(understood)) if written.len() == understood.len() => {
            for (index, (written, understood)) in written.iter().zip(understood).enumerate() {
                compare(written, understood, &format!("{path}[{index}]"), lost);
            }
        }
        (written, understood) if written == understood => {}
        _ => lost.push(format!("{path} is understood as {understood}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = "\
apiVersion: lockflight.dev/v1alpha1
kind: Cluster
metadata: {name: eu-west-1, labels: {tier: prod}}
spec:
  server: https://eu-west-1.example:6443
  credentials: {secretName: eu-west-1}
";

    #[test]
    fn accepts_what_is_right_and_what_is_not_ours() {
        assert_eq!(complaints(CLUSTER), Vec::<String>::new());
        let two = format!("{CLUSTER}---\napiVersion: v1\nkind: Secret\nwhatever: true\n");
        assert_eq!(complaints(&two), Vec::<String>::new());
    }

    #[test]
    fn refuses_unknown_fields_kinds_and_what_is_no_yaml() {
        let found = complaints(&CLUSTER.replace("  credentials", "  creds: {}\n  credentials"));
        assert_eq!(found, [".spec.creds is not a field"]);
        let found = complaints(&CLUSTER.replace("labels:", "label:"));
        assert_eq!(found, [".metadata.label is not a field"]);
        assert!(complaints(&CLUSTER.replace("  server", "  serve"))[0].contains("server"));
        assert!(complaints(&CLUSTER.replace("kind: Cluster", "kind: Klaster"))[0].contains("kind"));
        assert!(complaints("a: [").first().is_some_and(|why| why.contains("not YAML")));
    }
}
