//! The objects that a rollout needs, from files and from the hub.

use std::path::PathBuf;

use kube::{Api, CustomResourceExt, ResourceExt as _, api::ListParams};
use lockflight::{dashboard::unplannable, hub::Hub};
use lockflight_crds::{AnalysisTemplate, Cluster, GROUP, MetricProvider, Rollout};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Failure, past::text_of, session::Session};

/// Namespace of objects in files that name none.
pub(crate) const NAMESPACE_DEFAULT: &str = "default";

/// What files hold.
pub(crate) struct Files {
    /// The rollout.
    pub(crate) rollout: Rollout,
    /// Everything else that concerns it.
    pub(crate) hub: Hub,
    /// Whether they say which clusters there are.
    pub(crate) have_clusters: bool,
}

/// Reads files with one Rollout and with what it needs. Other kinds are passed over.
pub(crate) fn read(paths: &[PathBuf], namespace: Option<&str>) -> Result<Files, Failure> {
    let hub = Hub::default();
    let (mut rollouts, mut have_clusters) = (Vec::new(), false);
    for path in paths {
        let shown = path.display();
        let wrong = |why: String| Failure::State(format!("{shown}: {why}"));
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text_of(path)?)
            .map_err(|error| wrong(error.to_string()))?;
        for mut document in documents {
            let text = |pointer: &str| {
                document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (version, kind, name) =
                (text("/apiVersion"), text("/kind"), text("/metadata/name"));
            if !version.starts_with(&format!("{GROUP}/")) {
                continue;
            }
            let is_namespaced = matches!(kind.as_str(), "Rollout" | "AnalysisTemplate");
            if is_namespaced && text("/metadata/namespace").is_empty() {
                document["metadata"]["namespace"] = namespace.unwrap_or(NAMESPACE_DEFAULT).into();
            }
            let at = |why: String| Failure::Manifest {
                kind: kind.clone(),
                why: format!("{shown}: {kind} {name:?}: {why}"),
            };
            match kind.as_str() {
                "Rollout" => rollouts.push(parsed(&kind, document).map_err(at)?),
                "Cluster" => {
                    have_clusters = true;
                    hub.clusters.put(parsed::<Cluster>(&kind, document).map_err(at)?);
                }
                "AnalysisTemplate" => {
                    hub.templates.put(parsed::<AnalysisTemplate>(&kind, document).map_err(at)?);
                }
                "MetricProvider" => {
                    hub.providers.put(parsed::<MetricProvider>(&kind, document).map_err(at)?);
                }
                _ => {}
            }
        }
    }
    match <[Rollout; 1]>::try_from(rollouts) {
        Ok([rollout]) => Ok(Files { rollout, hub, have_clusters }),
        Err(rollouts) => Err(Failure::State(format!(
            "the files hold {} rollouts of {GROUP}; give exactly one",
            rollouts.len()
        ))),
    }
}

/// A field that the hub would not have must not look as if it were planned with. What a live
/// object carries beside its spec is no mistake.
fn parsed<K: DeserializeOwned + CustomResourceExt>(
    kind: &str,
    document: Value,
) -> Result<K, String> {
    let called = if kind.starts_with('A') { format!("an {kind}") } else { format!("a {kind}") };
    let spec = document.get("spec");
    let problems = spec.map(|spec| unplannable::<K>(&called, spec)).unwrap_or_default();
    if !problems.is_empty() {
        return Err(problems.join("; "));
    }
    serde_json::from_value(document).map_err(|error| error.to_string())
}

/// Adds the templates of a namespace that stand on the hub, where the files do not say otherwise.
pub(crate) async fn add_templates(
    hub: &Hub,
    session: &Session,
    namespace: &str,
) -> Result<(), Failure> {
    let templates: Api<AnalysisTemplate> = Api::namespaced(session.client().clone(), namespace);
    for template in session.ask(templates.list(&ListParams::default())).await? {
        if hub.templates.select(|known| known.name_any() == template.name_any()).is_empty() {
            hub.templates.put(template);
        }
    }
    Ok(())
}

/// Adds the clusters that stand on the hub, and their providers where the files do not say
/// otherwise.
pub(crate) async fn add_clusters(hub: &Hub, session: &Session) -> Result<(), Failure> {
    let clusters: Api<Cluster> = Api::all(session.client().clone());
    let providers: Api<MetricProvider> = Api::all(session.client().clone());
    for cluster in session.ask(clusters.list(&ListParams::default())).await? {
        hub.clusters.put(cluster);
    }
    for provider in session.ask(providers.list(&ListParams::default())).await? {
        if hub.providers.select(|known| known.name_any() == provider.name_any()).is_empty() {
            hub.providers.put(provider);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../docs/examples/rollout.yaml");

    fn read_text(text: &str) -> Result<Files, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollout.yaml");
        std::fs::write(&path, text).unwrap();
        read(&[path], None)
    }

    fn changed(from: &str, to: &str) -> String {
        assert!(EXAMPLE.contains(from), "{from}");
        EXAMPLE.replacen(from, to, 1)
    }

    #[test]
    fn a_misspelt_field_is_refused_with_its_path_and_what_helps() {
        for (from, to, why) in [
            ("  replicas: 6", "  replikas: 6", "spec.replikas is no field of a Rollout"),
            (
                "    maxConcurrent:",
                "    maxConcurent:",
                "spec.waves[0].maxConcurent is no field of a Rollout",
            ),
            (
                "clusterSelector:",
                "clustersSelector:",
                "spec.placement.clustersSelector is no field",
            ),
            ("  replicas: 6", "  replicas: many", "invalid type"),
        ] {
            let Err(failure) = read_text(&changed(from, to)) else { panic!("{to} is planned") };
            let text = failure.to_string();
            assert!(text.contains(why) && text.contains("Rollout \"checkout\""), "{to}: {text}");
            let remedy = failure.remedy().unwrap_or_default();
            assert!(remedy.contains("kubectl explain rollout.spec"), "{remedy}");
        }
        let template = include_str!("../../docs/examples/analysis-template.yaml");
        let misspelt = template.replacen("warmUp:", "warmup:", 1);
        let Err(failure) = read_text(&misspelt) else { panic!("warmup is planned") };
        assert!(
            failure.to_string().contains(".warmup is no field of an AnalysisTemplate"),
            "{failure}"
        );
        assert!(failure.remedy().unwrap_or_default().contains("analysistemplate.spec"));
    }

    #[test]
    fn what_a_live_object_carries_is_accepted() {
        let live = "metadata:\n  uid: u-1\n  managedFields:\n  - manager: kubectl\n";
        let text = changed("metadata:\n", live) + "status:\n  wave: 1/2 first\n";
        assert_eq!(read_text(&text).unwrap().rollout.spec.replicas, 6);
        // The template of the pods is the API server's to check.
        let free = changed("containers:\n", "anything: goes\n      containers:\n");
        assert!(read_text(&free).is_ok());
    }
}
