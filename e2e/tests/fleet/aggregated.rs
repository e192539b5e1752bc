//! Kubernetes' own `view`, `edit` and `admin` with what the chart adds to them, filled by the
//! controller that fills them in every cluster.

use anyhow::ensure;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use lockflight_e2e::{apply, wait};
use serde_json::json;

use crate::bed::{Bed, SOON};

const NAMESPACE: &str = "aggregated";
const GROUP: &str = "lockflight.dev";
/// Roles, each held by a user of the same name with `in-` before it (in the namespace) and one
/// with `all-` (in the whole cluster).
const ROLES: [&str; 3] = ["view", "edit", "admin"];

const LOOK: &[&str] = &["get", "list", "watch"];
const CHANGE: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const STOP: &[&str] = &["abort", "pause", "retry"];
const GO_ON: &[&str] = &["promote", "resume", "force-delete"];
const EVERYTHING: [&[&str]; 4] = [LOOK, CHANGE, STOP, GO_ON];

/// Of this resource these verbs, and who of [`ROLES`] has them; all others nobody has.
const TABLE: [(&str, &[&str], [bool; 3]); 6] = [
    ("rollouts", LOOK, [true, true, true]),
    ("rollouts", CHANGE, [false, true, true]),
    ("rollouts", STOP, [false, true, true]),
    ("rollouts", GO_ON, [false, false, true]),
    ("analysistemplates", LOOK, [true, true, true]),
    ("analysistemplates", CHANGE, [false, true, true]),
];
/// Of these nobody has anything, but that clusters are seen by who holds a role everywhere.
const OTHERS: [&str; 4] = ["clusters", "metricproviders", "rollouts/status", "clusters/status"];

/// The cluster's own roles have what the table says and nothing else, and only while the chart's
/// roles carry their labels.
pub(crate) async fn kubernetes_own_roles_have_lockflights_rights(bed: &Bed) -> anyhow::Result<()> {
    bed.fleet.opt_in(NAMESPACE).await?;
    for role in ROLES {
        bind(bed, role).await?;
    }
    wait::until("the roles to be filled", SOON, async || {
        let filled = may(bed, "in-admin", NAMESPACE, "promote", "rollouts").await?;
        ensure!(filled, "admin may not promote");
        Ok(())
    })
    .await?;
    let mut faults = Vec::new();
    for (position, role) in ROLES.into_iter().enumerate() {
        for (resource, verb) in questions() {
            let rows = TABLE.iter().filter(|row| row.0 == resource && row.1.contains(&verb));
            let named = rows.map(|row| row.2[position]).next().unwrap_or(false);
            let looks = resource == "clusters" && LOOK.contains(&verb);
            for (user, namespace, expected) in [
                // Clusters are in no namespace. RBAC does not know that; nobody can ask so.
                ("in", NAMESPACE, named || looks),
                // A binding in one namespace says nothing about another, or about the cluster.
                ("in", "default", false),
                ("in", "", false),
                ("all", NAMESPACE, named || looks),
                ("all", "", named || looks),
            ] {
                let user = format!("{user}-{role}");
                let found = may(bed, &user, namespace, verb, resource).await?;
                if found != expected {
                    faults.push(format!("{user}: {verb} {resource} in {namespace:?}: {found}"));
                }
            }
        }
    }
    ensure!(faults.is_empty(), "{faults:#?}");
    without_labels(bed).await
}

/// The labels do it: without them the rights go, and with them they come back.
async fn without_labels(bed: &Bed) -> anyhow::Result<()> {
    for (sign, filled) in [("-", false), ("=true", true)] {
        for (from, role) in ROLES.iter().enumerate() {
            let target = format!("lockflight-{role}");
            let labels = ROLES[from..].iter();
            let labels =
                labels.map(|to| format!("rbac.authorization.k8s.io/aggregate-to-{to}{sign}"));
            let labels: Vec<_> = labels.collect();
            let mut args = vec!["label", "--overwrite", "clusterrole", target.as_str()];
            args.extend(labels.iter().map(String::as_str));
            bed.fleet.hub.kubectl(&args).await?;
        }
        wait::until(&format!("the roles to be filled: {filled}"), SOON, async || {
            for role in ROLES {
                let user = format!("in-{role}");
                let may = may(bed, &user, NAMESPACE, "list", "rollouts").await?;
                ensure!(may == filled, "{role} may list rollouts: {may}");
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn questions() -> Vec<(&'static str, &'static str)> {
    let resources = ["rollouts", "analysistemplates"].into_iter().chain(OTHERS);
    let verbs = || EVERYTHING.into_iter().flatten().copied();
    resources.flat_map(|resource| verbs().map(move |verb| (resource, verb))).collect()
}

async fn bind(bed: &Bed, role: &str) -> anyhow::Result<()> {
    let group = "rbac.authorization.k8s.io";
    let binding = |kind: &str, user: &str| {
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": kind,
            "metadata": { "name": format!("{user}-{role}") },
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": group, "kind": "User", "name": format!("{user}-{role}") }],
        })
    };
    let mut here = binding("RoleBinding", "in");
    here["metadata"]["namespace"] = json!(NAMESPACE);
    apply::apply_all(&bed.fleet.hub.client(), &[here, binding("ClusterRoleBinding", "all")]).await
}

async fn may(
    bed: &Bed,
    user: &str,
    namespace: &str,
    verb: &str,
    resource: &str,
) -> anyhow::Result<bool> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = serde_json::from_value(json!({
        "metadata": {},
        "spec": { "user": user, "resourceAttributes": {
            "group": GROUP, "namespace": namespace, "verb": verb,
            "resource": resource, "subresource": subresource,
        }},
    }))?;
    let reviews: Api<SubjectAccessReview> = Api::all(bed.fleet.hub.client());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
