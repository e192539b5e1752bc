//! Commands: the same annotations that the plugin writes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use lockflight_crds::{AttemptPhase, Rollout, names};
use serde::Deserialize;
use serde_json::Value;

use super::{
    reply::problem,
    view::{Verb, annotation},
};
use crate::{
    fleet::{client::CALL_TIMEOUT, sentence},
    shelf::{Key, Shelf},
};

/// Longest reason, in bytes; the hub keeps so much.
const REASON_LENGTH_MAX: usize = 1000;
/// Tokens that the hub reads from one annotation.
const TOKENS_MAX: usize = 64;
/// Longest token, in bytes.
const TOKEN_LENGTH_MAX: usize = 64;
/// Tries against other writers of the same object.
const TRIES: usize = 5;
/// Pause between them: the cache has to see the other's write first.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Longest field manager that Kubernetes takes, in bytes.
const FIELD_MANAGER_LENGTH_MAX: usize = 128;

/// A command as the page sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "verb", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(super) enum Command {
    /// Opens the gates with these tokens.
    Promote { tokens: Vec<String> },
    /// Takes the release back everywhere.
    Abort { reason: String },
    /// Stops forward movement.
    Pause { reason: String },
    /// Ends a pause.
    Resume,
    /// Tries the revision of this attempt again.
    Retry { attempt: i64 },
}

impl Command {
    pub(super) fn verb(&self) -> Verb {
        match self {
            Self::Promote { .. } => Verb::Promote,
            Self::Abort { .. } => Verb::Abort,
            Self::Pause { .. } => Verb::Pause,
            Self::Resume => Verb::Resume,
            Self::Retry { .. } => Verb::Retry,
        }
    }
}

/// Why a command was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unacted {
    /// It cannot be meant; the field and what it must be.
    Malformed(String),
    /// The Rollout is not in the state that the page showed.
    Overtaken(String),
    /// The API server refuses.
    Refused(String),
    /// No answer: the command may have arrived or not.
    Unanswered,
}

impl IntoResponse for Unacted {
    fn into_response(self) -> Response {
        match self {
            Self::Malformed(why) => {
                problem(StatusCode::UNPROCESSABLE_ENTITY, "Malformed", &why, None)
            }
            Self::Overtaken(why) => problem(
                StatusCode::CONFLICT,
                "Overtaken",
                &why,
                Some("look at the rollout again, then decide anew"),
            ),
            Self::Refused(why) => problem(StatusCode::BAD_GATEWAY, "Refused", &why, None),
            Self::Unanswered => problem(
                StatusCode::GATEWAY_TIMEOUT,
                "Unanswered",
                "the API server did not answer: the command may have arrived or not",
                Some("look at the rollout; the same command once more does no harm"),
            ),
        }
    }
}

/// What a command writes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Write {
    annotation: &'static str,
    value: Option<String>,
    /// Written only while the object is at this version.
    version: Option<String>,
}

