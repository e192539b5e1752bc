//! Comparisons of a gauge: memory that the pods really have, scraped by the fleet's Prometheus.

use anyhow::{Context as _, ensure};
use lockflight_crds::Rollout;
use lockflight_e2e::apply;
use lockflight_e2e::service::{Release, Settings};
use serde_json::{Value, json};

use crate::bed::{Bed, RELEASE};

const TEMPLATE: &str = "memory";

/// Ballast of a usual pod. A bad one has three times as much, which is more than twice the memory,
/// whatever else a process needs.
const BALLAST_MIB: u32 = 24;

fn template(namespace: &str, compare: &Value) -> Value {
    json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": TEMPLATE, "namespace": namespace },
        "spec": { "metrics": [{ "name": "resident", "compare": compare }] },
    })
}

/// Levels of the metric in status, by cluster.
fn level(rollout: &Rollout, cluster: &str) -> Option<f64> {
    let evidence = rollout.status.as_ref()?.evidence.as_ref()?;
    let of_metric = evidence.levels.iter().find(|(name, _)| name.starts_with("memory/resident@"));
    of_metric?.1.get(cluster)?.parse().ok()
}

/// A release that needs as much memory is promoted, one with three times the ballast is taken back,
/// and the reason names the metric.
pub(crate) async fn swollen_memory_is_taken_back_and_as_much_is_promoted(
    bed: &Bed,
) -> anyhow::Result<()> {
    let namespace = "gauge";
    let mut settings = Settings::default().only(&["m1"]).steps(&[(50, 0), (100, 0)]);
    settings.replicas = 3;
    settings.analysis = json!([{ "template": TEMPLATE }]);
    let compare = json!({
        "gauge": format!("process_resident_memory_bytes{{namespace=\"{namespace}\"}}"),
        "by": { "pod": {} },
        "warmUp": "0s",
    });
    let service = bed.service(namespace, settings).await?;
    apply::apply(&bed.fleet.hub.client(), &template(namespace, &compare)).await?;
    let release = |version: &str, ballast| Release::new(version).ballast_mib(ballast);
    service.establish(&release("v1", BALLAST_MIB), RELEASE).await?;

    service.release(&release("v2", BALLAST_MIB)).await?;
    let completed = service.completed(RELEASE).await?;
    let chosen = level(&completed, "m1").context("no level in status.evidence.levels")?;
    let ballast = f64::from(BALLAST_MIB) * f64::from(1 << 20);
    ensure!(chosen > 1.25 * ballast && chosen < 3.0 * ballast, "the level is {chosen}");

    service.release(&release("v3", 3 * BALLAST_MIB)).await?;
    let aborted = service.aborted(RELEASE).await?;
    let abort = aborted.status.clone().unwrap_or_default().abort;
    let abort = abort.context("status.abort is missing")?;
    ensure!(
        abort.reason == "AnalysisFailed"
            && abort.metric.as_deref() == Some("resident")
            && abort.cluster.as_deref() == Some("m1")
            && abort.observed.as_deref().is_some_and(|seen| seen.contains("windows of pods above")),
        "status.abort is {abort:?}"
    );
    let again = level(&aborted, "m1").context("no level after the abort")?;
    ensure!(again > ballast && again < 3.0 * ballast, "the level is {again}");
    eprintln!("        levels {chosen} and {again}; {:?}", abort.observed);
    Ok(())
}

/// What a gauge cannot be compared by, the API server says itself.
pub(crate) async fn gauge_that_cannot_be_compared_is_refused_at_the_door(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.service("gauge-door", Settings::default().only(&["m1"])).await?;
    let pod = json!({ "pod": {} });
    let label = json!({ "label": { "name": "service", "stable": "s", "canary": "c" } });
    let cases = [
        (
            json!({ "gauge": "memory", "bad": "b", "total": "t", "by": pod }),
            "must have exactly one of bad with total, histogram and gauge",
        ),
        (
            json!({ "gauge": "memory", "histogram": "h", "by": pod }),
            "must have exactly one of bad with total, histogram and gauge",
        ),
        (json!({ "by": pod }), "must have exactly one of bad with total, histogram and gauge"),
        (json!({ "gauge": "memory", "by": label }), "gauge needs by.pod"),
        (json!({ "bad": "b", "total": "t", "by": pod, "above": "5" }), "above goes with gauge"),
        (
            json!({ "gauge": "memory", "by": pod, "stableHealth": "0.05" }),
            "stableHealth goes with bad and total",
        ),
        (json!({ "gauge": "memory", "by": pod, "above": "1Gi" }), "spec.metrics[0].compare.above"),
        (json!({ "gauge": "", "by": pod }), "spec.metrics[0].compare.gauge"),
    ];
    for (compare, expect) in cases {
        let manifest = template(service.namespace(), &compare);
        let applied = apply::apply(&bed.fleet.hub.client(), &manifest).await;
        let refusal = applied.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(refusal.contains(expect), "{compare}: not refused for {expect:?}: {refusal:?}");
    }
    Ok(())
}
