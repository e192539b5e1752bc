//! `promote`: opens gates by the tokens that the status shows, and by nothing else.

use std::collections::BTreeSet;

use lockflight_crds::{Rollout, WaitingStatus, names};

use super::{ECHO_DEADLINE, unanswered, unhandled, wait_for};
use crate::{Exit, Failure, arguments::Promote, session::Session};

/// Tries against other writers of the same object; the hub writes only on transitions.
const TRIES: usize = 5;
/// Tokens that the hub reads from one value of the annotation.
const TOKENS_MAX: usize = 64;
/// What a gate's sentence says of its wave or step.
const GATE_VERBS: [&str; 2] = [" may start", " has passed"];

pub(super) async fn run(session: &Session, promote: &Promote) -> Result<Exit, Failure> {
    let rollout = session.get(&promote.name).await?;
    let gates = choose(&rollout, promote)?;
    for batch in gates.chunks(TOKENS_MAX) {
        let value = write(session, &promote.name, batch).await?;
        for gate in batch {
            eprintln!("approving {}  (token {})", gate.subject(), gate.token);
        }
        if !is_echoed(session, &promote.name, &value).await? {
            return Ok(unanswered());
        }
    }
    eprintln!("the hub has taken it up");
    Ok(Exit::Ok)
}

/// Sets the annotation to these gates' tokens; returns what it says now.
async fn write(session: &Session, name: &str, gates: &[Gate]) -> Result<String, Failure> {
    for _ in 0..TRIES {
        let rollout = session.get(name).await?;
        let value = value(&rollout, gates)?;
        let version = rollout.metadata.resource_version.as_deref();
        let annotation = names::PROMOTE_ANNOTATION;
        if session.annotate(name, annotation, Some(&value), version).await?.is_some() {
            return Ok(value);
        }
    }
    Err(Failure::State(format!("rollout {name:?} changes too fast to be annotated; try again")))
}

async fn is_echoed(session: &Session, name: &str, value: &str) -> Result<bool, Failure> {
    let echoed = wait_for(session, name, ECHO_DEADLINE, |rollout| {
        let handled = rollout.status.as_ref()?.handled.promote.as_ref()?;
        // Another person may have added tokens to ours meanwhile.
        let is_added_to = handled.strip_prefix(value).is_some_and(|rest| rest.starts_with(','));
        (handled == value || is_added_to).then_some(())
    });
    Ok(echoed.await?.is_some())
}

/// A gate that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gate {
    token: String,
    cluster: Option<String>,
    message: String,
}

impl Gate {
    fn of(waiting: &WaitingStatus) -> Option<Self> {
        Some(Self {
            token: waiting.token.clone()?,
            cluster: waiting.cluster.clone(),
            message: waiting.message.clone(),
        })
    }

    fn describe(&self) -> String {
        let place = self.cluster.as_ref().map(|cluster| format!("{cluster}: "));
        format!("{}{}", place.unwrap_or_default(), self.told())
    }

    /// The sentence without the cluster, which may stand before it.
    fn told(&self) -> &str {
        let cluster = self.cluster.as_ref();
        let told = cluster.and_then(|name| self.message.strip_prefix(name)?.strip_prefix(": "));
        told.unwrap_or(&self.message)
    }

    /// What is approved: that which the hub's sentence is about, as `wave rest` is in "wave rest
    /// may start and awaits approval".
    fn subject(&self) -> String {
        let mut verbs = GATE_VERBS.iter();
        match (verbs.find_map(|verb| self.told().split_once(verb)), &self.cluster) {
            (Some((what, _)), Some(cluster)) => format!("{what} of {cluster}"),
            (Some((what, _)), None) => what.to_owned(),
            // Another hub may put it in other words.
            (None, _) => format!("this gate: {}", self.describe()),
        }
    }
}

/// The gates that are meant. What was not said for sure is refused, with the choices.
fn choose(rollout: &Rollout, promote: &Promote) -> Result<Vec<Gate>, Failure> {
    let waiting = rollout.status.as_ref().map(|status| status.waiting.as_slice());
    let open: Vec<Gate> = waiting.unwrap_or_default().iter().filter_map(Gate::of).collect();
    let is_meant = |gate: &&Gate| match (&promote.cluster, &promote.token) {
        (Some(cluster), _) => gate.cluster.as_ref() == Some(cluster),
        (None, Some(token)) => gate.token == *token,
        (None, None) => true,
    };
    let chosen: Vec<Gate> = open.iter().filter(is_meant).cloned().collect();
    let tokens: BTreeSet<&str> = chosen.iter().map(|gate| gate.token.as_str()).collect();
    let is_said = promote.all || promote.cluster.is_some() || promote.token.is_some();
    if open.is_empty() {
        let name = &promote.name;
        return Err(Failure::State(format!("no gate of rollout {name:?} waits for an approval")));
    }
    if chosen.is_empty() {
        return Err(Failure::Gates(format!("no such gate waits; {}", choices(promote, &open))));
    }
    if tokens.len() > 1 && !is_said {
        return Err(Failure::Gates(choices(promote, &open)));
    }
    let mut seen = BTreeSet::new();
    Ok(chosen.iter().filter(|gate| seen.insert(&gate.token)).cloned().collect())
}

fn choices(promote: &Promote, open: &[Gate]) -> String {
    let lines: Vec<String> =
        open.iter().map(|gate| format!("  --token {}  {}", gate.token, gate.describe())).collect();
    let name = &promote.name;
    format!(
        "{} gates of rollout {name:?} wait; say which with --token, --cluster or --all:\n{}",
        open.len(),
        lines.join("\n")
    )
}

/// The annotation's value: these tokens, after those that another person has just set and that
/// the hub has not yet seen.
fn value(rollout: &Rollout, gates: &[Gate]) -> Result<String, Failure> {
    let annotations = rollout.metadata.annotations.as_ref();
    let standing = annotations.and_then(|all| all.get(names::PROMOTE_ANNOTATION));
    let handled = rollout.status.as_ref().and_then(|status| status.handled.promote.as_ref());
    let mut tokens: Vec<&str> = Vec::new();
    if standing != handled {
        tokens.extend(standing.iter().flat_map(|value| value.split(',')).map(str::trim));
    }
    tokens.extend(gates.iter().map(|gate| gate.token.as_str()));
    let mut seen = BTreeSet::new();
    tokens.retain(|token| !token.is_empty() && seen.insert(*token));
    if tokens.len() > TOKENS_MAX {
        return Err(Failure::State(
            "the hub has yet to take up what somebody else has just approved; try again".to_owned(),
        ));
    }
    Ok(unhandled(tokens.join(","), handled.map(String::as_str), ','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_approved_is_named() {
        for (cluster, message, subject, description) in [
            (None, "wave rest may start and awaits approval", "wave rest", None),
            (None, "wave rest has passed and awaits approval", "wave rest", None),
            (
                Some("m2"),
                "m2: step 1 may start and awaits approval",
                "step 1 of m2",
                Some("m2: step 1 may start and awaits approval"),
            ),
            (Some("m2"), "step 3 has passed and awaits approval", "step 3 of m2", None),
            (Some("m2"), "waits for a person", "this gate: m2: waits for a person", None),
        ] {
            let gate = Gate {
                token: "7f".to_owned(),
                cluster: cluster.map(str::to_owned),
                message: message.to_owned(),
            };
            assert_eq!(gate.subject(), subject);
            if let Some(description) = description {
                assert_eq!(gate.describe(), description, "the cluster is named once");
            }
        }
    }
}
