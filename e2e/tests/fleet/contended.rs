//! Others write to the objects that the hub writes to, at the same time.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use lockflight_e2e::addresses::HUB_CONTROLLER;
use lockflight_e2e::audit::{Event, LOCKFLIGHT};
use lockflight_e2e::reach::Reach;
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::{http, wait};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};

/// What the hub sees of a member is so old, and what it writes comes so late: between the two
/// somebody else has always written.
const LATENCY: Duration = Duration::from_millis(100);
/// What the hub writes in a member: group, kind, plural.
const KINDS: [(&str, &str, &str); 3] = [
    ("apps", "Deployment", "deployments"),
    ("", "Service", "services"),
    ("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
];

/// Delays the hub's lines to a member until it is dropped.
struct Slow<'a>(&'a Reach);

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        self.0.set_latency(Duration::ZERO);
    }
}

/// A write that comes too late is not forced: the object is read again, and the release goes on.
pub(crate) async fn writes_of_others_cost_another_try_and_nothing_else(
    bed: &Bed,
) -> anyhow::Result<()> {
    let settings = Settings::default().only(&["m1"]).steps(&[(40, 0), (100, 0)]).ungated();
    let service = bed.running("contended", settings).await?;
    let load = service.load_in(&["m1"], RPS)?;
    let (begun, slow) = (now(), Slow(&bed.fleet.member("m1")?.reach));
    slow.0.set_latency(LATENCY);
    service.release(&Release::new("v2")).await?;
    let [deployments, services, routes] = KINDS.map(|kind| contend(&service, kind));
    tokio::try_join!(deployments, services, routes)?;
    drop(slow);
    service.completed(RELEASE).await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    ensure!(report.of_version("v2") > 0, "v2 never served: {report}");
    ensure!(service.weights("m1").await? == (100, 0), "{:?}", service.weights("m1").await?);

    let member = &bed.fleet.member("m1")?.cluster;
    // A write may be too late at this very moment, by chance: its read follows.
    wait::until("every late write to be followed by a read", SOON, async || {
        let log = member.audit()?.by_user(LOCKFLIGHT).since(begun);
        let log = log.only(|event| event.namespace() == Some(service.namespace()));
        for (_, _, plural) in KINDS {
            let of_kind = || log.iter().filter(|event| event.resource() == plural);
            let late = of_kind().filter(|event| is_late(event)).count();
            let read = of_kind().filter(|event| event.verb == "get").count();
            ensure!(late > 0 && read == late, "{plural}: {late} late writes, {read} reads");
        }
        Ok(())
    })
    .await
}

/// The test of a JSON patch that fails is answered with 422.
fn is_late(event: &Event) -> bool {
    event.is_write() && matches!(event.code(), Some(409 | 422))
}

/// Writes annotations to all objects of a kind, again and again, until a write of the hub to one
/// of them has come too late.
async fn contend(
    service: &DemoService,
    (group, kind, _): (&str, &str, &str),
) -> anyhow::Result<()> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    let client = service.place("m1")?.client.clone();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, service.namespace(), &resource);
    let before = conflicts(kind).await?;
    let mut count = 0_u64;
    let what = format!("a write of the hub to a {kind} to come too late");
    wait::until(&what, RELEASE, async || {
        count += 1;
        let note =
            json!({ "metadata": { "annotations": { "example.com/seen": count.to_string() }}});
        for object in objects.list(&ListParams::default()).await? {
            let name = object.metadata.name.context("an object without a name")?;
            objects.patch(&name, &PatchParams::default(), &Patch::Merge(&note)).await?;
        }
        ensure!(conflicts(kind).await? > before, "none did, of {count} writes of others");
        Ok(())
    })
    .await
}

/// How many writes of the hub to a kind were in conflict, by its own count.
async fn conflicts(kind: &str) -> anyhow::Result<f64> {
    let (_, page) = http::get(HUB_CONTROLLER, "/metrics").await?;
    let page = std::str::from_utf8(&page)?;
    let name = "lockflight_member_writes_ended_total{";
    let labels = [format!("kind=\"{kind}\""), "outcome=\"conflict\"".to_owned()];
    let lines = page.lines().filter(|line| line.starts_with(name));
    let of_kind = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    let values = of_kind.filter_map(|line| line.rsplit(' ').next());
    Ok(values.filter_map(|value| value.parse::<f64>().ok()).sum())
}
