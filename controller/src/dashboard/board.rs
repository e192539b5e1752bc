//! The newest row of every object, and what changed after any moment.
//!
//! There is no queue per reader: a reader names the last change that it has seen and gets the
//! newest form of everything that changed since. A slow reader skips what came between, and the
//! memory is bounded by the number of objects.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use lockflight_crds::{Cluster, Rollout};
use tokio::sync::watch;

use super::{
    history::History,
    source::Source,
    view::{ClusterRow, RolloutRow},
};
use crate::shelf::Key;

/// How often the caches are looked at: at most so often does a page change.
const PERIOD: Duration = Duration::from_millis(500);
/// Deletions remembered; a reader who missed more starts over.
const GONE_MAX: usize = 1_000;

/// A place in the order of changes. The epoch tells one process from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) epoch: String,
    /// Last change of an object that was seen.
    pub(super) change: u64,
    /// Last point of evidence that was seen.
    pub(super) point: u64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.epoch, self.change, self.point)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let (epoch, change, point) = (parts.next(), parts.next(), parts.next());
        let number = |part: Option<&str>| part.and_then(|p| p.parse().ok()).ok_or(());
        let epoch = epoch.filter(|epoch| !epoch.is_empty()).ok_or(())?.to_owned();
        Ok(Self { epoch, change: number(change)?, point: number(point)? })
    }
}

/// What a user may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// Namespaces whose Rollouts may be seen; none: all.
    pub(super) namespaces: Option<BTreeSet<String>>,
    /// Whether Clusters may be seen.
    pub(super) clusters: bool,
}

impl Scope {
    /// Whether Rollouts of a namespace may be seen.
    pub(super) fn sees(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|seen| seen.contains(namespace))
    }
}

/// What changed after a cursor.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) change: u64,
    pub(super) rollouts: Vec<Arc<RolloutRow>>,
    pub(super) clusters: Vec<Arc<ClusterRow>>,
    pub(super) gone_rollouts: Vec<String>,
    pub(super) gone_clusters: Vec<String>,
    /// Whether the API server was lost or is back.
    pub(super) turned: bool,
}

/// The newest row of every object.
pub(super) struct Board {
    pub(super) source: Source,
    pub(super) epoch: String,
    state: RwLock<State>,
    changed: watch::Sender<u64>,
}

struct State {
    change: u64,
    rollouts: BTreeMap<Key, Entry<Rollout, RolloutRow>>,
    clusters: BTreeMap<Key, Entry<Cluster, ClusterRow>>,
    gone: VecDeque<Gone>,
    /// Last change whose deletion is not remembered any more.
    forgotten: u64,
    live: bool,
    turned: u64,
    history: History,
}

struct Entry<O, R> {
    change: u64,
    object: Arc<O>,
    row: Arc<R>,
}

struct Gone {
    change: u64,
    key: Key,
    is_rollout: bool,
}

impl Board {
    pub(super) fn new(source: Source, now: DateTime<Utc>) -> Self {
        Self {
            source,
            epoch: format!("{:x}", now.timestamp_micros()),
            state: RwLock::new(State {
                change: 0,
                rollouts: BTreeMap::new(),
                clusters: BTreeMap::new(),
                gone: VecDeque::new(),
                forgotten: 0,
                live: false,
                turned: 0,
                history: History::new(now),
            }),
            changed: watch::channel(0).0,
        }
    }

