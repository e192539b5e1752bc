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
    let before = session.annotate(&abort.name, names::ABORT_ANNOTATION, Some(reason), None).await?;
    let before = before.as_ref().and_then(attempt);
    match before {
        Some((AttemptPhase::Progressing | AttemptPhase::Aborting, _)) => {
            eprintln!("aborting rollout {:?}: {reason}", abort.name);
        }
        Some((AttemptPhase::Aborted | AttemptPhase::Completed, _)) | None => {
            eprintln!("rollout {:?} seems to be at rest; telling the hub: {reason}", abort.name);
        }
    }
    // The hub first writes down that it has taken the command up, then removes the annotation.
    let taken_up = wait_for(session, &abort.name, ECHO_DEADLINE, |rollout| {
        let handled = rollout.status.as_ref().and_then(|s| s.handled.abort.as_ref());
        let is_handled = handled.is_some_and(|handled| handled.value == reason);
        let is_removed = annotation(rollout, names::ABORT_ANNOTATION).is_none();
        (is_handled || is_removed).then(|| consequence(before, attempt(rollout)))
    })
    .await?;
    let Some(consequence) = taken_up else {
        return Ok(unanswered());
    };
    eprintln!("{consequence}");
    Ok(Exit::Ok)
}

/// Where an attempt stands, and its number.
type Attempt = (AttemptPhase, i64);

fn attempt(rollout: &Rollout) -> Option<Attempt> {
    let attempt = rollout.status.as_ref()?.attempt.as_ref()?;
    Some((attempt.phase, attempt.number))
}

/// What became of an abort, from the attempt when it was sent and when the hub had taken it up.
fn consequence(before: Option<Attempt>, after: Option<Attempt>) -> String {
    match after {
        Some((AttemptPhase::Aborting, number)) => format!("attempt {number} goes back"),
        Some((AttemptPhase::Aborted, number)) if before == after => {
            format!("nothing was aborted: attempt {number} was already back")
        }
        Some((AttemptPhase::Aborted, number)) => format!("attempt {number} is back"),
        Some((AttemptPhase::Progressing, number)) => {
            format!("the hub has taken it up for attempt {number}")
        }
        Some((AttemptPhase::Completed, number)) => {
            format!("nothing was aborted: attempt {number} is completed")
        }
        None => "nothing was aborted: there has been no attempt yet".to_owned(),
    }
}

pub(super) async fn pause(session: &Session, name: &str) -> Result<Exit, Failure> {
    session.annotate(name, names::PAUSE_ANNOTATION, Some(PAUSE_VALUE), None).await?;
    eprintln!("rollout {name:?} is paused: nothing moves forward; it can still go back");
    Ok(Exit::Ok)
}

pub(super) async fn resume(session: &Session, name: &str) -> Result<Exit, Failure> {
    let was_paused = annotation(&session.get(name).await?, names::PAUSE_ANNOTATION).is_some();
    // Sent in either case: what was read may be older than a pause that has just been set.
    session.annotate(name, names::PAUSE_ANNOTATION, None, None).await?;
    eprintln!("{}", resumed(name, was_paused));
    Ok(Exit::Ok)
}

fn resumed(name: &str, was_paused: bool) -> String {
    if was_paused {
        format!("rollout {name:?} may move again")
    } else {
        format!("rollout {name:?} was not paused; nothing has changed")
    }
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

#[cfg(test)]
mod tests {
    use AttemptPhase::{Aborted, Aborting, Completed, Progressing};

    use super::*;

    #[test]
    fn an_abort_says_what_became_of_it() {
        for (before, after, expected) in [
            (Some((Progressing, 6)), Some((Aborting, 6)), "attempt 6 goes back"),
            (Some((Progressing, 6)), Some((Aborted, 6)), "attempt 6 is back"),
            (Some((Completed, 5)), Some((Aborting, 6)), "attempt 6 goes back"),
            (
                Some((Aborted, 6)),
                Some((Aborted, 6)),
                "nothing was aborted: attempt 6 was already back",
            ),
            (
                Some((Completed, 6)),
                Some((Completed, 6)),
                "nothing was aborted: attempt 6 is completed",
            ),
            (None, None, "nothing was aborted: there has been no attempt yet"),
        ] {
            assert_eq!(consequence(before, after), expected);
        }
    }

    #[test]
    fn a_resume_without_a_pause_says_so() {
        assert_eq!(resumed("checkout", true), "rollout \"checkout\" may move again");
        let idle = "rollout \"checkout\" was not paused; nothing has changed";
        assert_eq!(resumed("checkout", false), idle);
    }
}
