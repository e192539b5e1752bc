//! The chart's `NetworkPolicy`, really enforced on the hub while it works.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use lockflight_crds::Rollout;
use lockflight_crds::conditions::types;
use lockflight_e2e::addresses::{
    HUB_CONTROLLER, HUB_DASHBOARD, NAMESERVER, PROMETHEUS_PORT, hub_only_prometheus,
};
use lockflight_e2e::fleet::built_beside;
use lockflight_e2e::hub_process::HubProcess;
use lockflight_e2e::pod_network::names::Names;
use lockflight_e2e::pod_network::policy::{Direction, Passage, passages};
use lockflight_e2e::pod_network::{self, PodNetwork};
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::{access, apply, http, wait};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON};
use crate::look;

/// Name under which the hub knows m1's Prometheus here, so that it has to ask for names.
const PROMETHEUS: &str = "prometheus.m1.example";

/// So long nothing answers where there is no way.
const ANSWER: Duration = Duration::from_secs(2);

/// Under the policy a whole release passes, no connection is refused, and every rule is used;
/// without a rule, what it is for does not work.
pub(crate) async fn hub_works_under_the_charts_network_policy(bed: &Bed) -> anyhow::Result<()> {
    let mut settings = Settings::default().only(&["m1"]);
    let bake = json!({ "time": "1s", "samples": 10 });
    settings.steps = json!([{ "weight": 40, "bake": bake }, { "weight": 100, "bake": bake }]);
    let service = bed.running("confined", settings).await?;
    bed.hub.stop().await?;
    let result = confined(bed, &service).await;
    // The other tests need the hub as it was, whatever came of this one.
    bed.fleet.register_members().await?;
    bed.hub.start().await?;
    bed.hub.wait_ready().await?;
    result
}

async fn confined(bed: &Bed, service: &DemoService) -> anyhow::Result<()> {
    let policy = policy_of(bed).await?;
    let network = PodNetwork::create(bed.fleet.dir(), *NAMESERVER.ip()).await?;
    network.let_pass(&policy).await?;
    let names = Names::serve(NAMESERVER, PROMETHEUS, hub_only_prometheus(1)).await?;
    let provider = json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "MetricProvider",
        "metadata": { "name": "m1" },
        "spec": { "prometheus": { "address": format!("http://{PROMETHEUS}:{PROMETHEUS_PORT}") } },
    });
    apply::apply(&bed.fleet.hub.client(), &provider).await?;
    let program = built_beside("lockflight").context("the hub controller is not built")?;
    let hub = bed.fleet.hub_process_in(&network, &program, Vec::new()).await?;
    hub.start().await?;
    let result = released(&hub, service, &policy, &names).await;
    let result = match result {
        Ok(()) => without_a_rule(&hub, &network, service, &policy).await,
        failed => failed,
    };
    hub.stop().await?;
    result.with_context(|| {
        let log = std::fs::read_to_string(hub.log()).unwrap_or_default();
        lockflight_e2e::process::tail(&log, 20)
    })
}

/// What the policy in the hub's cluster lets pass for the pod of the Deployment there.
async fn policy_of(bed: &Bed) -> anyhow::Result<Vec<Passage>> {
    let client = bed.fleet.hub.client();
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), access::NAMESPACE);
    let deployments: Api<Deployment> = Api::namespaced(client, access::NAMESPACE);
    let policy = policies.get("lockflight").await?;
    let template = deployments.get("lockflight").await?.spec.template;
    let labels = template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default();
    let selector = policy.spec.as_ref().and_then(|spec| spec.pod_selector.clone());
    let selected = selector.and_then(|selector| selector.match_labels).unwrap_or_default();
    let selects = selected.iter().all(|(label, value)| labels.get(label) == Some(value));
    ensure!(!selected.is_empty() && selects, "the policy is for {selected:?}, the pod {labels:?}");
    let containers = template.spec.context("no pod")?.containers;
    let ports = containers.into_iter().flat_map(|container| container.ports.unwrap_or_default());
    passages(&policy, &ports.collect::<Vec<_>>())
}

/// A release, judged by metrics; each passage has to be used by it.
async fn released(
    hub: &HubProcess,
    service: &DemoService,
    policy: &[Passage],
    names: &Names,
) -> anyhow::Result<()> {
    hub.wait_ready().await?;
    let load = service.load_in(&["m1"], RPS)?;
    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await.context("under the policy")?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    let process = hub.id().context("the hub does not run")?;
    let refused = pod_network::refused(process)?;
    ensure!(refused == 0, "the policy refused {refused} packets of what the hub does");

    let egress =
        pod_network::connected_ports(process, &[HUB_CONTROLLER.port(), HUB_DASHBOARD.port()])?;
    let mut used: BTreeSet<_> =
        egress.iter().map(|port| ("tcp", Direction::Egress, *port)).collect();
    let (udp, tcp) = names.asked();
    used.extend((udp > 0).then_some(("udp", Direction::Egress, NAMESERVER.port())));
    used.extend((tcp > 0).then_some(("tcp", Direction::Egress, NAMESERVER.port())));
    for (address, path) in [(HUB_CONTROLLER, "/metrics"), (HUB_DASHBOARD, "/")] {
        http::expect_ok(address, path).await?;
        used.insert(("tcp", Direction::Ingress, address.port()));
    }
    let allowed = policy.iter().map(|p| (p.protocol.as_str(), p.direction, p.port));
    let allowed: BTreeSet<_> = allowed.collect();
    ensure!(used == allowed, "used {used:?}, and the policy lets pass {allowed:?}");
    Ok(())
}

/// Takes each TCP rule away that something else can miss: the policy is enforced, then.
async fn without_a_rule(
    hub: &HubProcess,
    network: &PodNetwork,
    service: &DemoService,
    policy: &[Passage],
) -> anyhow::Result<()> {
    let without = |direction: Direction, port: u16| {
        let others = policy.iter().filter(move |p| (p.direction, p.port) != (direction, port));
        others.cloned().collect::<Vec<_>>()
    };
    for (cut, open) in [(HUB_CONTROLLER, HUB_DASHBOARD), (HUB_DASHBOARD, HUB_CONTROLLER)] {
        network.let_pass(&without(Direction::Ingress, cut.port())).await?;
        let path = if open == HUB_CONTROLLER { "/readyz" } else { "/" };
        http::expect_ok(open, path).await?;
        let answer = tokio::time::timeout(ANSWER, http::get(cut, "/")).await;
        ensure!(!matches!(answer, Ok(Ok(_))), "{cut} answers without its rule");
    }
    let process = hub.id().context("the hub does not run")?;
    let before = pod_network::refused(process)?;
    network.let_pass(&without(Direction::Egress, PROMETHEUS_PORT)).await?;
    let load = service.load_in(&["m1"], RPS)?;
    service.release(&Release::new("v3")).await?;
    let says = |rollout: &Rollout| {
        look::is_current(rollout)
            && look::condition(rollout, types::READY)
                .is_some_and(|(reason, _)| matches!(reason, "AnalysisError" | "NoData"))
    };
    service.wait_for("the gate to have no measurements", SOON, says).await?;
    wait::until("a refusal to be counted", SOON, async || {
        ensure!(pod_network::refused(process)? > before, "none of the packets was refused");
        Ok(())
    })
    .await?;
    // With the rule back, the release goes on by itself.
    network.let_pass(policy).await?;
    service.completed(RELEASE).await.context("with the rule back")?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}
