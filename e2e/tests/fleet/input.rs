//! Input that is wrong: each ends in a condition and an Event that name the field and what to do,
//! and other Rollouts are untouched.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Api;
use lockflight_crds::conditions::types;
use lockflight_crds::{Cluster, Rollout};
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::{access, apply, wait};
use serde_json::{Value, json};

use crate::bed::{Bed, RELEASE, SOON};
use crate::look;

fn settings() -> Settings {
    Settings::default().only(&["m1"]).steps(&[(50, 0), (100, 0)]).ungated()
}

/// Waits until Ready has this reason, with all `words` in its message and in an Event.
async fn complaint(service: &DemoService, reason: &str, words: &[&str]) -> anyhow::Result<()> {
    let says = |rollout: &Rollout| {
        look::condition(rollout, types::READY).is_some_and(|(seen, message)| {
            seen == reason && words.iter().all(|word| message.contains(word))
        })
    };
    service.wait_for(&format!("Ready={reason} that names {words:?}"), SOON, says).await?;
    look::event_that_names(service, reason, words).await?;
    Ok(())
}

/// The release in the manifest is refused by the API server itself, with these words.
async fn refused(service: &DemoService, manifest: &Value, words: &[&str]) -> anyhow::Result<()> {
    match service.apply(manifest).await {
        Ok(_) => anyhow::bail!("the API server accepted {manifest}"),
        Err(error) => {
            let text = format!("{error:#}");
            let named = words.iter().all(|word| text.contains(word));
            ensure!(named, "the refusal does not name {words:?}: {text}");
            Ok(())
        }
    }
}

/// What the schema knows to be impossible never becomes an object.
pub(crate) async fn impossible_steps_and_unknown_fields_are_refused_at_the_door(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.running("refused", settings()).await?;
    let manifest = service.manifest(&Release::new("v2"));
    let with = |pointer: &str, value: Value| {
        let mut changed = manifest.clone();
        if let Some(field) = changed.pointer_mut(pointer) {
            *field = value;
        }
        changed
    };
    let steps = "/spec/strategy/canary/steps";
    let falling = with(steps, json!([{ "weight": 50 }, { "weight": 20 }, { "weight": 100 }]));
    refused(&service, &falling, &["spec.strategy.canary.steps", "must rise"]).await?;
    let short = with(steps, json!([{ "weight": 50 }]));
    refused(&service, &short, &["spec.strategy.canary.steps", "must have weight 100"]).await?;
    let heavy = with(steps, json!([{ "weight": 150 }]));
    refused(&service, &heavy, &["weight", "100"]).await?;
    let mut unknown = manifest.clone();
    unknown["spec"]["replcias"] = json!(3);
    refused(&service, &unknown, &["replcias"]).await
}

/// What only the hub can know is named by its field, and nothing moves.
pub(crate) async fn impossible_spec_is_named_and_moves_nothing(bed: &Bed) -> anyhow::Result<()> {
    let neighbour = Neighbour::watch(bed, "spec-neighbour").await?;
    let service = bed.running("spec", settings()).await?;
    let mut manifest = service.manifest(&Release::new("v2"));
    manifest["spec"]["analysis"] = json!([{ "template": "nowhere" }]);
    manifest["spec"]["template"]["spec"]["serviceAccountName"] = json!("admin");
    service.apply(&manifest).await?;
    let fields = ["spec.analysis[0].template", "nowhere", "spec.template.spec.serviceAccountName"];
    complaint(&service, "InvalidSpec", &fields).await?;
    let revision = look::revision(&service.rollout().await?);
    let seen = look::has_deployment(&service, service.place("m1")?, &revision).await?;
    ensure!(!seen, "m1 has a Deployment of the impossible revision");
    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await?;
    neighbour.is_untouched().await
}

