//! The roles for people: who may give which command, by the hub's own API server.

use anyhow::{Context as _, ensure};
use lockflight_crds::{MemberPhase, Rollout, names};
use lockflight_e2e::apply;
use lockflight_e2e::service::{DemoService, Release};
use serde_json::json;

use crate::bed::{Bed, RELEASE};
use crate::{commands, look};

const NAMESPACE: &str = "roles";
/// People, each with one `ClusterRole` in the namespace: Kubernetes' own, to which the chart adds
/// its rights, and the chart's role that is added to none.
const ROLES: [&str; 4] = ["view", "edit", "admin", "promoter"];

/// What somebody does, and who of [`ROLES`] may. Nothing is kept: dry runs pass admission too.
const TABLE: [(&str, &[&str], [bool; 4]); 9] = [
    ("promote", &["annotate", "lockflight.dev/promote=0123"], [false, false, true, true]),
    ("abort", &["annotate", "lockflight.dev/abort=smells"], [false, true, true, true]),
    (
        "pause",
        &["annotate", "lockflight.dev/pause=other", "--overwrite"],
        [false, true, true, true],
    ),
    ("resume", &["annotate", "lockflight.dev/pause-"], [false, false, true, true]),
    ("retry", &["annotate", "lockflight.dev/retry=1"], [false, true, true, true]),
    ("force-delete", &["annotate", "lockflight.dev/force-delete=1"], [false, false, true, false]),
    ("update", &["annotate", "example.com/note=1"], [false, true, true, false]),
    ("update", &["label", "team=ours"], [false, true, true, false]),
    (
        "update",
        &["patch", "--type=merge", "-p", r#"{"spec":{"replicas":7}}"#],
        [false, true, true, false],
    ),
];

/// Who may patch may not for that reason approve; who may approve may change nothing else.
pub(crate) async fn approving_needs_the_right_to_approve(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running(NAMESPACE, commands::two_gates()).await?;
    service.release(&Release::new("v2")).await?;
    let tokens = look::tokens(&commands::at_two_gates(&service).await?);
    for role in ROLES {
        bind(bed, role).await?;
    }
    service.annotate(names::PAUSE_ANNOTATION, "for a look").await?;
    for (verb, words, allowed) in TABLE {
        for (role, allowed) in ROLES.into_iter().zip(allowed) {
            let said = act(bed, &service, role, words, true).await;
            let what = format!("{role}: {words:?}");
            match said {
                Ok(_) => ensure!(allowed, "{what} was let in"),
                Err(error) => {
                    let error = format!("{error:#}");
                    ensure!(!allowed, "{what} was refused: {error}");
                    // Who may not even patch is refused by RBAC, in its own words.
                    let words = format!("needs the verb {verb} on rollouts.lockflight.dev");
                    ensure!(role == "view" || error.contains(&words), "{what}: {error}");
                }
            }
        }
    }
    act(bed, &service, "admin", &["annotate", "lockflight.dev/pause-"], false).await?;

    // In earnest: the same token, first by who may change the whole spec, then by the promoter.
    let promote = format!("{}={}", names::PROMOTE_ANNOTATION, tokens["m1"]);
    let refused = act(bed, &service, "edit", &["annotate", &promote], false).await;
    let refused = format!("{:#}", refused.err().context("an editor approved a gate")?);
    ensure!(refused.contains("opens a gate"), "the refusal says {refused}");
    act(bed, &service, "promoter", &["annotate", &promote], false).await?;
    let promoted = |rollout: &Rollout| look::is_in(rollout, "m1", MemberPhase::Promoted);
    service.wait_for("m1 to be promoted", RELEASE, promoted).await?;
    // The abort is consumed by the hub, which needs none of these verbs.
    act(bed, &service, "edit", &["annotate", "lockflight.dev/abort=enough"], false).await?;
    service.aborted(RELEASE).await?;
    Ok(())
}

async fn bind(bed: &Bed, role: &str) -> anyhow::Result<()> {
    let group = "rbac.authorization.k8s.io";
    let held = if role == "promoter" { "lockflight-promoter" } else { role };
    let binding = json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "RoleBinding",
        "metadata": { "name": role, "namespace": NAMESPACE },
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": held },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": role }],
    });
    apply::apply(&bed.fleet.hub.client(), &binding).await.map(drop)
}

/// kubectl, as the user who is called like the role.
async fn act(
    bed: &Bed,
    service: &DemoService,
    role: &str,
    words: &[&str],
    dry: bool,
) -> anyhow::Result<String> {
    let (verb, rest) = words.split_first().context("nothing to do")?;
    let mut args = vec![*verb, "rollouts.lockflight.dev", service.name(), "-n", NAMESPACE];
    args.extend(rest);
    args.extend(["--as", role]);
    if dry {
        args.push("--dry-run=server");
    }
    bed.fleet.hub.kubectl(&args).await
}
