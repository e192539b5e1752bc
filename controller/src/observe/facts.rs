//! From a member's objects to the planner's facts.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{Resource, ResourceExt};
use lockflight_crds::{
    Rollout,
    names::{
        ABORTED_ANNOTATION, ATTEMPT_ANNOTATION, REVISION_LABEL, ROLLOUT_LABEL, canary_service,
        stable_service,
    },
};
use lockflight_planner::{DeploymentFacts, Facts, Revision, RouteFacts, RouteState, ServiceFacts};

use super::{crashes, route};
use crate::{
    fleet::{Member, NamespaceView, Route},
    shelf::Key,
};

/// The objects of one Rollout in one member, as one look saw them.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The member.
    pub member: Arc<Member>,
    /// Its view of the namespace, where answers to writes go.
    pub view: Arc<NamespaceView>,
    /// The stable Service.
    pub stable: Option<Arc<Service>>,
    /// The canary Service.
    pub canary: Option<Arc<Service>>,
    /// Deployments by revision.
    pub deployments: BTreeMap<Revision, Arc<Deployment>>,
    /// Pods by name, with their revision.
    pub pods: BTreeMap<String, (Revision, Arc<Pod>)>,
    pub(crate) slices: Vec<Arc<EndpointSlice>>,
    /// The routes that the spec names.
    pub routes: Vec<(String, Option<Arc<Route>>)>,
}

impl Captured {
    /// Takes the objects from the member's view.
    pub(super) fn take(member: Arc<Member>, rollout: &Rollout) -> Self {
        let namespace = rollout.namespace().unwrap_or_default();
        let name = rollout.name_any();
        let view = member.view(&namespace);
        let ours = |labels: &BTreeMap<String, String>| labels.get(ROLLOUT_LABEL) == Some(&name);
        let revision = |labels: &BTreeMap<String, String>| {
            labels.get(REVISION_LABEL).map(|revision| Revision(revision.clone()))
        };
        let service = |name: String| view.services.get(&Key::new(&namespace, &name));
        Self {
            stable: service(stable_service(&name)),
            canary: service(canary_service(&name)),
            deployments: view
                .deployments
                .select(|object| in_namespace(object, &namespace) && ours(object.labels()))
                .into_iter()
                .filter_map(|object| Some((revision(object.labels())?, object)))
                .collect(),
            pods: view
                .pods
                .select(|object| in_namespace(object, &namespace) && ours(object.labels()))
                .into_iter()
                .filter_map(|object| {
                    Some((object.name_any(), (revision(object.labels())?, object)))
                })
                .collect(),
            slices: view
                .slices
                .select(|object| in_namespace(object, &namespace) && ours(object.labels())),
            routes: rollout
                .spec
                .traffic
                .gateway_api
                .routes
                .iter()
                .map(|route| {
                    (route.name.clone(), view.routes.get(&Key::new(&namespace, &route.name)))
                })
                .collect(),
            member,
            view,
        }
    }
}

fn in_namespace<K: Resource>(object: &K, namespace: &str) -> bool {
    object.namespace().as_deref() == Some(namespace)
}

/// What the planner needs to know of the objects.
pub(super) fn read(captured: &Captured, rollout: &Rollout) -> Facts {
    let name = rollout.name_any();
    Facts {
        stable: captured.stable.as_deref().map(|service| service_facts(service, captured)),
        canary: captured.canary.as_deref().map(|service| service_facts(service, captured)),
        deployments: captured
            .deployments
            .iter()
            .map(|(revision, object)| {
                (revision.clone(), deployment_facts(revision, object, captured))
            })
            .collect(),
        routes: captured
            .routes
            .iter()
            .map(|(route, object)| RouteFacts {
                name: route.clone(),
                state: object.as_deref().map_or(RouteState::Missing, |object| {
                    route::read(object, &stable_service(&name), &canary_service(&name))
                }),
            })
            .collect(),
        refusals: Vec::new(),
    }
}

fn service_facts(service: &Service, captured: &Captured) -> ServiceFacts {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let annotations = service.annotations();
    let mut facts = ServiceFacts {
        selects: selector
            .and_then(|selector| selector.get(REVISION_LABEL))
            .map(|revision| Revision(revision.clone())),
        attempt: annotations.get(ATTEMPT_ANNOTATION).and_then(|n| n.parse().ok()).unwrap_or(0),
        aborted: annotations.get(ABORTED_ANNOTATION).map(|revision| Revision(revision.clone())),
        manager: route::foreign_manager(service, "/f:spec/f:selector"),
        ..ServiceFacts::default()
    };
    let name = service.name_any();
    let slices = captured.slices.iter().filter(|slice| {
        slice.labels().get("kubernetes.io/service-name").is_some_and(|owner| *owner == name)
    });
    for endpoint in slices.flat_map(|slice| slice.endpoints.iter().flatten()) {
        // Absent means ready, as the API's documentation says.
        let ready = endpoint.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true);
        if !ready {
            continue;
        }
        let pod = endpoint.target_ref.as_ref().and_then(|target| target.name.as_ref());
        match pod.and_then(|pod| captured.pods.get(pod)) {
            Some((revision, _)) => *facts.endpoints.entry(revision.clone()).or_default() += 1,
            None => facts.strays += 1,
        }
    }
    facts
}

fn deployment_facts(
    revision: &Revision,
    deployment: &Deployment,
    captured: &Captured,
) -> DeploymentFacts {
    let pods = || captured.pods.values().filter(|(of, _)| of == revision).map(|(_, pod)| pod);
    let ready = pods().filter(|pod| is_ready(pod)).count();
    DeploymentFacts {
        replicas: deployment
            .spec
            .replicas
            .and_then(|replicas| u32::try_from(replicas).ok())
            .unwrap_or(0),
        ready: u32::try_from(ready).unwrap_or(u32::MAX),
        pods: pods().filter_map(|pod| crashes::facts(pod)).collect(),
        problem: pods().find_map(|pod| pod_problem(pod)).or_else(|| creation_problem(deployment)),
        created_at: deployment
            .creation_timestamp()
            .and_then(|time| chrono::DateTime::from_timestamp(time.0.as_second(), 0))
            .unwrap_or_default(),
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.meta().deletion_timestamp.is_none()
        && conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Why a pod does not come up, in the words of its containers.
fn pod_problem(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        let harmless = ["ContainerCreating", "PodInitializing"].contains(&reason);
        // The message of a crash loop counts its pauses up; a sentence that ticks is no use here.
        let steady = waiting.message.iter().filter(|_| reason != "CrashLoopBackOff");
        let message: String = steady.flat_map(|message| message.chars()).take(200).collect();
        (!harmless).then(|| {
            format!("container {} (image {}): {reason} {message}", status.name, status.image)
                .trim_end()
                .to_owned()
        })
    })
}

/// Why a Deployment cannot make pods (quota, admission).
fn creation_problem(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| {
            condition.type_.as_deref() == Some("ReplicaFailure")
                && condition.status.as_deref() == Some("True")
        })
        .and_then(|condition| condition.message.clone())
        .map(|message| message.chars().take(300).collect())
}