/// A typing error inside the template is found by the member, before anything moves.
pub(crate) async fn unknown_field_in_the_template_is_named(bed: &Bed) -> anyhow::Result<()> {
    let neighbour = Neighbour::watch(bed, "typo-neighbour").await?;
    let service = bed.running("typo", settings()).await?;
    let mut manifest = service.manifest(&Release::new("v2"));
    manifest["spec"]["template"]["spec"]["containers"][0]["imagee"] = json!("demo:v2");
    service.apply(&manifest).await?;
    complaint(&service, "WriteRefused", &["imagee", "m1"]).await?;
    ensure!(service.weights("m1").await? == (100, 0), "the weights moved");
    // Put right, it goes on.
    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await?;
    neighbour.is_untouched().await
}

/// Routes that are missing or not usable are named, and the release goes on once they are right.
pub(crate) async fn unusable_routes_are_named(bed: &Bed) -> anyhow::Result<()> {
    let neighbour = Neighbour::watch(bed, "routes-neighbour").await?;
    let service = bed.running("routes", settings()).await?;
    let member = &bed.fleet.member("m1")?.cluster;
    let set_backends = async |backends: Value| {
        let pointer = "/spec/rules/0/backendRefs";
        let patch = json!([{ "op": "replace", "path": pointer, "value": backends }]).to_string();
        let target = ["patch", "httproute", "shop", "-n", "routes", "--type=json", "-p", &patch];
        member.kubectl(&target).await
    };
    let ours = ["shop-stable", "shop-canary"];
    let backend = |name: &str, weight: u8| json!({ "name": name, "port": 80, "weight": weight });

    member.kubectl(&["delete", "httproute", "shop", "-n", "routes"]).await?;
    service.release(&Release::new("v2")).await?;
    complaint(&service, "RouteMissing", &["HTTPRoute shop", "m1", "create it"]).await?;
    service.create_route(service.place("m1")?).await?;
    service.completed(RELEASE).await?;

    set_backends(json!([backend("elsewhere", 1)])).await?;
    service.release(&Release::new("v3")).await?;
    complaint(&service, "RouteUnsupported", &["HTTPRoute shop", "m1", ours[0], ours[1]]).await?;
    set_backends(json!([backend(ours[0], 100), backend(ours[1], 0)])).await?;
    service.completed(RELEASE).await?;

    let third = [backend(ours[0], 100), backend(ours[1], 0), backend("elsewhere", 1)];
    set_backends(json!(third)).await?;
    service.release(&Release::new("v4")).await?;
    complaint(&service, "RouteUnsupported", &["HTTPRoute shop", "m1", "third backend"]).await?;
    set_backends(json!([backend(ours[0], 100), backend(ours[1], 0)])).await?;
    service.completed(RELEASE).await?;
    neighbour.is_untouched().await
}

/// An image that never gets ready fails the cluster at the deadline, and says why.
pub(crate) async fn image_that_never_gets_ready_is_taken_back(bed: &Bed) -> anyhow::Result<()> {
    let neighbour = Neighbour::watch(bed, "image-neighbour").await?;
    let settings = settings().failure_policy(json!({ "progressDeadline": "4s" }));
    let service = bed.running("image", settings).await?;
    let v1 = look::revision(&service.rollout().await?);
    service.release(&Release::new("v2").image("no-such-image")).await?;
    let rollout = service.aborted(SOON).await?;
    let abort = rollout.status.unwrap_or_default().abort.context("no status.abort")?;
    ensure!(abort.reason == "ProgressDeadlineExceeded", "status.abort is {abort:?}");
    for word in ["m1", "no-such-image", "progressDeadline"] {
        ensure!(abort.message.contains(word), "{word} is not in {:?}", abort.message);
    }
    let note = look::event(&service, "ClusterFailed").await?;
    ensure!(note.contains("no-such-image"), "the Event says {note:?}");
    look::services_select(&service, service.place("m1")?, &v1).await?;
    neighbour.is_untouched().await
}

