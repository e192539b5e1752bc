//! Thresholds in the words of Argo Rollouts and Flagger, and measurements by Jobs.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::ListParams;
use lockflight_crds::conditions::types;
use lockflight_crds::{Rollout, names};
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::{apply, wait};
use serde_json::{Value, json};

use crate::bed::{Bed, RELEASE, RPS, SOON};
use crate::look;

/// The name of the templates and, with the namespace, of their metrics.
const TEMPLATE: &str = "gate";

/// What the Job of a test runs: it passes, fails or takes its time as the author's query says.
const SMOKE: &str = "case $LOCKFLIGHT_QUERY in good) ;; slow) exec sleep 300;; *) exit 1;; esac";

fn settings() -> Settings {
    let mut settings = Settings::default().only(&["m1"]).steps(&[(50, 0), (100, 0)]);
    settings.analysis = json!([{ "template": TEMPLATE }]);
    settings
}

fn template(namespace: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": TEMPLATE, "namespace": namespace },
        "spec": spec,
    })
}

/// The canary's good requests for each of its requests, over a few scrapes.
fn success_rate(namespace: &str, scale: u32) -> String {
    let rate = |code: &str| {
        format!(
            "sum(rate(http_requests_total{{namespace=\"{namespace}\",pod=~\"{{{{canaryPods}}}}\"{code}}}[5s]))"
        )
    };
    format!("{scale} * {} / {}", rate(",code!~\"5..\""), rate(""))
}

/// A good release passes the gate; one with many errors is taken back, and the metric is named.
async fn tells_good_from_bad(bed: &Bed, namespace: &str, spec: &Value) -> anyhow::Result<()> {
    let service = bed.running_with(namespace, settings(), &template(namespace, spec)).await?;
    let load = service.load_in(&["m1"], RPS)?;
    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await?;
    service.release(&Release::new("v3").error_rate(0.3)).await?;
    let aborted = service.aborted(RELEASE).await?;
    let abort = aborted.status.unwrap_or_default().abort.context("status.abort is missing")?;
    ensure!(
        abort.metric.as_deref() == Some("success-rate") && abort.cluster.as_deref() == Some("m1"),
        "status.abort is {abort:?}"
    );
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}

/// An analysis run of Argo Rollouts: three measurements that must all succeed.
pub(crate) async fn threshold_of_argo_tells_good_from_bad(bed: &Bed) -> anyhow::Result<()> {
    let namespace = "argo";
    let run = json!({
        "successCondition": "result[0] >= 0.95",
        "initialDelay": "5s",
        "interval": "1s",
        "count": 3,
    });
    let query = success_rate(namespace, 1);
    let spec = json!({ "metrics": [
        { "name": "success-rate", "threshold": { "query": query, "argo": run } },
    ]});
    tells_good_from_bad(bed, namespace, &spec).await
}

/// An analysis of Flagger: a look every second, and too many failed ones end it.
pub(crate) async fn threshold_of_flagger_tells_good_from_bad(bed: &Bed) -> anyhow::Result<()> {
    let namespace = "flagger";
    let check = json!({ "kind": "RequestSuccessRate", "thresholdRange": { "min": "95" } });
    let query = success_rate(namespace, 100);
    let spec = json!({
        "flagger": { "interval": "1s", "threshold": 3 },
        "metrics": [{ "name": "success-rate", "threshold": { "query": query, "flagger": check } }],
    });
    tells_good_from_bad(bed, namespace, &spec).await
}

/// A threshold is judged in one way; the API server says so itself.
pub(crate) async fn threshold_with_two_meanings_is_refused_at_the_door(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.service("two-meanings", settings()).await?;
    let both = json!({ "query": "up", "pass": "result[0] == 1.0", "argo": {} });
    let spec = json!({ "metrics": [{ "name": "both", "threshold": both }] });
    let applied =
        apply::apply(&bed.fleet.hub.client(), &template(service.namespace(), &spec)).await;
    let refusal = applied.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(
        refusal.contains("must have exactly one of pass, argo and flagger"),
        "it was not refused, or not for this: {refusal:?}"
    );
    Ok(())
}

/// A Job in the member measures: it holds without its right, passes, and takes the release back.
pub(crate) async fn job_measures_and_takes_the_release_back(bed: &Bed) -> anyhow::Result<()> {
    let namespace = "jobs";
    let hub = bed.fleet.hub.client();
    let provider = json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "MetricProvider",
        "metadata": { "name": "smoke-tests" },
        "spec": { "allowedNamespaces": [namespace], "job": {
            "deadline": "1m",
            "template": { "spec": { "containers": [{
                "name": "smoke",
                "image": "shell",
                "args": ["-c", SMOKE],
            }]}},
        }},
    });
    apply::apply(&hub, &provider).await?;
    let asks = |query: &str| {
        let pass = json!({ "provider": "smoke-tests", "query": query, "pass": "result[0] == 1.0", "interval": "1h" });
        template(namespace, &json!({ "metrics": [{ "name": "smoke", "threshold": pass }] }))
    };
    let service = bed.running_with(namespace, settings(), &asks("good")).await?;
    let load = service.load_in(&["m1"], RPS)?;

    service.release(&Release::new("v2")).await?;
    let names_the_right = |rollout: &Rollout| {
        look::condition(rollout, types::READY).is_some_and(|(reason, message)| {
            reason == "AnalysisError" && message.contains("verbs get, create and delete on jobs")
        })
    };
    service.wait_for("the missing right to be named", SOON, names_the_right).await?;
    bed.fleet.allow_jobs("m1", namespace).await?;
    service.completed(RELEASE).await?;
    ensure!(ended(&service, "Complete").await? > 0, "no Job has come to a good end");

    apply::apply(&hub, &asks("bad")).await?;
    service.release(&Release::new("v3")).await?;
    let aborted = service.aborted(RELEASE).await?;
    let abort = aborted.status.unwrap_or_default().abort.context("status.abort is missing")?;
    ensure!(abort.metric.as_deref() == Some("smoke"), "status.abort is {abort:?}");
    ensure!(ended(&service, "Failed").await? == 1, "the Job that failed is not there to be read");

    apply::apply(&hub, &asks("slow")).await?;
    service.release(&Release::new("v4")).await?;
    wait::until("a Job to be under way", RELEASE, async || {
        ensure!(under_way(&service).await? == 1, "there is none");
        Ok(())
    })
    .await?;
    service.annotate(names::ABORT_ANNOTATION, "not wanted any more").await?;
    service.aborted(SOON).await?;
    wait::until("the Job that nobody waits for to be deleted", SOON, async || {
        ensure!(under_way(&service).await? == 0, "it is still there");
        Ok(())
    })
    .await?;
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}

async fn jobs(service: &DemoService) -> anyhow::Result<Vec<Job>> {
    let place = service.place("m1")?;
    let jobs: Api<Job> = Api::namespaced(place.client.clone(), service.namespace());
    Ok(jobs.list(&ListParams::default()).await?.items)
}

/// Jobs in the first member that have come to this end.
async fn ended(service: &DemoService, condition: &str) -> anyhow::Result<usize> {
    Ok(jobs(service).await?.iter().filter(|job| has_ended(job, condition)).count())
}

/// Jobs in the first member that have not come to an end.
async fn under_way(service: &DemoService) -> anyhow::Result<usize> {
    let goes_on = |job: &&Job| !has_ended(job, "Complete") && !has_ended(job, "Failed");
    Ok(jobs(service).await?.iter().filter(goes_on).count())
}

fn has_ended(job: &Job, condition: &str) -> bool {
    let mut conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|seen| seen.type_ == condition && seen.status == "True")
}
