//! The addresses of one cluster's pods.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

const FIRST: u8 = 10;
const LAST: u8 = 254;

/// The pool `10.200.CLUSTER.10` to `10.200.CLUSTER.254`.
#[derive(Debug)]
pub(super) struct Addresses {
    cluster: u8,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    taken: BTreeSet<u8>,
    next: u8,
}

/// One address in use; free again when dropped. Whoever holds it drops it only after the process
/// that is bound to it has ended.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Addresses>,
    host: u8,
}

impl Addresses {
    pub(super) fn new(cluster: u8) -> Self {
        let state = State { taken: BTreeSet::new(), next: FIRST };
        Self { cluster, state: Mutex::new(state), freed: Notify::new() }
    }

    /// An address that nobody uses, `preferred` if possible. Waits while there is none.
    pub(super) async fn lease(self: &Arc<Self>, preferred: Option<Ipv4Addr>) -> Lease {
        // Ends as soon as an address is free; whoever waits here has its own reasons to give up.
        loop {
            let mut freed = pin!(self.freed.notified());
            // Before looking, so that an address that is freed in between is not missed.
            freed.as_mut().enable();
            if let Some(host) = self.take(preferred) {
                return Lease { pool: Arc::clone(self), host };
            }
            freed.await;
        }
    }

    fn take(&self, preferred: Option<Ipv4Addr>) -> Option<u8> {
        let preferred = preferred.map(|address| address.octets()).and_then(|octets| {
            let [10, 200, cluster, host] = octets else {
                return None;
            };
            (cluster == self.cluster && (FIRST..=LAST).contains(&host)).then_some(host)
        });
        let mut state = self.state();
        // Around the circle: an address that was just freed comes last, because a gateway may
        // believe for a moment that it still belongs to the old pod.
        let circle = (state.next..=LAST).chain(FIRST..state.next);
        let host = preferred.into_iter().chain(circle).find(|host| !state.taken.contains(host))?;
        state.taken.insert(host);
        state.next = if host == LAST { FIRST } else { host + 1 };
        Some(host)
    }

    /// Nothing that holds the lock can panic, so its content is good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 200, self.pool.cluster, self.host)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.state().taken.remove(&self.host);
        self.pool.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn freed_addresses_are_used_again_last() {
        let pool = Arc::new(Addresses::new(3));
        let first = pool.lease(None).await;
        assert_eq!(first.address(), Ipv4Addr::new(10, 200, 3, 10));
        drop(first);
        let mut leases = Vec::new();
        for _ in FIRST..=LAST {
            leases.push(pool.lease(None).await);
        }
        assert_eq!(leases[0].address(), Ipv4Addr::new(10, 200, 3, 11));
        assert_eq!(leases.last().unwrap().address(), Ipv4Addr::new(10, 200, 3, 10));
    }

    #[tokio::test]
    async fn whoever_finds_none_waits_for_the_next_that_is_freed() {
        let pool = Arc::new(Addresses::new(3));
        let mut leases = Vec::new();
        for _ in FIRST..=LAST {
            leases.push(pool.lease(None).await);
        }
        let mut waiting = pin!(pool.lease(None));
        assert!(waiting.as_mut().now_or_never().is_none());
        let freed = leases.remove(100).address();
        assert_eq!(waiting.await.address(), freed);
    }

    #[tokio::test]
    async fn a_preferred_address_must_be_free_and_of_the_pool() {
        let pool = Arc::new(Addresses::new(3));
        let wanted = Ipv4Addr::new(10, 200, 3, 77);
        let lease = pool.lease(Some(wanted)).await;
        assert_eq!(lease.address(), wanted);
        assert_ne!(pool.lease(Some(wanted)).await.address(), wanted);
        let other = pool.lease(Some(Ipv4Addr::new(10, 200, 4, 90))).await;
        assert_eq!(other.address().octets()[2], 3);
    }
}
