//! Server-side apply of objects that are known only as YAML or JSON.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

use crate::wait;

/// Field manager of everything that the testbed itself applies.
pub const FIELD_MANAGER: &str = "lockflight-testbed";
const CRD_DEADLINE: Duration = Duration::from_secs(30);
const AT_ONCE: usize = 8;

/// The documents of a YAML file.
pub fn documents(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    documents_of(&text).with_context(|| format!("parsing {}", path.display()))
}

/// The documents of a YAML text.
pub fn documents_of(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut options = serde_saphyr::Options::default();
    // The Gateway API's definitions are larger than what is right for a stranger's YAML.
    options.budget = None;
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// A typeless handle for objects such as `object`: its kind, and its namespace if it has one.
pub fn api_for(client: &kube::Client, object: &Value) -> anyhow::Result<Api<DynamicObject>> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let version = text("/apiVersion").context("an object without apiVersion")?;
    let kind = text("/kind").context("an object without kind")?;
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Ok(match text("/metadata/namespace") {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    })
}

/// Applies one object.
pub async fn apply(client: &kube::Client, object: &Value) -> anyhow::Result<DynamicObject> {
    let name = name(object)?;
    api_for(client, object)?
        .patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object))
        .await
        .with_context(|| format!("applying {} {name}", object["kind"]))
}

/// Applies objects, several at once.
pub async fn apply_all(client: &kube::Client, objects: &[Value]) -> anyhow::Result<()> {
    stream::iter(objects)
        .map(|object| apply(client, object))
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await
}

/// Applies `CustomResourceDefinition`s and waits until the API server serves them.
pub async fn apply_crds(client: &kube::Client, crds: &[Value]) -> anyhow::Result<()> {
    let created = crds.iter().map(|crd| create_or_apply(client, crd));
    stream::iter(created).buffer_unordered(AT_ONCE).try_for_each(async |()| Ok(())).await?;
    try_join_all(crds.iter().map(|crd| wait_served(client, crd))).await?;
    Ok(())
}

/// Creating costs the API server a fraction of applying, which matters with large definitions.
async fn create_or_apply(client: &kube::Client, object: &Value) -> anyhow::Result<()> {
    let new: DynamicObject = serde_json::from_value(object.clone())?;
    let options = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
    match api_for(client, object)?.create(&options, &new).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {
            apply(client, object).await.map(drop)
        }
        created => {
            created.with_context(|| format!("creating {}", object["metadata"]["name"]))?;
            Ok(())
        }
    }
}

/// The answer of discovery is small, where the definition itself can have hundreds of kilobytes.
async fn wait_served(client: &kube::Client, crd: &Value) -> anyhow::Result<()> {
    let (group, plural) = (&crd["spec"]["group"], &crd["spec"]["names"]["plural"]);
    let (Some(group), Some(plural)) = (group.as_str(), plural.as_str()) else {
        anyhow::bail!("a definition without a group or a plural name")
    };
    let versions = crd["spec"]["versions"].as_array().into_iter().flatten();
    for version in versions.filter(|v| v["served"] == true).filter_map(|v| v["name"].as_str()) {
        let what = format!("{plural}.{group}/{version} to be served");
        wait::until(&what, CRD_DEADLINE, async || {
            let served = client.list_api_group_resources(&format!("{group}/{version}")).await?;
            let found = served.resources.iter().any(|resource| resource.name == plural);
            anyhow::ensure!(found, "discovery does not list it");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Succeeds when the object's status has condition `kind` with status True.
pub fn condition(object: &Value, kind: &str) -> anyhow::Result<()> {
    let conditions = &object["status"]["conditions"];
    let found = conditions.as_array().is_some_and(|conditions| {
        conditions.iter().any(|c| c["type"] == kind && c["status"] == "True")
    });
    anyhow::ensure!(found, "no condition {kind}=True among {conditions}");
    Ok(())
}

fn name(object: &Value) -> anyhow::Result<&str> {
    object.pointer("/metadata/name").and_then(Value::as_str).context("an object without a name")
}
