//! The charts grant what the hub uses, and nothing else: compared with the API servers' audit logs.

use std::collections::{BTreeMap, BTreeSet};

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

/// Where the hub lacks a right, because a test is about just that: member's namespace, resource.
const RIGHTS_MISSING: [(&str, &str); 3] = [
    ("locked-route", "gateway.networking.k8s.io/httproutes"),
    ("jobs", "batch/jobs"),
    ("monitoring", "/services/proxy"),
];

/// The roles of the hub's account, of both charts.
const HUB_ROLES: [&str; 3] =
    ["ClusterRole lockflight", "ClusterRole lockflight-dashboard", "Role lockflight"];
const MEMBER_ROLES: [&str; 3] =
    ["Role lockflight", "Role lockflight-jobs", "Role lockflight-metrics"];

/// `group/resource verb`, for example `apps/deployments patch`, by the role that grants it.
type Rights = BTreeMap<String, BTreeSet<String>>;

/// On each side by itself, role by role: no request of the hub is refused, and after all tests no
/// right is left that none of them used.
pub(crate) async fn charts_grant_what_is_used_and_nothing_else(bed: &Bed) -> anyhow::Result<()> {
    let members: Vec<_> = bed.fleet.members.iter().map(|member| &member.cluster).collect();
    let mut faults = Vec::new();
    faults.extend(side(bed, &[&bed.fleet.hub], &HUB_ROLES, &[]).await.context("the hub")?);
    faults.extend(side(bed, &members, &MEMBER_ROLES, &RIGHTS_MISSING).await.context("members")?);
    ensure!(faults.is_empty(), "{faults:#?}");
    pod_is_accepted(&bed.fleet.hub).await
}

/// What is wrong with the rights on one side. Members have the same chart, so what is used in one
/// of them, or in one namespace, is needed in all.
async fn side(
    bed: &Bed,
    clusters: &[&Cluster],
    roles: &[&str],
    missing: &[(&str, &str)],
) -> anyhow::Result<Vec<String>> {
    let (mut granted, mut used, mut faults) = (Rights::new(), Rights::new(), Vec::new());
    let mut provoked = BTreeSet::new();
    for cluster in clusters {
        let name = cluster.name();
        for (role, rights) in granted_in(cluster).await.with_context(|| name.to_owned())? {
            granted.entry(role).or_default().extend(rights);
        }
        for event in cluster.audit()?.by_user(audit::LOCKFLIGHT) {
            let Some(right) = event.right() else { continue };
            if event.code() == Some(403) {
                let place = (event.namespace().unwrap_or_default(), resource_of(&right));
                match missing.iter().find(|known| **known == place) {
                    Some(known) => drop(provoked.insert(*known)),
                    None => faults.push(format!("{name} refused {right}: {}", event.request_uri)),
                }
            } else if let Some(role) = event.let_in_by() {
                let rights = used.entry(role).or_default();
                // What only ever came to an error shows nothing of the use of a right.
                if event.code().is_none_or(|code| code < 400) {
                    rights.insert(right);
                }
            } else {
                faults.push(format!("{name} does not say why it let {right} in"));
            }
        }
    }
    let granting: Vec<_> = granted.keys().map(String::as_str).collect();
    for role in used.keys().filter(|role| !roles.contains(&role.as_str())) {
        faults.push(format!("rights of {role}, which no chart grants: {:?}", used[role]));
    }
    if !bed.whole {
        return Ok(faults);
    }
    if granting != roles {
        faults.push(format!("the charts are to grant {roles:?}, and not {granting:?}"));
    }
    for known in missing.iter().filter(|known| !provoked.contains(*known)) {
        faults.push(format!("nothing was refused for {known:?}, which is excused"));
    }
    for (role, rights) in &granted {
        let idle: Vec<_> = match used.get(role) {
            Some(used) => rights.difference(used).collect(),
            None => rights.iter().collect(),
        };
        if !idle.is_empty() {
            faults.push(format!("{role} grants and nobody uses: {idle:?}"));
        }
    }
    let count = |rights: &Rights| rights.values().map(BTreeSet::len).sum::<usize>();
    eprintln!("        {} rights of {} granted are used", count(&used), count(&granted));
    Ok(faults)
}

/// The resource of a right.
fn resource_of(right: &str) -> &str {
    right.rsplit_once(' ').map_or(right, |(resource, _)| resource)
}

async fn granted_in(cluster: &Cluster) -> anyhow::Result<Rights> {
    let (client, all) = (cluster.client(), ListParams::default());
    let mut rights = Rights::new();
    let mut add = |role: &RoleRef, more: Vec<String>| {
        rights.entry(format!("{} {}", role.kind, role.name)).or_default().extend(more);
    };
    for binding in Api::<ClusterRoleBinding>::all(client.clone()).list(&all).await? {
        if names_the_hub(binding.subjects.as_deref()) {
            add(&binding.role_ref, of_role(cluster, &binding.role_ref, None).await?);
        }
    }
    for binding in Api::<RoleBinding>::all(client).list(&all).await? {
        if names_the_hub(binding.subjects.as_deref()) {
            let namespace = binding.metadata.namespace.as_deref();
            add(&binding.role_ref, of_role(cluster, &binding.role_ref, namespace).await?);
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
) -> anyhow::Result<Vec<String>> {
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
