//! What a person wants to know before they press: the evidence so far, and the plan.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::Utc;
use kube::ResourceExt as _;
use lockflight_crds::{AnalysisReference, Rollout};
use serde::Deserialize;

use super::{
    access::{Caller, Refusal},
    guard::meant,
    pasted::{self, Unplanned, manifest_of},
    reply::{json, malformed, problem},
    routes::Shared,
    seen::Seen,
    source::Source,
    view::{EvidencePage, PlanPage},
};
use crate::{
    forecast::{ERRORS, Expected, Planned, RPS},
    metrics::{BUILTIN_PREFIX, Subject},
    standing::EvidenceView,
    validate::resolve_all,
};

/// Problems of a manifest that are told at once.
const PROBLEMS_MAX: usize = 5;
/// How traffic is told.
const TOLD_SHAPE: &str = "for example ?rps=200&errors=0.002, of one cluster";

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
            (Some(rps), _) if !RPS.contains(&rps) => {
                Err("rps must be a number of requests per second from 0.001 to 1000000000")
            }
            (_, Some(errors)) if !ERRORS.contains(&errors) => {
                Err("errors must be a share from 0.00000001 to 0.5, for example 0.002")
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
    Extension(caller): Extension<Caller>,
    Seen { rollout, .. }: Seen,
    told: Result<Query<Told>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let told = match told_of(told) {
        Ok(told) => told,
        Err(why) => return malformed(&why, TOLD_SHAPE),
    };
    let planned = planned(&rollout, attempt(&rollout), &shared.board.source, told);
    let mut page = planned.unwrap_or_else(unplanned);
    // It holds the whole template of the pods: more than the page shows to whoever comes by.
    if !matches!(caller, Caller::Anybody) {
        page.manifest = manifest_of(&rollout);
    }
    json(&headers, &page)
}

/// A manifest as the page sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pasted {
    manifest: String,
}

/// What a new attempt would do if a manifest were applied. Nothing is written.
pub(super) async fn plan_of(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    seen: Seen,
    told: Result<Query<Told>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if let Err(why) = meant(&caller, &headers) {
        return shared.refuse(&why);
    }
    match shared.access.may_draft(&caller, &seen.key, Utc::now()).await {
        Ok(true) => {}
        Ok(false) => {
            let why = "planning a manifest takes list on clusters, or update on this rollout";
            return shared.refuse(&Refusal::NotAllowed(why.to_owned()));
        }
        Err(why) => return shared.refuse(&why),
    }
    let Ok(body) = body else {
        return problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "TooLarge",
            "the manifest is too long for this page",
            Some("kubectl lockflight plan -f takes files of any length"),
        );
    };
    let pasted: Pasted = match serde_json::from_slice(&body) {
        Ok(pasted) => pasted,
        Err(error) => {
            let why = format!("the body is no manifest: {error}");
            return malformed(
                &why,
                "send {\"manifest\": \"...\"}, the YAML or JSON of one Rollout",
            );
        }
    };
    let told = match told_of(told) {
        Ok(told) => told,
        Err(why) => return malformed(&why, TOLD_SHAPE),
    };
    let planned = pasted::read(&pasted.manifest, &seen.key).and_then(|rollout| {
        let attempt = attempt(&seen.rollout);
        planned(&rollout, attempt, &shared.board.source, told).map_err(|problems| {
            Unplanned::new(told_in_part(&problems), "correct this: the hub would not act on it")
        })
    });
    match planned {
        Ok(page) => json(&headers, &page),
        Err(Unplanned { why, remedy }) => malformed(&why, &remedy),
    }
}

/// One problem for each of 500 clusters is more than anybody reads.
fn told_in_part(problems: &[String]) -> String {
    let told = problems.iter().take(PROBLEMS_MAX).cloned().collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(PROBLEMS_MAX) {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

fn told_of(told: Result<Query<Told>, QueryRejection>) -> Result<Option<(f64, f64)>, String> {
    match told {
        Ok(Query(told)) => told.checked().map_err(str::to_owned),
        Err(unreadable) => Err(unreadable.body_text()),
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

fn unplanned(problems: Vec<String>) -> PlanPage {
    PlanPage { plan: None, needs_traffic: false, counted_in: None, problems, manifest: None }
}

/// Fails with what is wrong with the Rollout. `attempt`: whose traffic it is forecast with.
fn planned(
    rollout: &Rollout,
    attempt: i64,
    source: &Source,
    told: Option<(f64, f64)>,
) -> Result<PlanPage, Vec<String>> {
    let stored = rollout.status.as_ref().and_then(|status| status.plan.as_ref());
    let references = stored.map_or(&rollout.spec.analysis, |plan| &plan.analysis);
    if let Some(problem) = unreadable(source, references, stored.is_some()) {
        return Ok(unplanned(vec![problem]));
    }
    let planned = Planned::of(rollout.clone(), &source.objects(), Utc::now())?;
    let metric = planned.counted_metric();
    let counted = metric.as_ref().filter(|_| told.is_none()).and_then(|metric| {
        let (namespace, name) = (rollout.namespace().unwrap_or_default(), rollout.name_any());
        source.evidence.traffic(&namespace, &name, attempt, metric)
    });
    let known = told.or(counted.as_ref().map(|seen| (seen.requests_per_second, seen.bad_share)));
    let needs_traffic = metric.is_some();
    let expected = metric
        .zip(known)
        .map(|(metric, (rps, bad_share))| Expected::usual(metric, rps, bad_share, false));
    Ok(PlanPage {
        plan: Some(planned.view(expected)),
        needs_traffic,
        counted_in: counted.map(|seen| seen.cluster),
        ..unplanned(Vec::new())
    })
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
