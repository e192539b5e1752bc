//! What a person wants to know before they press: the evidence so far, and the plan.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use chrono::Utc;
use kube::ResourceExt as _;
use lockflight_crds::{AnalysisReference, Rollout};
use serde::Deserialize;

use super::{
    reply::{json, malformed},
    routes::Shared,
    seen::Seen,
    source::Source,
    view::{EvidencePage, PlanPage},
};
use crate::{
    forecast::{Expected, Planned},
    metrics::{BUILTIN_PREFIX, Subject},
    standing::EvidenceView,
    validate::resolve_all,
};

/// More requests per second than any cluster has.
const RPS_MAX: f64 = 1e9;

/// Traffic to plan with, where it is told.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told {
    /// Requests per second of one cluster.
    rps: Option<f64>,
    /// Part of them that fails, from 0 to 1.
    errors: Option<f64>,
}

impl Told {
    fn checked(&self) -> Result<Option<(f64, f64)>, &'static str> {
        match (self.rps, self.errors) {
            (None, None) => Ok(None),
            (Some(rps), _) if !(rps > 0.0 && rps <= RPS_MAX) => {
                Err("rps must be a number of requests per second above 0, up to 1000000000")
            }
            (_, Some(errors)) if !(errors > 0.0 && errors < 1.0) => {
                Err("errors must be a share above 0 and below 1, for example 0.002")
            }
            (Some(rps), Some(errors)) => Ok(Some((rps, errors))),
            _ => Err("rps and errors belong together: give both or none"),
        }
    }
}

/// What has been measured of a Rollout.
pub(super) async fn evidence(
    State(shared): State<Arc<Shared>>,
    seen: Seen,
    headers: HeaderMap,
) -> Response {
    let Seen { key, rollout } = seen;
    let gates = shared.board.gates(&key);
    let source = &shared.board.source;
    let attempt = attempt(&rollout);
    let (standing, missing) = match source.evidence.standing(&key, attempt) {
        Some(standing) => (Some(standing), None),
        None => match of_status(&rollout, source) {
            Ok(standing) => (Some(standing), None),
            Err(why) => (None, Some(why)),
        },
    };
    let thresholds = source.evidence.thresholds(&key.namespace, &key.name, attempt);
    json(&headers, &EvidencePage { gates, standing, thresholds, missing })
}

/// What a Rollout will do.
pub(super) async fn plan(
    State(shared): State<Arc<Shared>>,
    seen: Seen,
    told: Result<Query<Told>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let told = match told {
        Ok(Query(told)) => told.checked().map_err(str::to_owned),
        Err(unreadable) => Err(unreadable.body_text()),
    };
    match told {
        Ok(told) => json(&headers, &planned(&seen.rollout, &shared.board.source, told)),
        Err(why) => malformed(&why),
    }
}

fn attempt(rollout: &Rollout) -> i64 {
    let status = rollout.status.as_ref().and_then(|status| status.attempt.as_ref());
    status.map_or(0, |attempt| attempt.number)
}

/// The evidence as the hub has written it down: all that there is outside of the hub, and inside
/// of it until a gate opens after its start.
fn of_status(rollout: &Rollout, source: &Source) -> Result<EvidenceView, String> {
    let status = rollout.status.clone().unwrap_or_default();
    let references = status.plan.as_ref().map(|plan| plan.analysis.as_slice()).unwrap_or_default();
    let mut problems: Vec<String> = unreadable(source, references, true).into_iter().collect();
    let namespace = rollout.namespace().unwrap_or_default();
    let subject = Subject { namespace: &namespace, rollout: &rollout.name_any() };
    let mut templates = Vec::new();
    if problems.is_empty() {
        templates = resolve_all(references, subject, &source.objects(), &mut problems);
    }
    match problems.into_iter().next() {
        Some(problem) => Err(problem),
        None => EvidenceView::of_status(&status, &templates).map_err(|error| error.to_string()),
    }
}

fn planned(rollout: &Rollout, source: &Source, told: Option<(f64, f64)>) -> PlanPage {
    let stored = rollout.status.as_ref().and_then(|status| status.plan.as_ref());
    let references = stored.map_or(&rollout.spec.analysis, |plan| &plan.analysis);
    let refused =
        |problems| PlanPage { plan: None, needs_traffic: false, counted_in: None, problems };
    if let Some(problem) = unreadable(source, references, stored.is_some()) {
        return refused(vec![problem]);
    }
    let planned = match Planned::of(rollout.clone(), &source.objects(), Utc::now()) {
        Ok(planned) => planned,
        Err(problems) => return refused(problems),
    };
    let metric = planned.counted_metric();
    let counted = metric.as_ref().filter(|_| told.is_none()).and_then(|metric| {
        let (namespace, name) = (rollout.namespace().unwrap_or_default(), rollout.name_any());
        source.evidence.traffic(&namespace, &name, attempt(rollout), metric)
    });
    let known = told.or(counted.as_ref().map(|seen| (seen.requests_per_second, seen.bad_share)));
    let needs_traffic = metric.is_some();
    let expected = metric
        .zip(known)
        .map(|(metric, (rps, bad_share))| Expected::usual(metric, rps, bad_share, false));
    PlanPage {
        plan: Some(planned.view(expected)),
        needs_traffic,
        counted_in: counted.map(|seen| seen.cluster),
        problems: Vec::new(),
    }
}

/// What a plan needs and this process may not read. A stored plan needs its templates only.
fn unreadable(source: &Source, references: &[AnalysisReference], stored: bool) -> Option<String> {
    let own = references.iter().any(|one| !one.template.starts_with(BUILTIN_PREFIX));
    let needed = [
        ("analysistemplates", own, source.templates.synced()),
        ("clusters", !stored, source.clusters.synced()),
        ("metricproviders", !stored, source.providers.synced()),
    ];
    let missing = needed.iter().find(|(_, is_needed, synced)| *is_needed && !synced);
    missing.map(|(what, ..)| {
        format!("{what} cannot be read: list and watch on them are missing, or still being listed")
    })
}