/// A query that Prometheus refuses holds the release, with Prometheus' own words.
pub(crate) async fn query_that_errors_is_named(bed: &Bed) -> anyhow::Result<()> {
    let neighbour = Neighbour::watch(bed, "query-neighbour").await?;
    let mut settings = settings();
    settings.analysis = json!([{ "template": "broken" }]);
    let service = bed.service("query", settings).await?;
    let template = json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": "broken", "namespace": "query" },
        "spec": { "metrics": [{
            "name": "load",
            "threshold": { "query": "sum(rate(up[1s])", "pass": "result[0] < 1.0" },
        }]},
    });
    apply::apply(&bed.fleet.hub.client(), &template).await?;
    service.establish(&Release::new("v1"), SOON).await?;
    service.release(&Release::new("v2")).await?;
    complaint(&service, "AnalysisError", &["m1", "load", "parse error"]).await?;
    let rollout = service.rollout().await?;
    ensure!(look::has_share(&rollout, "m1", 50), "it moved on or went back");
    neighbour.is_untouched().await
}

/// A kubeconfig that would run a program, or read the hub's files, is refused and named.
pub(crate) async fn hostile_kubeconfig_is_refused(bed: &Bed) -> anyhow::Result<()> {
    let neighbour = Neighbour::watch(bed, "hostile-neighbour").await?;
    let hub = bed.fleet.hub.client();
    let authority = STANDARD.encode(bed.fleet.member("m1")?.cluster.ca());
    let user = |what: Value| {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": {
                "server": "https://10.203.1.1:6443",
                "certificate-authority-data": authority,
            }}],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
            "users": [{ "name": "u", "user": what }],
        })
    };
    let exec =
        json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": "id" } });
    for (name, what, field) in [
        ("hostile-exec", exec, "field exec"),
        ("hostile-file", json!({ "tokenFile": "/etc/passwd" }), "field tokenFile"),
    ] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": name, "namespace": access::NAMESPACE },
            "data": { "kubeconfig": STANDARD.encode(user(what).to_string()) },
        });
        let cluster = json!({
            "apiVersion": "lockflight.dev/v1alpha1", "kind": "Cluster",
            "metadata": { "name": name, "labels": { "tier": "hostile", "member": name } },
            "spec": {
                "server": "https://10.203.1.1:6443",
                "credentials": { "secretName": name },
                "allowedNamespaces": [name],
            },
        });
        apply::apply(&hub, &secret).await?;
        apply::apply(&hub, &cluster).await?;
        let clusters: Api<Cluster> = Api::all(hub.clone());
        let what = format!("{name} to be refused");
        let refused = wait::until(&what, SOON, async || {
            let status = clusters.get(name).await?.status.unwrap_or_default();
            let ready = status.conditions.into_iter().find(|c| c.type_ == types::READY);
            let ready = ready.context("no condition Ready")?;
            ensure!(ready.reason == "InvalidCredentials", "Ready says {ready:?}");
            ensure!(ready.message.contains(field), "{field} is not named: {}", ready.message);
            Ok(())
        })
        .await;
        let told = tell_of_it(bed, name).await;
        let (kind, secrets) = (apply::api_for(&hub, &cluster)?, apply::api_for(&hub, &secret)?);
        kind.delete(name, &kube::api::DeleteParams::default()).await?;
        secrets.delete(name, &kube::api::DeleteParams::default()).await?;
        refused.and(told)?;
    }
    neighbour.is_untouched().await
}

/// A Rollout that is placed there says so in an Event.
async fn tell_of_it(bed: &Bed, cluster: &str) -> anyhow::Result<()> {
    let service = bed.service(cluster, settings().only(&[cluster])).await?;
    service.release(&Release::new("v1")).await?;
    let note = look::event(&service, "ClusterUnreachable").await?;
    ensure!(note.contains(cluster) && note.contains("kubeconfig"), "the Event says {note:?}");
    Ok(())
}

/// Another Rollout, at rest, which nothing of this may touch.
struct Neighbour {
    service: DemoService,
    version: Option<String>,
}

impl Neighbour {
    async fn watch(bed: &Bed, namespace: &str) -> anyhow::Result<Self> {
        let service = bed.running(namespace, settings().only(&["m2"])).await?;
        let version = service.rollout().await?.metadata.resource_version;
        Ok(Self { service, version })
    }

    async fn is_untouched(&self) -> anyhow::Result<()> {
        let rollout = self.service.rollout().await?;
        let same = rollout.metadata.resource_version == self.version;
        ensure!(same, "the neighbour was written to: {:?}", rollout.status);
        Ok(())
    }
}
