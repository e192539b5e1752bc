//! The newest standing of each Rollout: what all its clusters together have shown.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use lockflight_analysis::judge::Standing;

use crate::{shelf::Key, standing::EvidenceView};

/// Rollouts whose standing is kept; at their limit the oldest is forgotten. One with 50 clusters
/// and four metrics takes about 25 kB.
pub const STANDINGS_MAX: usize = 200;

/// The newest standings.
#[derive(Debug, Default)]
pub(super) struct Standings {
    kept: RwLock<BTreeMap<Key, Kept>>,
}

#[derive(Debug)]
struct Kept {
    attempt: i64,
    at: DateTime<Utc>,
    standing: Standing,
}

impl Standings {
    /// Takes what a round of any gate has found. Gates come in any order: what is older than
    /// what is kept is passed over.
    pub(super) fn take(&self, key: &Key, attempt: i64, at: DateTime<Utc>, standing: &Standing) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.get(key).is_some_and(|known| (known.attempt, known.at) > (attempt, at)) {
            return;
        }
        if !kept.contains_key(key) && kept.len() >= STANDINGS_MAX {
            let oldest = kept.iter().min_by_key(|(_, known)| known.at).map(|(key, _)| key.clone());
            oldest.and_then(|key| kept.remove(&key));
        }
        kept.insert(key.clone(), Kept { attempt, at, standing: standing.clone() });
    }

    /// The standing of an attempt.
    pub(super) fn of(&self, key: &Key, attempt: i64) -> Option<EvidenceView> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get(key).filter(|known| known.attempt == attempt)?;
        Some(EvidenceView::of(&known.standing, Some(known.at)))
    }

    pub(super) fn forget(&self, key: &Key) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}