    /// Looks at the caches for ever.
    pub(super) async fn run(&self) -> &'static str {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.refresh(Utc::now());
        }
    }

    /// Takes over what changed in the caches. Objects are told apart by their address: what the
    /// watch did not replace has not changed.
    pub(super) fn refresh(&self, now: DateTime<Utc>) {
        let rollouts = self.source.rollouts.select(|_| true);
        let clusters = self.source.clusters.select(|_| true);
        let live = (self.source.live)();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let State { change, rollouts: known, clusters: members, gone, history, .. } = &mut *state;
        let before = *change;
        take(known, rollouts, change, gone, true);
        for (key, entry) in known.iter().filter(|(_, entry)| entry.change > before) {
            history.see(key, &entry.object, &entry.row, now);
        }
        take(members, clusters, change, gone, false);
        for lost in gone.iter().filter(|gone| gone.change > before && gone.is_rollout) {
            history.forget(&lost.key);
        }
        while state.gone.len() > GONE_MAX {
            state.forgotten = state.gone.pop_front().map_or(state.forgotten, |gone| gone.change);
        }
        if state.live != live {
            state.change += 1;
            (state.live, state.turned) = (live, state.change);
        }
        let newest = state.change;
        drop(state);
        self.changed.send_if_modified(|seen| std::mem::replace(seen, newest) != newest);
    }

    /// Rings with every change.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the API server behind the caches answers.
    pub(super) fn live(&self) -> bool {
        self.read().live
    }

    /// What changed after a cursor; `None` when that is not known any more.
    pub(super) fn since(&self, cursor: &Cursor, scope: &Scope) -> Option<Changes> {
        let state = self.read();
        let known = cursor.epoch == self.epoch
            && cursor.change <= state.change
            && (cursor.change == 0 || cursor.change >= state.forgotten);
        if !known {
            return None;
        }
        let is_new = |change: u64| change > cursor.change;
        let gone = |is_rollout: bool| {
            let new = state.gone.iter().filter(move |g| is_new(g.change));
            new.filter(move |g| g.is_rollout == is_rollout)
        };
        let sees = |key: &Key| scope.sees(&key.namespace);
        Some(Changes {
            change: state.change,
            rollouts: state
                .rollouts
                .iter()
                .filter(|(key, entry)| is_new(entry.change) && sees(key))
                .map(|(_, entry)| Arc::clone(&entry.row))
                .collect(),
            clusters: state
                .clusters
                .values()
                .filter(|entry| is_new(entry.change) && scope.clusters)
                .map(|entry| Arc::clone(&entry.row))
                .collect(),
            gone_rollouts: gone(true)
                .filter(|gone| sees(&gone.key) && !state.rollouts.contains_key(&gone.key))
                .map(|gone| gone.key.to_string())
                .collect(),
            gone_clusters: gone(false)
                .filter(|gone| scope.clusters && !state.clusters.contains_key(&gone.key))
                .map(|gone| gone.key.name.clone())
                .collect(),
            turned: is_new(state.turned),
        })
    }

    /// A Rollout, if it changed after a change.
    pub(super) fn rollout(&self, key: &Key, since: u64) -> Option<Arc<Rollout>> {
        let state = self.read();
        let entry = state.rollouts.get(key).filter(|entry| entry.change > since)?;
        Some(Arc::clone(&entry.object))
    }

    /// Namespaces that have Rollouts.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        self.read().rollouts.keys().map(|key| key.namespace.clone()).collect()
    }

    /// Attempts that were seen of a Rollout, and since when they have been kept.
    pub(super) fn attempts(&self, key: &Key) -> (DateTime<Utc>, Vec<super::view::AttemptRecord>) {
        let state = self.read();
        (state.history.kept_since(), state.history.of(key))
    }

    /// Gates of a Rollout that wait for a person, and since when.
    pub(super) fn gates(&self, key: &Key) -> Vec<super::view::GateView> {
        self.read().history.gates(key)
    }
}

/// Takes over one kind.
fn take<O: kube::Resource, R>(
    known: &mut BTreeMap<Key, Entry<O, R>>,
    now: Vec<Arc<O>>,
    change: &mut u64,
    gone: &mut VecDeque<Gone>,
    is_rollout: bool,
) where
    for<'a> R: From<&'a O>,
{
    let mut keys = BTreeSet::new();
    for object in now {
        let key = Key::of(object.as_ref());
        let same = known.get(&key).is_some_and(|entry| Arc::ptr_eq(&entry.object, &object));
        if !same {
            *change += 1;
            let row = Arc::new(R::from(object.as_ref()));
            known.insert(key.clone(), Entry { change: *change, object, row });
        }
        keys.insert(key);
    }
    known.retain(|key, _| {
        let stays = keys.contains(key);
        if !stays {
            *change += 1;
            gone.push_back(Gone { change: *change, key: key.clone(), is_rollout });
        }
        stays
    });
}
