//! A Prometheus that only the member reaches: its API server passes the hub's questions on.

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::DeleteParams;
use lockflight_crds::Rollout;
use lockflight_crds::conditions::types;
use lockflight_e2e::audit::{Event, LOCKFLIGHT};
use lockflight_e2e::cluster::Cluster;
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::{addresses, apply, components, wait};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::look;

const MEMBER: &str = "m1";
const PROVIDER: &str = "in-member";
const NAMESPACE: &str = "monitoring";
const SERVICE: &str = "prometheus";
/// The Service as a request names it, which is what the chart's value has to say.
const IN_REQUESTS: &str = "http:prometheus:9090";

/// Without the right the release holds and names it. With it the answers of a Prometheus in the
/// member, which come through the API server and by no address, promote one release and take the
/// next one back.
pub(crate) async fn prometheus_that_only_the_member_reaches_decides(
    bed: &Bed,
) -> anyhow::Result<()> {
    let settings = Settings::default().only(&[MEMBER]).steps(&[(50, 0), (100, 0)]);
    let service = bed.running("proxied", settings).await?;
    let told = it_decides(bed, &service).await;
    // By the address of the other one again, as the other tests expect it.
    bed.fleet.register_members().await?;
    let client = bed.fleet.member(MEMBER)?.cluster.client();
    let deployments: Api<Deployment> = Api::namespaced(client, NAMESPACE);
    let removed = deployments.delete(SERVICE, &DeleteParams::background()).await;
    told?;
    removed.context("removing the Prometheus of this test").map(drop)
}

async fn it_decides(bed: &Bed, service: &DemoService) -> anyhow::Result<()> {
    serve_prometheus(&bed.fleet.member(MEMBER)?.cluster).await?;
    ask_through_the_api_server(bed).await?;
    let load = service.load_in(&[MEMBER], RPS)?;
    service.release(&Release::new("v2")).await?;
    let names_the_right = |rollout: &Rollout| {
        look::condition(rollout, types::READY).is_some_and(|(reason, message)| {
            reason == "AnalysisError" && message.contains("the verb create on services/proxy")
        })
    };
    service.wait_for("the missing right to be named", SOON, names_the_right).await?;
    bed.fleet.allow_metrics(MEMBER, NAMESPACE, IN_REQUESTS).await?;
    let allowed = now();
    service.completed(RELEASE).await?;
    let for_v2 = answers(bed, allowed)?;

    let released = now();
    service.release(&Release::new("v3").error_rate(0.3)).await?;
    let aborted = service.aborted(RELEASE).await?;
    let abort = aborted.status.unwrap_or_default().abort.context("status.abort is missing")?;
    let named = (abort.cluster.as_deref(), abort.metric.as_deref());
    ensure!(named == (Some(MEMBER), Some("errors")), "status.abort is {abort:?}");
    let for_v3 = answers(bed, released)?;
    eprintln!("        answers through the API server: {for_v2} for v2, {for_v3} for v3");

    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}

/// How many questions about metrics the member's API server has passed on and answered well since;
/// there has to be one. A gate that closes may break its last question off.
fn answers(bed: &Bed, since: DateTime<Utc>) -> anyhow::Result<usize> {
    let log = bed.fleet.member(MEMBER)?.cluster.audit()?.by_user(LOCKFLIGHT).since(since);
    let passed_on = log.only(|event| {
        (event.resource(), event.subresource()) == ("services", Some("proxy"))
            && event.namespace() == Some(NAMESPACE)
    });
    let codes: Vec<_> = passed_on.iter().map(Event::code).collect();
    let good = codes.iter().filter(|code| **code == Some(200)).count();
    ensure!(good > 0, "through the API server came no good answer: {codes:?}");
    Ok(good)
}

/// A Prometheus in a pod of the member, behind a Service. It has to be a pod: an API server passes
/// nothing on to an endpoint that is not one, whatever else an EndpointSlice names, and says 503.
async fn serve_prometheus(member: &Cluster) -> anyhow::Result<()> {
    let client = member.client();
    let port = addresses::PROMETHEUS_PORT;
    let (labels, meta) =
        (json!({ "app": SERVICE }), json!({ "name": SERVICE, "namespace": NAMESPACE }));
    let program = components::locate()?.prometheus;
    let dir = member.dir().display();
    let command = format!(
        "exec {} --config.file={dir}/prometheus.json --storage.tsdb.path={dir}/prometheus-in-pod \
         --web.listen-address=$POD_IP:{port} --log.level=warn",
        program.display()
    );
    let pods = json!({
        "metadata": { "labels": labels },
        "spec": { "containers": [{
            "name": SERVICE,
            "image": "shell",
            "args": ["-c", command],
            "ports": [{ "name": "web", "containerPort": port }],
            "readinessProbe": { "httpGet": { "path": "/-/ready", "port": port } },
        }]},
    });
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    apply::apply(&client, &namespace).await?;
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": { "replicas": 1, "selector": { "matchLabels": labels }, "template": pods },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": { "selector": labels, "ports": [{ "name": "web", "port": port }] },
    });
    apply::apply_all(&client, &[deployment, service]).await?;
    let ready = format!("/api/v1/namespaces/{NAMESPACE}/services/{IN_REQUESTS}/proxy/-/ready");
    wait::until("the Prometheus in the member to answer", SOON, async || {
        member.kubectl(&["get", "--raw", &ready]).await.map(drop)
    })
    .await
}

/// The hub asks for this member's metrics by the Service, and by no address.
async fn ask_through_the_api_server(bed: &Bed) -> anyhow::Result<()> {
    let provider = json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "MetricProvider",
        "metadata": { "name": PROVIDER },
        "spec": { "prometheus": { "service": {
            "namespace": NAMESPACE,
            "name": SERVICE,
            "port": addresses::PROMETHEUS_PORT.to_string(),
        }}},
    });
    apply::apply(&bed.fleet.hub.client(), &provider).await?;
    let by = json!({ "spec": { "metrics": { "provider": PROVIDER } } }).to_string();
    let patch = ["patch", "clusters.lockflight.dev", MEMBER, "--type=merge", "-p", &by];
    bed.fleet.hub.kubectl(&patch).await.map(drop)
}
