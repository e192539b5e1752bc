//! Who is asked in one member.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};

use super::{answer::AnswerError, batch::Desk, jobs::JobSource, template::ResolvedMetric};

/// The member's own provider, and those that thresholds name.
#[derive(Debug, Clone)]
pub struct Sources {
    own: Arc<Desk>,
    named: BTreeMap<String, Arc<Desk>>,
    /// The hub's time; a test has its own.
    clock: fn() -> DateTime<Utc>,
}

impl Sources {
    /// The member's own provider.
    #[must_use]
    pub fn of(own: Arc<Desk>) -> Self {
        Self { own, named: BTreeMap::new(), clock: Utc::now }
    }

    /// The same sources, looked at by another clock.
    #[cfg(test)]
    pub(super) fn at(self, clock: fn() -> DateTime<Utc>) -> Self {
        Self { clock, ..self }
    }

    /// The hub's time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Adds a provider that a threshold names.
    pub fn add(&mut self, name: String, desk: Arc<Desk>) {
        self.named.insert(name, desk);
    }

    /// The member's own.
    pub(super) fn own(&self) -> &Desk {
        &self.own
    }

    /// Who is asked for a metric.
    pub(super) fn desk(&self, metric: &ResolvedMetric) -> Result<&Desk, AnswerError> {
        let Some(name) = metric.provider() else { return Ok(&self.own) };
        let found = self.named.get(name);
        let missing = || AnswerError::Unprepared(format!("there is no MetricProvider {name}"));
        found.map(AsRef::as_ref).ok_or_else(missing)
    }

    /// Where the Jobs of a metric come from, if Jobs measure it.
    pub(super) fn jobs(&self, metric: &ResolvedMetric) -> Option<&JobSource> {
        self.desk(metric).ok()?.provider().jobs()
    }
}
