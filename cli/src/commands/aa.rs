//! `aa`: stable judged against itself.

use chrono::TimeDelta;
use lockflight_analysis::trust::{Fleet, Stage, Trials, detect, stable_against_stable, traffic};
use lockflight_crds::EvidencePolicy;

use super::{replay::windows, say};
use crate::{
    AaView, Exit, Failure, Global,
    arguments::Aa,
    past::{self, StableHistory},
    render_aa,
    servers::servers,
};

/// How much worse the releases are whose detection is timed.
const FACTORS: [f64; 2] = [2.0, 10.0];

/// Namespace of the pods where none is named.
const NAMESPACE_DEFAULT: &str = "default";

pub(super) async fn run(arguments: &Aa, global: &Global) -> Result<Exit, Failure> {
    let view = view(arguments, global).await?;
    match arguments.output {
        Some(_) => say(&format!("{}\n", serde_json::to_string_pretty(&view)?))?,
        None => say(&render_aa(&view))?,
    }
    Ok(Exit::Ok)
}

/// What stable against itself shows.
pub(super) async fn view(arguments: &Aa, global: &Global) -> Result<AaView, Failure> {
    let stages = stages(arguments)?;
    if let Some(path) = &arguments.save {
        past::refuse_existing(path)?;
    }
    let (history, from) = match &arguments.recording {
        Some(path) => {
            let (head, windows) = windows(path)?;
            let from = path.display().to_string();
            let judge =
                head.judge().map_err(|error| Failure::State(format!("{from}, line 1: {error}")))?;
            (StableHistory { judge, windows }, from)
        }
        None => (read(arguments, global).await?, "stable's past".to_owned()),
    };
    if let Some(path) = &arguments.save {
        past::save(path, &history)?;
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::State(format!("{from}: {error}"));
    let fleet = Fleet { judge: &history.judge, history: &history.windows };
    let count = usize::try_from(arguments.trials).unwrap_or(usize::MAX);
    let trials = Trials { stages: &stages, trials: count, seed: arguments.seed };
    let found = stable_against_stable(fleet, trials).map_err(|error| wrong(&error))?;
    let mut detections = Vec::new();
    for factor in FACTORS {
        detections.push(detect(fleet, trials, factor).map_err(|error| wrong(&error))?);
    }
    let as_of = history.windows.iter().map(|one| one.window.ends_at).max();
    let traffic = traffic(&history.windows);
    Ok(AaView::of(history.judge.false_abort, as_of, &traffic, &found, &detections))
}

fn stages(arguments: &Aa) -> Result<Vec<Stage>, Failure> {
    let stages = arguments.steps.iter().map(|(weight, length)| {
        let share = f64::from(*weight) / 100.0;
        TimeDelta::from_std(*length).map(|length| Stage { share, length })
    });
    let stages: Result<Vec<Stage>, _> = stages.collect();
    stages.map_err(|error| Failure::State(format!("--steps: {error}")))
}

async fn read(arguments: &Aa, global: &Global) -> Result<StableHistory, Failure> {
    let namespace = global.namespace.as_deref().unwrap_or(NAMESPACE_DEFAULT);
    let templates = past::templates(&arguments.compare, namespace, &arguments.name)?;
    let policy = EvidencePolicy {
        false_aborts: arguments.false_aborts.clone(),
        ..EvidencePolicy::default()
    };
    let servers = servers(&arguments.past, global).await?;
    past::read(&arguments.past, &servers, &templates, &policy, global.request_timeout).await
}
