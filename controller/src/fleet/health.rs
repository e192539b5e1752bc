//! Whether a member can be reached: the truth within seconds.

use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::Client;
use tokio::sync::watch;

/// How often a member is asked, and how long its answer may take. Watches alone would not notice
/// a silent black hole for minutes.
const PERIOD: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(2);
/// One slow answer of a busy API server is no outage: a member is unknown after two misses, the
/// second asked for at once. So a black hole is known after `PERIOD` + 2 × `TIMEOUT` at most.
const MISSES: u32 = 2;
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// How often a member that is down is asked: its return is seen at once, at little cost.
const DOWN_PAUSE: Duration = Duration::from_secs(1);

/// Reachability of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Not reached yet.
    Connecting,
    /// Reached.
    Up {
        /// Version of its API server.
        version: String,
    },
    /// Not reached.
    Down {
        /// Last contact.
        since: DateTime<Utc>,
        /// Why, in a sentence without secrets.
        why: String,
    },
}

/// Asks a member for its version for ever; publishes changes only.
pub(super) async fn heartbeat(client: Client, health: watch::Sender<Health>) {
    let mut last_contact: DateTime<Utc> = Utc::now();
    let mut misses: u32 = 0;
    loop {
        let asked_at = Utc::now();
        let answer = tokio::time::timeout(TIMEOUT, client.apiserver_version()).await;
        let why = match answer {
            Ok(Ok(info)) => {
                last_contact = Utc::now();
                misses = 0;
                publish(&health, Health::Up { version: info.git_version });
                tokio::time::sleep(PERIOD).await;
                continue;
            }
            // An answer, even an error, is contact; but what it denies cannot be done there.
            Ok(Err(error)) => sentence(&error),
            Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
        };
        misses = misses.saturating_add(1);
        if misses < MISSES {
            tokio::time::sleep(RETRY_PAUSE).await;
            continue;
        }
        publish(&health, Health::Down { since: last_contact.min(asked_at), why });
        tokio::time::sleep(DOWN_PAUSE).await;
    }
}

fn publish(health: &watch::Sender<Health>, next: Health) {
    health.send_if_modified(|current| {
        // The moment of loss and its first reason stay as they were noticed.
        let both_down = matches!((&*current, &next), (Health::Down { .. }, Health::Down { .. }));
        if both_down || *current == next {
            return false;
        }
        *current = next;
        true
    });
}

/// An error in one line, without request details that could carry a secret.
pub(crate) fn sentence(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 401 => {
            "the credential is not accepted (401): renew the token in the Secret".to_owned()
        }
        kube::Error::Api(status) => {
            let message: String = status.message.chars().take(300).collect();
            format!("{} {}: {message}", status.code, status.reason)
        }
        kube::Error::HyperError(_) | kube::Error::Service(_) => {
            "the API server cannot be connected to".to_owned()
        }
        _ => "the API server's answer cannot be read".to_owned(),
    }
}
