//! `plan`: what a rollout will do, and what its gates can see with its traffic.

use chrono::Utc;
use kube::ResourceExt as _;
use lockflight::{
    draft::draft,
    hub::Hub,
    judgement::{judge_of, metric_name},
    metrics::{BUILTIN_PREFIX, Comparison, ResolvedTemplate, Subject},
    validate::resolve_all,
};
use lockflight_analysis::{
    judge::{Calibration, Judge},
    trust::{Load, Traffic, traffic},
};
use lockflight_crds::{PlanStatus, Rollout};

use super::say;
use crate::{
    Exit, Failure, Global, PlanView, Style,
    arguments::Plan,
    objects::{self, NAMESPACE_DEFAULT},
    past, render_plan,
    servers::servers,
    session::Session,
    view::{Compared, Expected},
};

pub(super) async fn run(arguments: &Plan, global: &Global, style: Style) -> Result<Exit, Failure> {
    let found = match &arguments.name {
        Some(name) => of_hub(&Session::open(global, style).await?, name).await?,
        None => of_files(arguments, global, style).await?,
    };
    let view = view(arguments, global, &found).await?;
    match arguments.output {
        Some(_) => say(&format!("{}\n", serde_json::to_string_pretty(&view)?))?,
        None => say(&render_plan(&view))?,
    }
    Ok(Exit::Ok)
}

/// A rollout's plan, and the templates that it is gated by.
pub(super) struct Planned {
    pub(super) rollout: Rollout,
    pub(super) plan: PlanStatus,
    /// Whether the hub has committed to it.
    pub(super) stored: bool,
    pub(super) templates: Vec<ResolvedTemplate>,
}

/// The plan that the hub has stored, or would make.
pub(super) async fn of_hub(session: &Session, name: &str) -> Result<Planned, Failure> {
    let rollout = session.get(name).await?;
    let hub = Hub::default();
    let stored = rollout.status.as_ref().and_then(|status| status.plan.clone());
    let references = stored.as_ref().map_or(&rollout.spec.analysis, |plan| &plan.analysis);
    // What comes with Lockflight needs no right to read templates.
    if references.iter().any(|reference| !reference.template.starts_with(BUILTIN_PREFIX)) {
        objects::add_templates(&hub, session, &session.namespace).await?;
    }
    if stored.is_none() {
        objects::add_clusters(&hub, session).await?;
    }
    planned(rollout, &hub, stored)
}

pub(super) async fn of_files(
    arguments: &Plan,
    global: &Global,
    style: Style,
) -> Result<Planned, Failure> {
    let files = objects::read(&arguments.files, global.namespace.as_deref())?;
    let namespace = files.rollout.namespace().unwrap_or(NAMESPACE_DEFAULT.to_owned());
    if !files.have_clusters {
        let session = Session::open(global, style).await?;
        objects::add_templates(&files.hub, &session, &namespace).await?;
        objects::add_clusters(&files.hub, &session).await?;
    }
    planned(files.rollout, &files.hub, None)
}

fn planned(rollout: Rollout, hub: &Hub, stored: Option<PlanStatus>) -> Result<Planned, Failure> {
    let refused = |problems: &[String]| {
        let name = rollout.name_any();
        Failure::State(format!("rollout {name:?} is not valid:\n  {}", problems.join("\n  ")))
    };
    let is_stored = stored.is_some();
    let plan = match stored {
        Some(plan) => plan,
        None => draft(&rollout, hub, Utc::now()).map_err(|problems| refused(&problems))?,
    };
    let namespace = rollout.namespace().unwrap_or_default();
    let subject = Subject { namespace: &namespace, rollout: &rollout.name_any() };
    let mut problems = Vec::new();
    let templates = resolve_all(&plan.analysis, subject, hub, &mut problems);
    if !problems.is_empty() {
        return Err(refused(&problems));
    }
    Ok(Planned { rollout, plan, stored: is_stored, templates })
}

pub(super) async fn view(
    arguments: &Plan,
    global: &Global,
    found: &Planned,
) -> Result<PlanView, Failure> {
    let Planned { rollout, plan, stored, templates } = found;
    let clusters = plan.waves.iter().flat_map(|wave| &wave.clusters);
    let clusters = clusters.map(|name| name.as_str().into()).collect();
    let judge = judge_of(templates, clusters, &plan.evidence);
    let compares = templates.iter().any(ResolvedTemplate::compares);
    let expected = if compares { expected(arguments, global, found, &judge).await? } else { None };
    let metrics = templates.iter().flat_map(|template| &template.metrics);
    let deciding = metrics.filter(|metric| metric.decides());
    let warm_ups = deciding.filter_map(|metric| Some(metric.comparison()?.warm_up()));
    let warm_up = warm_ups.max().unwrap_or_default();
    let judged = compares.then_some(Compared { judge: &judge, warm_up });
    Ok(PlanView::of(rollout, plan, *stored, judged, expected))
}

/// The traffic to plan with: told, or read.
async fn expected(
    arguments: &Plan,
    global: &Global,
    found: &Planned,
    judge: &Judge,
) -> Result<Option<Expected>, Failure> {
    // Of a gauge no number of requests tells how soon it decides.
    let counted = found.templates.iter().flat_map(|template| {
        let counting = template.metrics.iter().filter(|metric| {
            metric.decides() && metric.comparison().is_some_and(Comparison::counts_events)
        });
        counting.map(|metric| metric_name(template, &metric.name))
    });
    let counted: Vec<_> = counted.collect();
    let decisive = judge.metrics.iter().find(|metric| counted.contains(&metric.name));
    let Some(metric) = decisive else { return Ok(None) };
    let usual = Calibration::default();
    if let (Some(requests_per_second), Some(bad_share)) = (arguments.rps, arguments.errors) {
        let (batch_mean, pod_sd) = (usual.batch_mean, usual.pod_sd);
        let load = Load { requests_per_second, bad_share, batch_mean, pod_sd };
        return Ok(Some(Expected { metric: metric.name.to_string(), load, measured: false }));
    }
    let servers = servers(&arguments.past, global).await?;
    if servers.is_empty() {
        return Ok(None);
    }
    let (past, timeout) = (&arguments.past, global.request_timeout);
    let history =
        past::read(past, &servers, &found.templates, &found.plan.evidence, timeout).await?;
    let rows = traffic(&history.windows);
    let own: Vec<&Traffic> = rows.iter().filter(|row| row.metric == metric.name).collect();
    Ok(quietest(&own).map(|load| Expected {
        metric: metric.name.to_string(),
        load,
        measured: true,
    }))
}

/// The cluster with the fewest bad events: what can be seen there can be seen everywhere.
fn quietest(rows: &[&Traffic]) -> Option<Load> {
    let bad = |row: &Traffic| row.events_per_second * row.bad_share;
    let row = rows.iter().min_by(|a, b| bad(a).total_cmp(&bad(b)))?;
    Some(Load {
        requests_per_second: row.events_per_second,
        bad_share: row.bad_share,
        batch_mean: row.batch_mean,
        pod_sd: row.pod_sd,
    })
}
