//! Server-side apply of objects that are known only as YAML or JSON.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

use crate::wait;

/// Field manager of everything that the testbed itself applies.
pub const FIELD_MANAGER: &str = "lockflight-testbed";
const CRD_DEADLINE: Duration = Duration::from_secs(30);
const AT_ONCE: usize = 8;

/// The documents of a YAML file.
pub fn documents(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading {}", path.display()))?;
    let options = serde_saphyr::Options { budget: None, ..Default::default() };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, options)
        .with_context(|| format!("parsing {}", path.display()))?;
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

/// Applies CustomResourceDefinitions and waits until the API server serves them.
pub async fn apply_crds(client: &kube::Client, crds: &[Value]) -> anyhow::Result<()> {
    apply_all(client, crds).await?;
    for crd in crds {
        let (api, name) = (api_for(client, crd)?, name(crd)?);
        wait::until(&format!("CRD {name} to be served"), CRD_DEADLINE, async || {
            condition(&api.get(name).await?.data, "Established")
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
