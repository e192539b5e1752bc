//! Keeps a shelf up to date by a watch.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;

use crate::{cause::innermost, shelf::Shelf};

/// Pause after a watch error: short and without growth, because each watch serves one cluster
/// and a cluster that returns must be seen at once; half a second bounds the load on it.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// Causes of one interruption that are told apart.
const CAUSES_MAX: usize = 8;

/// What has been said of an interruption that is not over: each cause is logged once, not twice a
/// second.
#[derive(Debug, Default)]
struct Told(Vec<String>);

impl Told {
    /// Whether this cause has not been told yet; from now on it has.
    fn is_new(&mut self, cause: String) -> bool {
        let is_new = self.0.len() < CAUSES_MAX && !self.0.contains(&cause);
        if is_new {
            self.0.push(cause);
        }
        is_new
    }

    /// The watch is there again; whether anything had been said.
    fn is_over(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }
}

/// Follows a collection for ever, feeding `shelf` and calling `changed` with every object that
/// changed. Never returns; dropping the future ends the watch.
pub async fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    shelf: Arc<Shelf<K>>,
    changed: impl Fn(&K) + Send + Sync,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let what = api.resource_url().to_owned();
    let stream = watcher(api, config);
    futures::pin_mut!(stream);
    let mut listed: Vec<K> = Vec::new();
    let mut told = Told::default();
    while let Some(event) = stream.next().await {
        // A list that begins has not been answered yet.
        if !matches!(event, Ok(Event::Init) | Err(_)) && told.is_over() {
            tracing::info!(what, "the watch goes on");
        }
        match event {
            Ok(Event::Apply(object)) => {
                let seen = object.clone();
                shelf.put(object);
                changed(&seen);
            }
            Ok(Event::Delete(object)) => {
                shelf.remove(&object);
                changed(&object);
            }
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => listed.push(object),
            Ok(Event::InitDone) => {
                let seen = listed.clone();
                shelf.replace(std::mem::take(&mut listed));
                seen.iter().for_each(&changed);
            }
            Err(error) => {
                let cause = innermost(&error);
                tracing::debug!(what, %error, "watch interrupted");
                if told.is_new(cause.clone()) {
                    tracing::warn!(what, cause, "cannot watch; trying again until it goes on");
                }
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CAUSES_MAX, Told};

    #[test]
    fn a_cause_is_told_once_an_interruption() {
        let mut told = Told::default();
        let cause = || "invalid peer certificate: BadSignature".to_owned();
        assert!(!told.is_over());
        assert!(told.is_new(cause()));
        assert!(!told.is_new(cause()));
        assert!(told.is_new("Connection refused".to_owned()));
        assert!(told.is_over() && !told.is_over());
        assert!(told.is_new(cause()));
        let new = (0..100).filter(|number| told.is_new(number.to_string())).count();
        assert_eq!(new, CAUSES_MAX - 1);
    }
}
