//! The objects that a rollout needs, from files and from the hub.

use std::path::PathBuf;

use kube::{Api, ResourceExt as _, api::ListParams};
use lockflight::hub::Hub;
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
            let at = |error: serde_json::Error| wrong(format!("{kind} {name:?}: {error}"));
            match kind.as_str() {
                "Rollout" => rollouts.push(parsed(document).map_err(at)?),
                "Cluster" => {
                    have_clusters = true;
                    hub.clusters.put(parsed::<Cluster>(document).map_err(at)?);
                }
                "AnalysisTemplate" => {
                    hub.templates.put(parsed::<AnalysisTemplate>(document).map_err(at)?);
                }
                "MetricProvider" => {
                    hub.providers.put(parsed::<MetricProvider>(document).map_err(at)?);
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

fn parsed<K: DeserializeOwned>(document: Value) -> serde_json::Result<K> {
    serde_json::from_value(document)
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
