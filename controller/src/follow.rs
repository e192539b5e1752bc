//! Keeps a shelf up to date by a watch.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;

use crate::shelf::Shelf;

/// Pause after a watch error: short and without growth, because each watch serves one cluster
/// and a cluster that returns must be seen at once; half a second bounds the load on it.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

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
    let stream = watcher(api, config);
    futures::pin_mut!(stream);
    let mut listed: Vec<K> = Vec::new();
    while let Some(event) = stream.next().await {
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
                tracing::debug!(%error, "watch interrupted");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}
