//! A cache of objects that never goes back in time.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use kube::{Resource, ResourceExt};

/// Key of an object within one cluster and kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// Key of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        Self { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
    }

    /// Key from its parts.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Deleted objects that are remembered; more are forgotten, oldest version first.
const TOMBSTONES_MAX: usize = 10_000;

/// Objects of one kind, fed by a watch and by the answers to our own writes. An older version
/// of an object never replaces a newer one (invariant S15).
#[derive(Debug)]
pub struct Shelf<K> {
    state: RwLock<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    objects: BTreeMap<Key, Arc<K>>,
    deleted: BTreeMap<Key, u64>,
    synced: bool,
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self {
            state: RwLock::new(State {
                objects: BTreeMap::new(),
                deleted: BTreeMap::new(),
                synced: false,
            }),
        }
    }
}

/// Resource versions are ordered numbers (declared so by Kubernetes since 1.35, true of every
/// etcd-backed server before); one that is not a number counts as newest, so that it is taken.
fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(u64::MAX)
}

impl<K: Resource> Shelf<K> {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, State<K>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State<K>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an object unless a newer version is known.
    pub fn put(&self, object: K) {
        let key = Key::of(&object);
        let version_new = version(&object);
        let mut state = self.write();
        let known = state.objects.get(&key).map(|known| version(known.as_ref()));
        let buried = state.deleted.get(&key).copied();
        if known.max(buried).is_none_or(|newest| version_new > newest) {
            state.deleted.remove(&key);
            state.objects.insert(key, Arc::new(object));
        }
    }

    /// Removes an object, and remembers at which version it was seen to go.
    pub fn remove(&self, object: &K) {
        let key = Key::of(object);
        let mut state = self.write();
        let known = state.objects.remove(&key).map_or(0, |known| version(known.as_ref()));
        let at = if version(object) == u64::MAX { known } else { version(object).max(known) };
        state.deleted.insert(key, at);
        if state.deleted.len() > TOMBSTONES_MAX {
            let oldest =
                state.deleted.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            oldest.and_then(|key| state.deleted.remove(&key));
        }
    }

    /// Takes a complete list: what is not in it is gone, except what is newer than the list.
    pub fn replace(&self, objects: Vec<K>) {
        let keys: std::collections::BTreeSet<Key> = objects.iter().map(Key::of).collect();
        for object in objects {
            self.put(object);
        }
        let mut state = self.write();
        state.objects.retain(|key, _| keys.contains(key));
        state.synced = true;
    }

    /// Whether a complete list has been taken since the last [`Shelf::unsync`].
    pub fn synced(&self) -> bool {
        self.read().synced
    }

    /// Marks the contents as out of date until the next complete list.
    pub fn unsync(&self) {
        self.write().synced = false;
    }

    /// The object of that key.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().objects.get(key).cloned()
    }

    /// All objects that satisfy a condition.
    pub fn select(&self, condition: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.read().objects.values().filter(|object| condition(object)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some("a".to_owned());
        object.metadata.namespace = Some("n".to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    fn held(shelf: &Shelf<ConfigMap>) -> Option<String> {
        shelf.get(&Key::new("n", "a")).and_then(|object| object.resource_version())
    }

    #[test]
    fn an_older_version_never_replaces_a_newer_one() {
        let shelf = Shelf::default();
        shelf.put(object("10"));
        shelf.put(object("9"));
        assert_eq!(held(&shelf).as_deref(), Some("10"));
        shelf.put(object("11"));
        assert_eq!(held(&shelf).as_deref(), Some("11"));
    }

    #[test]
    fn a_late_answer_does_not_bring_a_deleted_object_back() {
        let shelf = Shelf::default();
        shelf.put(object("10"));
        shelf.remove(&object("12"));
        shelf.put(object("11"));
        assert_eq!(held(&shelf), None);
        shelf.put(object("13"));
        assert_eq!(held(&shelf).as_deref(), Some("13"));
    }

    #[test]
    fn a_list_removes_what_it_lacks() {
        let shelf = Shelf::default();
        shelf.put(object("10"));
        assert!(!shelf.synced());
        shelf.replace(Vec::new());
        assert!(shelf.synced());
        assert_eq!(held(&shelf), None);
    }
}
