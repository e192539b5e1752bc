//! Somebody else writes the route, or nobody may.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::rbac::v1::Role;
use kube::Api;
use kube::api::PostParams;
use lockflight_crds::{Rollout, names};
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::wait;
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::{evidence, look};

/// Several times what the hub takes to answer a change.
const WATCHED: Duration = Duration::from_secs(4);

/// On trial in m1 at 30 %, where a person has to agree.
async fn on_trial(bed: &Bed, namespace: &str) -> anyhow::Result<DemoService> {
    let mut settings = Settings::default().only(&["m1"]).steps(&[(30, 0), (100, 0)]).ungated();
    settings.steps[0]["approval"] = json!("After");
    let service = bed.running(namespace, settings).await?;
    service.release(&Release::new("v2")).await?;
    let waits = |rollout: &Rollout| look::is_current(rollout) && !look::tokens(rollout).is_empty();
    service.wait_for("v2 to be on trial", RELEASE, waits).await?;
    Ok(service)
}

/// Sets the weights in m1 as another tool would.
async fn set_weights(
    bed: &Bed,
    service: &DemoService,
    manager: &str,
    canary: u8,
) -> anyhow::Result<()> {
    let patch = json!([
        { "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 100 - canary },
        { "op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": canary },
    ])
    .to_string();
    let manager = format!("--field-manager={manager}");
    let (namespace, name) = (service.namespace(), service.name());
    let target =
        ["patch", "httproute", name, "-n", namespace, &manager, "--type=json", "-p", &patch];
    bed.fleet.member("m1")?.cluster.kubectl(&target).await?;
    Ok(())
}

/// A foreign weight is named, is not fought over, and does not stop an abort.
pub(crate) async fn foreign_weight_is_named_and_not_fought(bed: &Bed) -> anyhow::Result<()> {
    let service = on_trial(bed, "foreign").await?;
    let load = service.load_in(&["m1"], RPS)?;
    let begun = now();
    set_weights(bed, &service, "argocd-controller", 70).await?;
    let conflict = |rollout: &Rollout| look::condition(rollout, "TrafficConflict").is_some();
    let rollout = service.wait_for("a TrafficConflict", SOON, conflict).await?;
    let (_, message) = look::condition(&rollout, "TrafficConflict").context("no condition")?;
    ensure!(message.contains("argocd-controller"), "the condition says {message:?}");
    ensure!(message.contains("m1"), "the condition says {message:?}");
    let note = look::event(&service, "TrafficConflict").await?;
    ensure!(note.contains("argocd-controller"), "the Event says {note:?}");
    let gone = |rollout: &Rollout| look::condition(rollout, "TrafficConflict").is_none();
    service.never("the conflict went away by itself", WATCHED, gone).await?;
    let fought = evidence::writes(&bed.fleet.member("m1")?.cluster, service.namespace(), begun)?;
    ensure!(fought.is_empty(), "the hub fought: {fought:?}");
    ensure!(service.weights("m1").await? == (30, 70), "{:?}", service.weights("m1").await?);

    service.annotate(names::ABORT_ANNOTATION, "take it back").await?;
    service.aborted(SOON).await?;
    ensure!(service.weights("m1").await? == (100, 0), "{:?}", service.weights("m1").await?);
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}

/// The route may not be written: the selectors alone take the traffic off.
pub(crate) async fn abort_takes_the_traffic_off_where_the_route_may_not_be_written(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = on_trial(bed, "locked-route").await?;
    let load = service.load_in(&["m1"], RPS)?;
    let roles: Api<Role> =
        Api::namespaced(service.place("m1")?.client.clone(), service.namespace());
    let mut role = roles.get("lockflight").await?;
    for rule in role.rules.iter_mut().flatten() {
        if rule.resources.iter().flatten().any(|resource| resource == "httproutes") {
            rule.verbs.retain(|verb| verb != "patch");
        }
    }
    roles.replace("lockflight", &PostParams::default(), &role).await?;
    set_weights(bed, &service, "argocd-controller", 60).await?;
    service.annotate(names::ABORT_ANNOTATION, "take it back").await?;
    let rollout = service.aborted(SOON).await?;
    let off = load.snapshot();
    let more = || load.snapshot().in_member("m1", "v1") > off.in_member("m1", "v1") + 50;
    wait::until("fifty more answers", SOON, async || {
        ensure!(more(), "{}", load.snapshot());
        Ok(())
    })
    .await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    ensure!(
        report.in_member("m1", "v2") == off.in_member("m1", "v2"),
        "v2 still serves after the abort: first {off} then {report}"
    );
    ensure!(service.weights("m1").await? == (40, 60), "{:?}", service.weights("m1").await?);
    let base = look::member(&rollout, "m1").and_then(|member| member.base.clone());
    let base = base.and_then(|base| base.revision).context("no base")?;
    ensure!(base != look::revision(&rollout), "the base is the revision on trial");
    look::services_select(&service, service.place("m1")?, &base).await
}
