//! Looks at the members' objects, as administrator.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::runtime::wait::await_condition;
use lockflight_crds::conditions::types;
use lockflight_crds::{MemberPhase, MemberStatus, Rollout, names, revision_of};
use lockflight_e2e::service::{DemoService, Place};
use lockflight_e2e::wait;

use crate::bed::SOON;

/// The revision that the spec asks for.
pub(crate) fn revision(rollout: &Rollout) -> String {
    revision_of(&rollout.spec)
}

/// Waits until the Deployment of a revision has so many replicas in every member.
pub(crate) async fn until_replicas(
    service: &DemoService,
    revision: &str,
    replicas: i32,
    deadline: Duration,
) -> anyhow::Result<()> {
    for place in service.places() {
        until_replicas_in(service, place, revision, replicas, deadline).await?;
    }
    Ok(())
}

/// Waits until the Deployment of a revision has so many replicas in a member.
pub(crate) async fn until_replicas_in(
    service: &DemoService,
    place: &Place,
    revision: &str,
    replicas: i32,
    deadline: Duration,
) -> anyhow::Result<()> {
    let api: Api<Deployment> = Api::namespaced(place.client.clone(), service.namespace());
    let name = names::deployment(service.name(), revision);
    let sized = await_condition(api, &name, |deployment: Option<&Deployment>| {
        deployment.is_some_and(|d| d.spec.replicas == Some(replicas))
    });
    tokio::time::timeout(deadline, sized).await.with_context(|| {
        format!("{name} in {} has not {replicas} replicas after {deadline:?}", place.name)
    })??;
    Ok(())
}

/// Whether the Deployment of a revision exists in a member.
pub(crate) async fn has_deployment(
    service: &DemoService,
    place: &Place,
    revision: &str,
) -> anyhow::Result<bool> {
    let api: Api<Deployment> = Api::namespaced(place.client.clone(), service.namespace());
    Ok(api.get_opt(&names::deployment(service.name(), revision)).await?.is_some())
}

/// Fails unless both Services of a member select a revision.
pub(crate) async fn services_select(
    service: &DemoService,
    place: &Place,
    revision: &str,
) -> anyhow::Result<()> {
    let api: Api<Service> = Api::namespaced(place.client.clone(), service.namespace());
    for name in [names::stable_service(service.name()), names::canary_service(service.name())] {
        let selected = selected(&api, &name).await?;
        ensure!(
            selected.as_deref() == Some(revision),
            "{name} in {} selects {selected:?}, not {revision}",
            place.name
        );
    }
    Ok(())
}

async fn selected(api: &Api<Service>, name: &str) -> anyhow::Result<Option<String>> {
    let spec = api.get(name).await?.spec.unwrap_or_default();
    Ok(spec.selector.unwrap_or_default().remove(names::REVISION_LABEL))
}

/// A member's part of the status.
pub(crate) fn member<'r>(rollout: &'r Rollout, name: &str) -> Option<&'r MemberStatus> {
    rollout.status.as_ref()?.members.iter().find(|member| member.name == name)
}

/// Whether a member is in this phase.
pub(crate) fn is_in(rollout: &Rollout, name: &str, phase: MemberPhase) -> bool {
    member(rollout, name).is_some_and(|member| member.phase == phase)
}

/// Whether the router of a member has accepted at least this share for the current revision on
/// trial.
pub(crate) fn has_share(rollout: &Rollout, name: &str, percent: u8) -> bool {
    member(rollout, name).is_some_and(|member| {
        member.phase == MemberPhase::Canary
            && member.acknowledged_at.is_some()
            && member.acknowledged_weight >= percent
    })
}

/// Whether the attempt is about the revision that the spec asks for.
pub(crate) fn is_current(rollout: &Rollout) -> bool {
    let attempt = rollout.status.as_ref().and_then(|status| status.attempt.as_ref());
    attempt.is_some_and(|attempt| attempt.revision == revision(rollout))
}

/// The reason and message of a condition that is true (or, of Ready, whatever it is).
pub(crate) fn condition<'r>(rollout: &'r Rollout, type_: &str) -> Option<(&'r str, &'r str)> {
    let conditions = &rollout.status.as_ref()?.conditions;
    let found = conditions.iter().find(|condition| {
        condition.type_ == type_ && (condition.status == "True" || type_ == types::READY)
    })?;
    Some((&found.reason, &found.message))
}

/// The tokens shown, by the cluster whose gate waits.
pub(crate) fn tokens(rollout: &Rollout) -> BTreeMap<String, String> {
    let waiting = rollout.status.iter().flat_map(|status| &status.waiting);
    waiting
        .filter_map(|wait| Some((wait.cluster.clone().unwrap_or_default(), wait.token.clone()?)))
        .collect()
}

/// Waits for an Event about the Rollout with this reason; its note.
pub(crate) async fn event(service: &DemoService, reason: &str) -> anyhow::Result<String> {
    event_that_names(service, reason, &[]).await
}

/// Waits for an Event about the Rollout with this reason and all `words` in its note.
pub(crate) async fn event_that_names(
    service: &DemoService,
    reason: &str,
    words: &[&str],
) -> anyhow::Result<String> {
    let what = format!("an Event {reason} about {} that names {words:?}", service.namespace());
    wait::until(&what, SOON, async || {
        let events = service.events().await?;
        let found = events
            .iter()
            .find(|(seen, note)| seen == reason && words.iter().all(|word| note.contains(word)));
        let note = found.map(|(_, note)| note.clone());
        note.with_context(|| format!("the Events are {events:?}"))
    })
    .await
}
