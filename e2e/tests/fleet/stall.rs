//! How long this machine stood still: with more work than it has processors, requests time out
//! through nobody's fault, and whoever reads a failure has to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(50);

/// Measures until it is dropped.
pub(crate) struct Stalls {
    longest_ms: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Stalls {
    pub(crate) fn measure() -> Self {
        let (longest_ms, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (longest, end) = (Arc::clone(&longest_ms), Arc::clone(&over));
        thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let begun = Instant::now();
                thread::sleep(TICK);
                let late = begun.elapsed().saturating_sub(TICK).as_millis();
                longest.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { longest_ms, over }
    }

    /// By how much a sleep of 50 ms was too long at worst.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_millis(self.longest_ms.load(Ordering::Relaxed))
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
