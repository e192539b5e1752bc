//! Old revisions stay for a while, and then go.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::ListParams;
use lockflight_crds::names;
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::wait;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::{evidence, look};

/// The Deployments of the service in m1.
async fn deployments(service: &DemoService) -> anyhow::Result<BTreeSet<String>> {
    let client = service.place("m1")?.client.clone();
    let api: Api<Deployment> = Api::namespaced(client, service.namespace());
    let list = api.list(&ListParams::default()).await?.items;
    list.into_iter().map(|object| object.metadata.name.context("no name")).collect()
}

/// When the only Deployment of the service in m1 was created.
async fn created_at(service: &DemoService) -> anyhow::Result<DateTime<Utc>> {
    let client = service.place("m1")?.client.clone();
    let api: Api<Deployment> = Api::namespaced(client, service.namespace());
    let first = api.list(&ListParams::default()).await?.items.into_iter().next();
    let created = first.and_then(|object| object.metadata.creation_timestamp);
    let created = created.context("no Deployment with a time of creation")?;
    DateTime::from_timestamp(created.0.as_second(), 0).context("no such time")
}

/// Beside what serves, the last three revisions stay, without pods; the one before them is
/// deleted, and no other.
pub(crate) async fn old_revisions_are_deleted_beyond_the_last_three(
    bed: &Bed,
) -> anyhow::Result<()> {
    let mut settings = Settings::default().only(&["m1"]).steps(&[(100, 0)]).ungated();
    settings.replicas = 1;
    "1s".clone_into(&mut settings.scale_down_delay);
    let begun = now();
    let service = bed.running("revisions", settings).await?;
    let load = service.load_in(&["m1"], RPS)?;
    let mut revisions = vec![look::revision(&service.rollout().await?)];
    // API servers note the second of a creation: of two in one second none is the older one.
    wait::until("the second of the first revision to pass", SOON, async || {
        let created = created_at(&service).await?;
        ensure!(Utc::now() >= created + TimeDelta::seconds(1), "it is {created} yet");
        Ok(())
    })
    .await?;
    for version in ["v2", "v3", "v4", "v5"] {
        let asked = service.release(&Release::new(version)).await?;
        service.completed(RELEASE).await.with_context(|| format!("{version} is not completed"))?;
        let before = revisions.last().context("no revision")?.clone();
        look::until_replicas_in(&service, service.place("m1")?, &before, 0, SOON).await?;
        revisions.push(look::revision(&asked));
    }
    let named = revisions.iter().map(|revision| names::deployment(service.name(), revision));
    let mut kept: Vec<_> = named.collect();
    let first = kept.remove(0);
    let kept = kept.into_iter().collect();
    wait::until("the oldest revision to be deleted", SOON, async || {
        let found = deployments(&service).await?;
        ensure!(found == kept, "there are {found:?}, not {kept:?}");
        Ok(())
    })
    .await?;
    let log = evidence::writes(&bed.fleet.member("m1")?.cluster, service.namespace(), begun)?;
    let deleted: Vec<_> = log.iter().filter(|event| event.verb == "delete").collect();
    let deleted: Vec<_> = deleted.iter().filter_map(|event| event.name()).collect();
    ensure!(deleted == [first.as_str()], "the hub deleted {deleted:?}, not {first}");
    let report = load.stop().await;
    ensure!(report.failed() == 0, "requests were lost: {report}");
    Ok(())
}
