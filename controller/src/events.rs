//! Events: one recorder, fed by a bounded queue, never awaited by a pass.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use lockflight_crds::Rollout;
use tokio::sync::mpsc;

use crate::fleet::client::CALL_TIMEOUT;

/// Events that may wait; more are dropped and logged, for they must not hold up a rollout.
const QUEUE_MAX: usize = 1000;

/// An Event to publish.
struct Entry {
    reference: ObjectReference,
    event: Event,
}

/// Where passes leave their Events.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<Entry>,
}

impl Events {
    /// The queue and the future that empties it, for ever.
    pub fn new(client: Client) -> (Self, impl Future<Output = &'static str> + Send) {
        let (queue, mut entries) = mpsc::channel::<Entry>(QUEUE_MAX);
        let reporter = Reporter { controller: "lockflight".to_owned(), instance: None };
        let publish = async move {
            while let Some(entry) = entries.recv().await {
                // A recorder that is kept makes one series of all Events with a reason, under the
                // sentence of the first: later tokens and verdicts would never be seen.
                let recorder = Recorder::new(client.clone(), reporter.clone());
                let published = recorder.publish(&entry.event, &entry.reference);
                match tokio::time::timeout(CALL_TIMEOUT, published).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "event not published"),
                    Err(_) => tracing::warn!("event not published in time"),
                }
            }
            "queue of Events"
        };
        (Self { queue }, publish)
    }

    /// Leaves an Event about a Rollout.
    pub fn tell(&self, rollout: &Rollout, warning: bool, reason: String, note: &str) {
        tracing::info!(
            namespace = rollout.meta().namespace,
            rollout = rollout.meta().name,
            reason,
            note,
            "event"
        );
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            action: reason.clone(),
            reason,
            // The API's limit on notes is 1 kB.
            note: Some(note.chars().take(900).collect()),
            secondary: None,
        };
        let entry = Entry { reference: rollout.object_ref(&()), event };
        if self.queue.try_send(entry).is_err() {
            tracing::warn!("event dropped: the queue is full");
        }
    }
}
