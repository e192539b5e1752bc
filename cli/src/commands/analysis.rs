//! `analysis`: where the evidence of a rollout stands, by the hub's own code.

use futures::StreamExt as _;
use kube::{Api, ResourceExt as _};
use lockflight::metrics::{BUILTIN_PREFIX, Builtin, ResolvedTemplate, Subject, resolve};
use lockflight_crds::{AnalysisReference, AnalysisTemplate, Rollout};

use super::say;
use crate::{
    EvidenceView, Exit, Failure,
    arguments::Analysis,
    render_evidence,
    session::{Session, Update},
};

pub(super) async fn run(session: &Session, arguments: &Analysis) -> Result<Exit, Failure> {
    let rollout = session.get(&arguments.name).await?;
    let view = view(session, &rollout).await?;
    show(arguments, &rollout, &view)?;
    if !arguments.watch {
        return Ok(Exit::Ok);
    }
    tokio::select! {
        end = watch(session, arguments, view) => end,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Ok),
    }
}

async fn watch(
    session: &Session,
    arguments: &Analysis,
    first: EvidenceView,
) -> Result<Exit, Failure> {
    let mut updates = std::pin::pin!(session.follow(&arguments.name));
    let mut last = first;
    while let Some(update) = updates.next().await {
        match update {
            Update::Now(rollout) => match view(session, &rollout).await {
                Ok(next) if next != last => {
                    show(arguments, &rollout, &next)?;
                    last = next;
                }
                Ok(_) => {}
                Err(failure) => eprintln!("{failure}"),
            },
            Update::Lost(why) => eprintln!("lost the connection, trying again: {why}"),
            Update::Gone => {
                eprintln!("rollout {:?} was deleted", arguments.name);
                break;
            }
        }
    }
    Ok(Exit::Ok)
}

fn show(arguments: &Analysis, rollout: &Rollout, view: &EvidenceView) -> Result<(), Failure> {
    if arguments.output.is_some() {
        let json = if arguments.watch {
            serde_json::to_string(view)?
        } else {
            serde_json::to_string_pretty(view)?
        };
        return say(&format!("{json}\n"));
    }
    let evidence = rollout.status.as_ref().and_then(|status| status.evidence.as_ref());
    let head = evidence.map_or_else(String::new, |known| {
        let as_of = view.as_of.map_or("no window yet".to_owned(), |at| {
            format!("as of {}", at.format("%Y-%m-%d %H:%M:%SZ"))
        });
        format!("{}, attempt {} of {}, {as_of}\n", arguments.name, known.attempt, known.revision)
    });
    say(&format!("{head}{}", render_evidence(view)))
}

/// The evidence in a rollout's status. The hub writes it along with other changes, so it may be
/// some rounds old; the view says of when it is.
pub(super) async fn view(session: &Session, rollout: &Rollout) -> Result<EvidenceView, Failure> {
    let status = rollout.status.clone().unwrap_or_default();
    let mut templates = Vec::new();
    for reference in status.plan.iter().flat_map(|plan| &plan.analysis) {
        templates.push(template(session, &rollout.name_any(), reference).await?);
    }
    EvidenceView::of_status(&status, &templates).map_err(|error| Failure::State(error.to_string()))
}

async fn template(
    session: &Session,
    rollout: &str,
    reference: &AnalysisReference,
) -> Result<ResolvedTemplate, Failure> {
    let name = &reference.template;
    let subject = Subject { namespace: &session.namespace, rollout };
    if let Some(builtin) = name.strip_prefix(BUILTIN_PREFIX) {
        let spec = Builtin::find(builtin).and_then(Builtin::spec).ok_or_else(|| {
            Failure::State(format!("this program knows no built-in template {builtin:?}"))
        })?;
        return resolve(name, &spec, subject, &reference.args)
            .map_err(|error| Failure::State(format!("built-in template {builtin:?}: {error}")));
    }
    let api: Api<AnalysisTemplate> = Api::namespaced(session.client().clone(), &session.namespace);
    let found = session.ask(api.get(name)).await.map_err(|failure| match failure {
        Failure::NotFound { namespace, .. } => Failure::State(format!(
            "AnalysisTemplate {name:?} not found in namespace {namespace:?}; the plan needs it"
        )),
        other => other,
    })?;
    resolve(name, &found.spec, subject, &reference.args)
        .map_err(|error| Failure::State(format!("AnalysisTemplate {name:?}: {error}")))
}
