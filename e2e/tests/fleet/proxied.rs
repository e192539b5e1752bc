//! A Prometheus that only the member can reach.

use anyhow::{Context as _, ensure};
use lockflight_crds::Rollout;
use lockflight_crds::conditions::types;
use lockflight_e2e::audit::LOCKFLIGHT;
use lockflight_e2e::service::{Release, Settings};
use lockflight_e2e::{addresses, apply};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::look;

/// Namespace of the member's Prometheus.
pub(crate) const SOURCE: &str = "observability";

/// Asked through the member's API server; the missing right is named, and given by the chart.
pub(crate) async fn metrics_come_through_the_members_api_server(bed: &Bed) -> anyhow::Result<()> {
    let mut settings = Settings::default().only(&["m1"]);
    let bake = json!({ "time": "1s", "samples": 10 });
    settings.steps = json!([{ "weight": 40, "bake": bake }, { "weight": 100, "bake": bake }]);
    let service = bed.running("proxied", settings).await?;
    let member = bed.fleet.member("m1")?;
    bed.fleet.opt_in(SOURCE).await?;
    apply::apply_all(&member.cluster.client(), &service_of(member.cluster.index())).await?;
    let provider = json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "MetricProvider",
        "metadata": { "name": "m1" },
        "spec": { "prometheus": { "service":
            { "namespace": SOURCE, "name": "prometheus", "port": "9090" } } },
    });
    apply::apply(&bed.fleet.hub.client(), &provider).await?;
    let load = service.load_in(&["m1"], RPS)?;
    let begun = now();
    service.release(&Release::new("v2")).await?;
    let names_the_right = |rollout: &Rollout| {
        look::condition(rollout, types::READY)
            .is_some_and(|(_, message)| message.contains("services/proxy"))
    };
    service.wait_for("the missing right to be named", SOON, names_the_right).await?;
    bed.fleet.allow_metrics("m1", SOURCE, "http:prometheus:9090").await?;
    service.completed(RELEASE).await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");

    let log = member.cluster.audit()?.by_user(LOCKFLIGHT).since(begun);
    let asked = log.only(|event| event.subresource() == Some("proxy") && event.code() == Some(200));
    let role = asked.iter().next().and_then(|event| event.let_in_by());
    ensure!(role.as_deref() == Some("Role lockflight-metrics"), "let in by {role:?}");
    ensure!(asked.iter().all(|event| event.namespace() == Some(SOURCE)), "{asked:?}");
    bed.fleet.register_members().await.context("the members as they were")
}

/// A Service without a selector, in front of the Prometheus that is no pod.
fn service_of(member: u8) -> [serde_json::Value; 2] {
    let port = addresses::PROMETHEUS_PORT;
    let metadata = json!({ "name": "prometheus", "namespace": SOURCE });
    [
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": { "ports": [{ "name": "web", "port": port }] },
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": "prometheus", "namespace": SOURCE,
                "labels": { "kubernetes.io/service-name": "prometheus" },
            },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [addresses::prometheus(member)] }],
            "ports": [{ "name": "web", "port": port }],
        }),
    ]
}
