//! How long each part of a start takes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Times of phases that run side by side.
#[derive(Default)]
pub(crate) struct Phases(Mutex<Vec<(String, Duration)>>);

impl Phases {
    /// Runs `phase`, and notes how long it took; its error is told with its name.
    pub(crate) async fn time<T>(
        &self,
        name: impl Into<String>,
        phase: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let (name, begin) = (name.into(), Instant::now());
        let value = phase.await.with_context(|| name.clone())?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, begin.elapsed()));
        Ok(value)
    }

    /// What was noted, in the order in which the phases ended.
    pub(crate) fn finish(self) -> Vec<(String, Duration)> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
