//! One look at everything that a pass decides upon. Reads caches; no network.

mod crashes;
mod facts;
mod pods;
mod route;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::Utc;
use kube::{Resource, ResourceExt};
use lockflight_crds::{Rollout, names};
use lockflight_planner::{Commands, Evidence, MemberId, Observed, Policy, Snapshot};

pub use facts::Captured;
pub use pods::facts as pod_facts;
pub(crate) use route::our_rules;

use crate::{
    fleet::{Health, Member, Registry},
    journal,
};

/// A snapshot together with the very objects it was made from: writes are conditional on them.
pub struct Observation {
    /// What the planner sees.
    pub snapshot: Snapshot,
    /// The objects, by member.
    pub captured: BTreeMap<MemberId, Captured>,
}

/// What the observation takes from elsewhere in the process.
pub struct Context<'a> {
    /// The members.
    pub registry: &'a Registry,
    /// The spec, if it is valid.
    pub policy: Option<Policy>,
    /// What the gates say.
    pub evidence: BTreeMap<MemberId, Evidence>,
    /// Members with a write to a route under way.
    pub routes_under_way: BTreeSet<MemberId>,
    /// Writes that members refused lately.
    pub refusals: BTreeMap<MemberId, Vec<String>>,
}

/// Looks at everything.
#[must_use]
pub fn observe(rollout: &Rollout, context: Context<'_>) -> Observation {
    let status = rollout.status.clone().unwrap_or_default();
    let journal = journal::read(&status);
    let names: BTreeSet<MemberId> =
        journal
            .members
            .keys()
            .cloned()
            .chain(context.policy.iter().flat_map(|policy| {
                policy.waves.iter().flat_map(|wave| wave.members.iter().cloned())
            }))
            .collect();
    let mut members = BTreeMap::new();
    let mut captured = BTreeMap::new();
    for name in names {
        let observed = match reach(context.registry, rollout, &name) {
            Ok(member) => {
                let objects = Captured::take(member, rollout);
                let mut facts = facts::read(&objects, rollout);
                if context.routes_under_way.contains(&name) {
                    facts.unsettle_routes();
                }
                facts.refusals = context.refusals.get(&name).cloned().unwrap_or_default();
                captured.insert(name.clone(), objects);
                Observed::Known(facts)
            }
            Err((since, why)) => Observed::Unknown { since, why },
        };
        members.insert(name, observed);
    }
    let snapshot = Snapshot {
        now: Utc::now(),
        uid: rollout.uid().unwrap_or_default(),
        deleting: rollout.meta().deletion_timestamp.is_some(),
        force_delete: rollout.annotations().contains_key(names::FORCE_DELETE_ANNOTATION),
        finalizer: rollout.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER),
        policy: context.policy,
        shown_tokens: status.waiting.iter().filter_map(|waiting| waiting.token.clone()).collect(),
        commands: commands(rollout),
        journal,
        members,
        evidence: context.evidence,
    };
    Observation { snapshot, captured }
}

/// Whether a member of the Rollout is just being taken up, so that a moment's patience spares a
/// false report of an outage.
#[must_use]
pub fn is_settling_in(rollout: &Rollout, registry: &Registry, policy: Option<&Policy>) -> bool {
    let namespace = rollout.namespace().unwrap_or_default();
    let journalled = rollout.status.iter().flat_map(|s| &s.members).map(|m| m.name.as_str());
    let planned = policy.into_iter().flat_map(|policy| &policy.waves).flat_map(|w| &w.members);
    journalled
        .chain(planned.map(|member| member.0.as_str()))
        .any(|name| registry.member(name).is_ok_and(|member| member.is_new(&namespace)))
}

/// A member that is up and fully listed, or since when and why it is not.
fn reach(
    registry: &Registry,
    rollout: &Rollout,
    name: &MemberId,
) -> Result<Arc<Member>, (chrono::DateTime<Utc>, String)> {
    let now = Utc::now();
    let member = registry.member(&name.0).map_err(|why| (now, why))?;
    match member.health() {
        Health::Up { .. } => {}
        Health::Connecting => return Err((now, "not reached yet".to_owned())),
        Health::Down { since, why } => return Err((since, why)),
    }
    if !member.view(&rollout.namespace().unwrap_or_default()).synced() {
        return Err((now, "its objects are being listed; if this lasts, the hub's rights in this namespace are missing".to_owned()));
    }
    Ok(member)
}

fn commands(rollout: &Rollout) -> Commands {
    let annotation = |name: &str| {
        rollout.annotations().get(name).filter(|value| !value.trim().is_empty()).cloned()
    };
    let abort = annotation(names::ABORT_ANNOTATION);
    let abort_by =
        abort.as_ref().and_then(|_| annotation_manager(rollout, names::ABORT_ANNOTATION));
    Commands {
        promote: annotation(names::PROMOTE_ANNOTATION),
        abort,
        abort_by,
        // A level: its mere presence pauses, but for the one value that plainly says no.
        paused: rollout
            .annotations()
            .get(names::PAUSE_ANNOTATION)
            .is_some_and(|value| value != "false"),
        retry: annotation(names::RETRY_ANNOTATION),
    }
}

/// The field manager that owns an annotation: all that the object tells of who set it.
fn annotation_manager(rollout: &Rollout, annotation: &str) -> Option<String> {
    let field = format!("f:{annotation}");
    rollout.managed_fields().iter().find_map(|entry| {
        let owns = entry
            .fields_v1
            .as_ref()?
            .0
            .pointer("/f:metadata/f:annotations")?
            .as_object()?
            .contains_key(&field);
        if owns { entry.manager.clone() } else { None }
    })
}
