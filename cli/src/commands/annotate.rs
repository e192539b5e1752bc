//! `abort`, `pause`, `resume` and `retry`: commands that are one annotation.

use lockflight_crds::{AttemptPhase, Rollout, names};

use super::{ECHO_DEADLINE, unanswered, unhandled, wait_for};
use crate::{Exit, Failure, arguments::Abort, session::Session};

/// Value of the pause annotation; only its presence counts.
const PAUSE_VALUE: &str = "paused with kubectl lockflight";

/// An abort is sent whatever the state looks like: what was read may be older than a rollout
/// that has just begun.
pub(super) async fn abort(session: &Session, abort: &Abort) -> Result<Exit, Failure> {
    let reason = abort.reason.as_str();
    session.annotate(&abort.name, names::ABORT_ANNOTATION, Some(reason), None).await?;
    eprintln!("aborting rollout {:?}: {reason}", abort.name);
    // The hub first writes down that it has taken the command up, then removes the annotation.
    let taken_up = wait_for(session, &abort.name, ECHO_DEADLINE, |rollout| {
        let handled = rollout.status.as_ref().and_then(|s| s.handled.abort.as_ref());
        let is_handled = handled.is_some_and(|handled| handled.value == reason);
        let is_removed = annotation(rollout, names::ABORT_ANNOTATION).is_none();
        (is_handled || is_removed).then(|| consequence(rollout))
    })
    .await?;
    let Some(consequence) = taken_up else {
        return Ok(unanswered());
    };
    eprintln!("{consequence}");
    Ok(Exit::Ok)
}

fn consequence(rollout: &Rollout) -> String {
    let attempt = rollout.status.as_ref().and_then(|status| status.attempt.as_ref());
    match attempt.map(|attempt| (attempt.phase, attempt.number)) {
        Some((AttemptPhase::Aborting, number)) => format!("attempt {number} goes back"),
        Some((AttemptPhase::Aborted, number)) => format!("attempt {number} is back"),
        Some((AttemptPhase::Progressing, number)) => {
            format!("the hub has taken it up for attempt {number}")
        }
        Some((AttemptPhase::Completed, _)) | None => {
            "the hub has taken it up: nothing was in progress".to_owned()
        }
    }
}

pub(super) async fn pause(session: &Session, name: &str) -> Result<Exit, Failure> {
    session.annotate(name, names::PAUSE_ANNOTATION, Some(PAUSE_VALUE), None).await?;
    eprintln!("rollout {name:?} is paused: nothing moves forward; it can still go back");
    Ok(Exit::Ok)
}

pub(super) async fn resume(session: &Session, name: &str) -> Result<Exit, Failure> {
    session.annotate(name, names::PAUSE_ANNOTATION, None, None).await?;
    eprintln!("rollout {name:?} may move again");
    Ok(Exit::Ok)
}

/// Names the attempt: a retry that arrives late must not retry another one.
pub(super) async fn retry(session: &Session, name: &str) -> Result<Exit, Failure> {
    let rollout = session.get(name).await?;
    let status = rollout.status.as_ref();
    let number = match status.and_then(|status| status.attempt.as_ref()) {
        Some(attempt) if attempt.phase == AttemptPhase::Aborted => attempt.number,
        Some(attempt) => {
            return Err(Failure::State(format!(
                "attempt {} of rollout {name:?} is {:?}; only an aborted one can be tried again",
                attempt.number, attempt.phase
            )));
        }
        None => {
            return Err(Failure::State(format!("rollout {name:?} has had no attempt yet")));
        }
    };
    let handled = status.and_then(|status| status.handled.retry.as_deref());
    let value = unhandled(number.to_string(), handled, ' ');
    session.annotate(name, names::RETRY_ANNOTATION, Some(&value), None).await?;
    eprintln!("trying again what attempt {number} tried");
    let echoed = wait_for(session, name, ECHO_DEADLINE, |rollout| {
        let status = rollout.status.as_ref()?;
        (status.handled.retry.as_deref() == Some(&value)).then_some(())
    })
    .await?;
    if echoed.is_none() {
        return Ok(unanswered());
    }
    eprintln!("the hub has taken it up");
    Ok(Exit::Ok)
}

fn annotation<'a>(rollout: &'a Rollout, name: &str) -> Option<&'a String> {
    rollout.metadata.annotations.as_ref()?.get(name)
}
