//! One task per Rollout; what one of them does cannot touch another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{Id, JoinSet},
    time::Instant,
};

use crate::{
    reconcile::{Context, Reconciler},
    shelf::Key,
};

/// Pause before a Rollout whose task panicked is taken up again, by the number of its panics:
/// one poisonous object must not make the hub spin.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_mins(5)];

/// Keeps a task running for every Rollout, for ever.
pub async fn supervise(context: Arc<Context>) -> &'static str {
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut running: BTreeMap<Id, Key> = BTreeMap::new();
    let mut panics: BTreeMap<Key, (usize, Instant)> = BTreeMap::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let wanted: BTreeSet<Key> = context
            .hub
            .rollouts
            .select(|_| true)
            .iter()
            .map(|rollout| Key::of(rollout.as_ref()))
            .collect();
        panics.retain(|key, _| wanted.contains(key));
        let taken: BTreeSet<Key> = running.values().cloned().collect();
        for key in wanted.difference(&taken) {
            if panics.get(key).is_some_and(|(_, at)| *at > Instant::now()) {
                continue;
            }
            let handle = tasks.spawn(Reconciler::run(Arc::clone(&context), key.clone()));
            running.insert(handle.id(), key.clone());
        }
        context.metrics.controls(running.len());
        tokio::select! {
            () = context.hub.rollouts_changed.notified() => {}
            _ = ticks.tick() => {}
            Some(joined) = tasks.join_next_with_id() => match joined {
                Ok((id, ())) => {
                    running.remove(&id);
                }
                Err(error) => {
                    if let Some(key) = running.remove(&error.id()) {
                        let count = panics.get(&key).map_or(0, |(count, _)| *count);
                        let pause = PAUSES.get(count).or(PAUSES.last()).copied().unwrap_or_default();
                        tracing::error!(rollout = %key, %error, "task ended by a panic");
                        context.metrics.restarted();
                        panics.insert(key, (count + 1, Instant::now() + pause));
                    }
                }
            },
        }
    }
}
