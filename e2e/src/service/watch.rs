//! Waiting for a Rollout by watching it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use kube::Api;
use kube::runtime::watcher::{self, watch_object};
use lockflight_crds::Rollout;
use tokio::time::{Instant, sleep, timeout_at};

/// After an interrupted watch: the API server may be on its way back.
const PAUSE: Duration = Duration::from_millis(200);

/// Watches until `reached` holds for the Rollout.
pub(super) async fn until(
    api: Api<Rollout>,
    name: &str,
    what: &str,
    deadline: Duration,
    mut reached: impl FnMut(&Rollout) -> bool,
) -> anyhow::Result<Rollout> {
    let mut last = None;
    let found = follow(api, name, deadline, |rollout| {
        let found = rollout.filter(|rollout| reached(rollout));
        if let Some(rollout) = rollout {
            last = Some(rollout.clone());
        }
        found.cloned()
    })
    .await;
    match found {
        Some(rollout) => Ok(rollout),
        None => {
            bail!("waited {deadline:?} for {what}; the last status was {}", describe(last.as_ref()))
        }
    }
}

/// Watches for the whole of `span`; fails if `happened` holds for the Rollout meanwhile.
pub(super) async fn never(
    api: Api<Rollout>,
    name: &str,
    what: &str,
    span: Duration,
    mut happened: impl FnMut(&Rollout) -> bool,
) -> anyhow::Result<()> {
    let seen =
        follow(api, name, span, |rollout| rollout.filter(|rollout| happened(rollout)).cloned())
            .await;
    match seen {
        None => Ok(()),
        Some(rollout) => bail!("{what}, which should not happen: {}", describe(Some(&rollout))),
    }
}

/// Watches until the Rollout is gone.
pub(super) async fn gone(api: Api<Rollout>, name: &str, deadline: Duration) -> anyhow::Result<()> {
    let mut last = None;
    let gone = follow(api, name, deadline, |rollout| {
        last = rollout.cloned();
        rollout.is_none().then_some(())
    })
    .await;
    gone.with_context(|| {
        format!("the Rollout is still there after {deadline:?}: {}", describe(last.as_ref()))
    })
}

async fn follow<T>(
    api: Api<Rollout>,
    name: &str,
    deadline: Duration,
    mut look: impl FnMut(Option<&Rollout>) -> Option<T>,
) -> Option<T> {
    let end = Instant::now() + deadline;
    let mut changes = std::pin::pin!(watch_object(api, name));
    while let Ok(Some(change)) = timeout_at(end, changes.next()).await {
        match change {
            Ok(rollout) => {
                if let Some(found) = look(rollout.as_ref()) {
                    return Some(found);
                }
            }
            Err(watcher::Error::NoResourceVersion) => return None,
            Err(_) => sleep(PAUSE).await,
        }
    }
    None
}

fn describe(rollout: Option<&Rollout>) -> String {
    let Some(rollout) = rollout else {
        return "not there".to_owned();
    };
    let status = rollout.status.clone().unwrap_or_default();
    serde_json::to_string_pretty(&status).unwrap_or_else(|error| error.to_string())
}
