//! Who has to look again. A wake-up says which Rollout, never what changed.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::Notify;

use crate::shelf::Key;

/// The alarm clocks of all Rollouts.
#[derive(Debug, Default)]
pub struct Wakes {
    clocks: RwLock<BTreeMap<Key, Arc<Notify>>>,
}

impl Wakes {
    /// The clock of a Rollout, made on first use.
    #[must_use]
    pub fn clock(&self, key: &Key) -> Arc<Notify> {
        let mut clocks = self.clocks.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(clocks.entry(key.clone()).or_default())
    }

    /// Forgets a Rollout.
    pub fn forget(&self, key: &Key) {
        self.clocks.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Wakes one Rollout.
    pub fn wake(&self, namespace: &str, name: &str) {
        let clocks = self.clocks.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = clocks.get(&Key::new(namespace, name)) {
            clock.notify_one();
        }
    }

    /// Wakes every Rollout of a namespace.
    pub fn wake_namespace(&self, namespace: &str) {
        let clocks = self.clocks.read().unwrap_or_else(PoisonError::into_inner);
        clocks
            .iter()
            .filter(|(key, _)| key.namespace == namespace)
            .for_each(|(_, clock)| clock.notify_one());
    }

    /// Wakes every Rollout.
    pub fn wake_all(&self) {
        let clocks = self.clocks.read().unwrap_or_else(PoisonError::into_inner);
        clocks.values().for_each(|clock| clock.notify_one());
    }
}
