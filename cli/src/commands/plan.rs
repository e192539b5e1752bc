//! `plan`: what a rollout will do, and what its gates can see with its traffic.

use chrono::Utc;
use kube::ResourceExt as _;
use lockflight::{forecast::Planned, hub::Hub, metrics::BUILTIN_PREFIX};
use lockflight_analysis::trust::{Load, Traffic, traffic};
use lockflight_crds::Rollout;

use super::say;
use crate::{
    Exit, Failure, Global, PlanView, Style,
    arguments::Plan,
    objects::{self, NAMESPACE_DEFAULT},
    past, render_plan,
    servers::servers,
    session::Session,
    view::Expected,
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
    planned(rollout, &hub)
}

pub(super) async fn of_files(
    arguments: &Plan,
    global: &Global,
    style: Style,
) -> Result<Planned, Failure> {
    let mut files = objects::read(&arguments.files, global.namespace.as_deref())?;
    // What a file says of an attempt that once was binds nobody.
    files.rollout.status = None;
    let namespace = files.rollout.namespace().unwrap_or(NAMESPACE_DEFAULT.to_owned());
    if !files.have_clusters {
        let session = Session::open(global, style).await?;
        objects::add_templates(&files.hub, &session, &namespace).await?;
        objects::add_clusters(&files.hub, &session).await?;
    }
    planned(files.rollout, &files.hub)
}

fn planned(rollout: Rollout, hub: &Hub) -> Result<Planned, Failure> {
    let name = rollout.name_any();
    Planned::of(rollout, hub, Utc::now()).map_err(|problems| {
        Failure::State(format!("rollout {name:?} is not valid:\n  {}", problems.join("\n  ")))
    })
}

pub(super) async fn view(
    arguments: &Plan,
    global: &Global,
    found: &Planned,
) -> Result<PlanView, Failure> {
    Ok(found.view(expected(arguments, global, found).await?))
}

/// The traffic to plan with: told, or read.
async fn expected(
    arguments: &Plan,
    global: &Global,
    found: &Planned,
) -> Result<Option<Expected>, Failure> {
    let Some(metric) = found.counted_metric() else { return Ok(None) };
    if let (Some(requests_per_second), Some(bad_share)) = (arguments.rps, arguments.errors) {
        return Ok(Some(Expected::usual(metric, requests_per_second, bad_share, false)));
    }
    let servers = servers(&arguments.past, global).await?;
    if servers.is_empty() {
        return Ok(None);
    }
    let (past, timeout) = (&arguments.past, global.request_timeout);
    let history =
        past::read(past, &servers, &found.templates, &found.plan.evidence, timeout).await?;
    let rows = traffic(&history.windows);
    let own: Vec<&Traffic> = rows.iter().filter(|row| *row.metric == *metric).collect();
    Ok(quietest(&own).map(|load| Expected { metric, load, measured: true }))
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