/// Gives a command on behalf of `user`.
pub(super) async fn act(
    client: &Client,
    rollouts: &Shelf<Rollout>,
    key: &Key,
    command: &Command,
    user: Option<&str>,
) -> Result<(), Unacted> {
    let api: Api<Rollout> = Api::namespaced(client.clone(), &key.namespace);
    let params = PatchParams { field_manager: Some(field_manager(user)), ..PatchParams::default() };
    for _ in 0..TRIES {
        let rollout: Arc<Rollout> = rollouts
            .get(key)
            .ok_or_else(|| Unacted::Overtaken(format!("rollout {key} is gone")))?;
        let write = write(&rollout, command)?;
        let mut patch =
            serde_json::json!({"metadata": {"annotations": {write.annotation: write.value}}});
        if let Some(version) = &write.version {
            patch["metadata"]["resourceVersion"] = Value::from(version.as_str());
        }
        let patch = Patch::Merge(patch);
        let sent = tokio::time::timeout(CALL_TIMEOUT, api.patch(&key.name, &params, &patch)).await;
        match sent {
            Ok(Ok(written)) => {
                rollouts.put(written);
                return Ok(());
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            Ok(Err(error)) => return Err(Unacted::Refused(sentence(&error))),
            Err(_) => return Err(Unacted::Unanswered),
        }
    }
    Err(Unacted::Overtaken("the rollout changes too fast to be annotated".to_owned()))
}

/// Names the user in the object's own record of who wrote what; a claim, not a proof.
fn field_manager(user: Option<&str>) -> String {
    let Some(user) = user else {
        return "kubectl-lockflight".to_owned();
    };
    let mut name = String::from("dashboard:");
    for letter in user.chars().filter(|c| !c.is_control()) {
        if name.len() + letter.len_utf8() > FIELD_MANAGER_LENGTH_MAX {
            break;
        }
        name.push(letter);
    }
    name
}

fn write(rollout: &Rollout, command: &Command) -> Result<Write, Unacted> {
    let plain = |annotation, value: Option<String>| Write { annotation, value, version: None };
    match command {
        Command::Promote { tokens } => promote(rollout, tokens),
        Command::Abort { reason } => {
            Ok(plain(names::ABORT_ANNOTATION, Some(checked_reason(reason)?)))
        }
        Command::Pause { reason } => {
            Ok(plain(names::PAUSE_ANNOTATION, Some(checked_reason(reason)?)))
        }
        Command::Resume => Ok(plain(names::PAUSE_ANNOTATION, None)),
        Command::Retry { attempt } => retry(rollout, *attempt),
    }
}

fn checked_reason(reason: &str) -> Result<String, Unacted> {
    match reason.trim() {
        "" => Err(Unacted::Malformed("reason must not be empty".to_owned())),
        text if text.len() > REASON_LENGTH_MAX => {
            Err(Unacted::Malformed(format!("reason must be at most {REASON_LENGTH_MAX} bytes")))
        }
        text => Ok(text.to_owned()),
    }
}

/// The annotation gets these tokens after those that somebody else has just set and that the hub
/// has not seen. A token that no gate waits for is refused here: the page was overtaken.
fn promote(rollout: &Rollout, tokens: &[String]) -> Result<Write, Unacted> {
    if tokens.is_empty() || tokens.len() > TOKENS_MAX {
        return Err(Unacted::Malformed(format!("tokens must be 1 to {TOKENS_MAX}")));
    }
    if tokens.iter().any(|token| token.is_empty() || token.len() > TOKEN_LENGTH_MAX) {
        return Err(Unacted::Malformed(format!(
            "tokens must each have 1 to {TOKEN_LENGTH_MAX} bytes"
        )));
    }
    let status = rollout.status.as_ref();
    let waiting: BTreeSet<&str> =
        status.iter().flat_map(|s| &s.waiting).filter_map(|wait| wait.token.as_deref()).collect();
    if tokens.iter().any(|token| !waiting.contains(token.as_str())) {
        return Err(Unacted::Overtaken("this gate does not wait any more".to_owned()));
    }
    let standing = annotation(rollout, names::PROMOTE_ANNOTATION);
    let handled = status.and_then(|status| status.handled.promote.clone());
    let mut value: Vec<&str> = Vec::new();
    if standing != handled {
        value.extend(standing.iter().flat_map(|value| value.split(',')).map(str::trim));
    }
    value.extend(tokens.iter().map(String::as_str));
    let mut seen = BTreeSet::new();
    value.retain(|token| !token.is_empty() && seen.insert(*token));
    if value.len() > TOKENS_MAX {
        return Err(Unacted::Overtaken(
            "the hub has yet to take up what somebody else has just approved".to_owned(),
        ));
    }
    Ok(Write {
        annotation: names::PROMOTE_ANNOTATION,
        value: Some(unhandled(value.join(","), handled.as_deref(), ',')),
        version: rollout.metadata.resource_version.clone(),
    })
}

/// Names the attempt: a retry that arrives late must not retry another one.
fn retry(rollout: &Rollout, attempt: i64) -> Result<Write, Unacted> {
    let status = rollout.status.as_ref();
    let last = status.and_then(|status| status.attempt.as_ref());
    if !last.is_some_and(|last| last.number == attempt && last.phase == AttemptPhase::Aborted) {
        return Err(Unacted::Overtaken(format!("attempt {attempt} is not the aborted one")));
    }
    let handled = status.and_then(|status| status.handled.retry.as_deref());
    Ok(Write {
        annotation: names::RETRY_ANNOTATION,
        value: Some(unhandled(attempt.to_string(), handled, ' ')),
        version: None,
    })
}

/// The hub acts once on each value; one that it has seen gets an ending without meaning.
fn unhandled(value: String, handled: Option<&str>, ending: char) -> String {
    if handled == Some(value.as_str()) { format!("{value}{ending}") } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::view::testing;

    fn promote_with(token: &str) -> Command {
        Command::Promote { tokens: vec![token.to_owned()] }
    }

    #[test]
    fn only_a_gate_that_waits_is_opened_and_other_tokens_stay() {
        let mut rollout = testing::awaiting_approval();
        let written = write(&rollout, &promote_with("3-rest-9f2c")).unwrap();
        assert_eq!(written.value.as_deref(), Some("3-rest-9f2c"));
        assert_eq!(written.version.as_deref(), Some("70"));
        assert!(matches!(
            write(&rollout, &promote_with("2-rest-0000")),
            Err(Unacted::Overtaken(_))
        ));
        let standing = [(names::PROMOTE_ANNOTATION.to_owned(), "other".to_owned())];
        rollout.metadata.annotations = Some(standing.into_iter().collect());
        let written = write(&rollout, &promote_with("3-rest-9f2c")).unwrap();
        assert_eq!(written.value.as_deref(), Some("other,3-rest-9f2c"));
        rollout.status.as_mut().unwrap().handled.promote = Some("other".to_owned());
        let written = write(&rollout, &promote_with("3-rest-9f2c")).unwrap();
        assert_eq!(written.value.as_deref(), Some("3-rest-9f2c"));
    }

    #[test]
    fn reasons_are_bounded_and_retries_name_the_aborted_attempt() {
        let rollout = testing::aborted();
        let abort = |reason: &str| Command::Abort { reason: reason.to_owned() };
        assert!(matches!(write(&rollout, &abort("  ")), Err(Unacted::Malformed(_))));
        assert!(matches!(write(&rollout, &abort(&"x".repeat(1001))), Err(Unacted::Malformed(_))));
        assert_eq!(write(&rollout, &abort(" bad ")).unwrap().value.as_deref(), Some("bad"));
        let retried = write(&rollout, &Command::Retry { attempt: 3 }).unwrap();
        assert_eq!(retried.value.as_deref(), Some("3"));
        assert!(write(&rollout, &Command::Retry { attempt: 2 }).is_err());
        assert!(write(&testing::progressing(), &Command::Retry { attempt: 3 }).is_err());
    }

    #[test]
    fn commands_are_read_strictly() {
        for (text, ok) in [
            (r#"{"verb":"Abort","reason":"x"}"#, true),
            (r#"{"verb":"Resume"}"#, true),
            (r#"{"verb":"Promote","tokens":["a"]}"#, true),
            (r#"{"verb":"Abort"}"#, false),
            (r#"{"verb":"Delete"}"#, false),
            (r#"{"verb":"Abort","reason":"x","force":true}"#, false),
        ] {
            assert_eq!(serde_json::from_str::<Command>(text).is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn the_field_manager_names_the_user_within_its_limit() {
        assert_eq!(field_manager(Some("jo@example.org")), "dashboard:jo@example.org");
        assert_eq!(field_manager(Some(&"é\n".repeat(300))).len(), 128);
        assert_eq!(field_manager(None), "kubectl-lockflight");
    }
}
