//! The charts grant what the hub uses, and nothing else: compared with the API servers' audit logs.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::Api;
use kube::api::ListParams;
use lockflight_e2e::cluster::Cluster;
use lockflight_e2e::fleet::built_beside;
use lockflight_e2e::{access, audit, process, wait};

use crate::bed::{Bed, SOON};

/// Namespaces of the tests in which the hub lacks rights: refusals are their point.
const RIGHTS_MISSING: [&str; 2] = ["locked-route", "jobs"];

/// What is granted and need not be used by these tests, and why.
const NOT_USED_HERE: [(&str, &str); 4] = [
    ("apps/deployments delete", "old revisions, more of them than any of these tests makes"),
    ("apps/deployments get", "reads again after a conflict, which comes by chance"),
    ("/services get", "reads again after a conflict, which comes by chance"),
    ("gateway.networking.k8s.io/httproutes get", "reads again after a conflict"),
];

/// `group/resource verb`, for example `apps/deployments patch`.
type Rights = BTreeSet<String>;

/// No request of the hub is refused, and after all tests no right is left that none of them used.
pub(crate) async fn charts_grant_what_is_used_and_nothing_else(bed: &Bed) -> anyhow::Result<()> {
    let mut granted = Rights::new();
    let mut used = Rights::new();
    for cluster in bed.fleet.clusters() {
        let name = cluster.name();
        let log = cluster.audit()?.by_user(audit::LOCKFLIGHT);
        let refused: BTreeSet<String> = log
            .iter()
            .filter(|event| event.code() == Some(403))
            .filter(|event| event.namespace().is_none_or(|name| !RIGHTS_MISSING.contains(&name)))
            .map(|event| format!("{} {}", event.verb, event.request_uri))
            .collect();
        ensure!(refused.is_empty(), "{name} refused the hub: {refused:#?}");
        used.extend(log.iter().filter_map(right));
        granted.extend(granted_in(cluster).await.with_context(|| format!("the rights in {name}"))?);
    }
    ensure!(granted.len() > 20, "only {granted:?} are granted: is the account another one?");
    pod_is_accepted(&bed.fleet.hub).await?;
    if !bed.whole {
        return Ok(());
    }
    let excused: Rights = NOT_USED_HERE.iter().map(|(right, _)| (*right).to_owned()).collect();
    let idle: Vec<_> =
        granted.difference(&used).filter(|right| !excused.contains(*right)).collect();
    ensure!(idle.is_empty(), "granted and never used: {idle:#?}");
    let unknown: Vec<_> = excused.difference(&granted).collect();
    ensure!(unknown.is_empty(), "excused and not granted: {unknown:#?}");
    Ok(())
}

fn right(event: &audit::Event) -> Option<String> {
    let object = event.object_ref.as_ref()?;
    let subresource = object.subresource.as_ref().map(|name| format!("/{name}"));
    let resource = format!("{}{}", object.resource, subresource.unwrap_or_default());
    Some(format!("{}/{resource} {}", object.api_group, event.verb))
}

async fn granted_in(cluster: &Cluster) -> anyhow::Result<Rights> {
    let (client, all) = (cluster.client(), ListParams::default());
    let mut rights = Rights::new();
    for binding in Api::<ClusterRoleBinding>::all(client.clone()).list(&all).await? {
        if names_the_hub(binding.subjects.as_deref()) {
            rights.extend(of_role(cluster, &binding.role_ref, None).await?);
        }
    }
    for binding in Api::<RoleBinding>::all(client).list(&all).await? {
        if names_the_hub(binding.subjects.as_deref()) {
            let namespace = binding.metadata.namespace.as_deref();
            rights.extend(of_role(cluster, &binding.role_ref, namespace).await?);
        }
    }
    Ok(rights)
}

fn names_the_hub(subjects: Option<&[Subject]>) -> bool {
    subjects.unwrap_or_default().iter().any(|subject| {
        subject.name == access::ACCOUNT && subject.namespace.as_deref() == Some(access::NAMESPACE)
    })
}

async fn of_role(
    cluster: &Cluster,
    role: &RoleRef,
    namespace: Option<&str>,
) -> anyhow::Result<Rights> {
    let rules = match namespace.filter(|_| role.kind == "Role") {
        Some(namespace) => {
            Api::<Role>::namespaced(cluster.client(), namespace).get(&role.name).await?.rules
        }
        None => Api::<ClusterRole>::all(cluster.client()).get(&role.name).await?.rules,
    };
    Ok(rules.unwrap_or_default().iter().flat_map(of_rule).collect())
}

fn of_rule(rule: &PolicyRule) -> Vec<String> {
    let mut rights = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            rights.extend(rule.verbs.iter().map(|verb| format!("{group}/{resource} {verb}")));
        }
    }
    rights
}

/// The namespace enforces Pod Security's level `restricted`: the pod exists only if the API server
/// found it to be so. And its arguments are ones that the program has.
async fn pod_is_accepted(hub: &Cluster) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(hub.client(), access::NAMESPACE);
    let labels = ListParams::default().labels("app.kubernetes.io/name=lockflight");
    let args = wait::until("the hub's Deployment to have its pod", SOON, async || {
        let pod = pods.list(&labels).await?.items.into_iter().next().context("there is none")?;
        let containers = pod.spec.context("no spec")?.containers;
        containers.into_iter().next().and_then(|container| container.args).context("no arguments")
    })
    .await?;
    let program = built_beside("lockflight").context("the hub controller is not built")?;
    let help = process::output(program, &["run", "--help"]).await?;
    for flag in args.iter().filter_map(|arg| arg.split('=').next()).filter(|a| a.starts_with("--"))
    {
        ensure!(
            help.contains(flag),
            "the chart gives {flag}, which `lockflight run` does not have"
        );
    }
    ensure!(args.len() > 2, "the chart gives {args:?}");
    Ok(())
}
