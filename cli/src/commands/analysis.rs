//! `analysis`: where the evidence of a rollout stands, by the hub's own code.

use futures::StreamExt as _;
use kube::{Api, ResourceExt as _};
use lockflight::metrics::{BUILTIN_PREFIX, Builtin, ResolvedTemplate, Subject, resolve};
use lockflight_crds::{
    AnalysisReference, AnalysisTemplate, AttemptPhase, AttemptStatus, Rollout, RolloutStatus,
};

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
    let head = rollout.status.as_ref().and_then(|status| head(&arguments.name, status, view));
    say(&format!("{}{}", head.unwrap_or_default(), render_evidence(view)))
}

/// Whose evidence it is, what became of that attempt, and how old it is.
fn head(name: &str, status: &RolloutStatus, view: &EvidenceView) -> Option<String> {
    let known = status.evidence.as_ref()?;
    let mut parts = vec![format!("{name}, attempt {} of {}", known.attempt, known.revision)];
    let attempt = status.attempt.as_ref();
    let is_current = attempt.is_none_or(|attempt| attempt.number == known.attempt);
    let phase = attempt.filter(|_| is_current).map(|attempt| attempt.phase);
    let ended = phase.filter(|phase| *phase != AttemptPhase::Progressing).map(word);
    parts.extend(ended.map(str::to_owned));
    let mut arms = view.metrics.iter().flat_map(|metric| [metric.canary, metric.stable]);
    let has_counted = arms.any(|arm| arm.events > 0);
    match view.as_of {
        Some(at) => parts.push(format!("as of {}", at.format("%Y-%m-%d %H:%M:%SZ"))),
        None if !has_counted => parts.push("no window yet".to_owned()),
        None if ended.is_some() => {}
        // Every cluster that was measured is through: the newest window of none is known.
        None if is_current => parts.push("no cluster is measured now".to_owned()),
        None => parts.push("no longer measured".to_owned()),
    }
    let current = attempt.filter(|_| !is_current).map(|attempt| {
        let AttemptStatus { number, revision, phase, .. } = attempt;
        format!("; the current one is {number} of {revision}, {}", word(*phase))
    });
    Some(format!("{}{}\n", parts.join(", "), current.unwrap_or_default()))
}

fn word(phase: AttemptPhase) -> &'static str {
    match phase {
        AttemptPhase::Progressing => "in progress",
        AttemptPhase::Aborting => "going back",
        AttemptPhase::Aborted => "aborted",
        AttemptPhase::Completed => "completed",
    }
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use lockflight::standing::{ArmView, MetricEvidence, SideView};
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn view(events: u64, as_of: Option<i64>) -> EvidenceView {
        let side = SideView { ln_e: 0.0, bar_ln: 3.0 };
        let arm = ArmView { bad: 0, events };
        EvidenceView {
            sentence: String::new(),
            as_of: as_of.and_then(|at| DateTime::from_timestamp(at, 0)),
            against: side,
            in_favour: side,
            taken_back: None,
            metrics: vec![MetricEvidence {
                name: "errors".to_owned(),
                against_ln: 0.0,
                in_favour_ln: 0.0,
                promotes: true,
                needed_events: 0,
                canary: arm,
                stable: arm,
                clusters: Vec::new(),
            }],
        }
    }

    #[test]
    fn the_first_line_says_what_became_of_the_attempt() {
        let judged = view(100, None);
        for (rollout, attempt, view, expected) in [
            (testing::progressing(), 3, &view(0, None), "no window yet"),
            (testing::progressing(), 3, &view(9, Some(0)), "as of 1970-01-01 00:00:00Z"),
            (testing::progressing(), 3, &judged, "no cluster is measured now"),
            (testing::aborted(), 3, &judged, "aborted"),
            (testing::aborted(), 3, &view(0, None), "aborted, no window yet"),
            (testing::completed(), 3, &judged, "completed"),
            (
                testing::progressing(),
                2,
                &view(9, Some(0)),
                "as of 1970-01-01 00:00:00Z; the current one is 3 of 7a1b2c3d4e, in progress",
            ),
            (
                testing::aborted(),
                2,
                &judged,
                "no longer measured; the current one is 3 of 7a1b2c3d4e, aborted",
            ),
        ] {
            let mut status = rollout.status.unwrap();
            let evidence = json!({"attempt": attempt, "attempts": 1, "revision": "7a1b2c3d4e",
                "state": "x"});
            status.evidence = Some(serde_json::from_value(evidence).unwrap());
            let expected = format!("checkout, attempt {attempt} of 7a1b2c3d4e, {expected}\n");
            assert_eq!(head("checkout", &status, view), Some(expected));
        }
    }
}
