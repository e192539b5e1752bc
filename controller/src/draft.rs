//! The plan that a new attempt would get, without one: for `kubectl lockflight plan`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use lockflight_crds::{PlanStatus, Rollout};
use lockflight_planner::{self as planner, Commands, Journal, Snapshot};

use crate::{hub::Hub, status, validate::validate};

/// The plan of the first attempt of a Rollout, by the same code as a real one, against the
/// clusters, templates and providers of `hub`. Fails with all that is wrong with the spec.
pub fn draft(rollout: &Rollout, hub: &Hub, now: DateTime<Utc>) -> Result<PlanStatus, Vec<String>> {
    let policy = validate(rollout, hub)?;
    let snapshot = Snapshot {
        now,
        uid: String::new(),
        deleting: false,
        force_delete: false,
        // Without it an attempt begins and nothing is written.
        finalizer: false,
        policy: Some(policy),
        journal: Journal::default(),
        shown_tokens: BTreeSet::new(),
        commands: Commands::default(),
        members: BTreeMap::new(),
        evidence: BTreeMap::new(),
    };
    let mut fresh = rollout.clone();
    fresh.status = None;
    let built = status::build(&fresh, &planner::plan(&snapshot), &[]);
    built.plan.ok_or_else(|| vec!["the rollout places nothing anywhere".to_owned()])
}
