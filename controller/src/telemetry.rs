//! Logs and metrics of the hub itself.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tracing_subscriber::EnvFilter;

/// Label: kind of the object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// The hub's own metrics.
#[derive(Debug, Default)]
pub struct Metrics {
    passes: Counter,
    refused_plans: Counter,
    restarts: Counter,
    status_writes: Counter,
    member_writes: Family<KindLabel, Counter>,
    rollouts: Gauge,
}

impl Metrics {
    /// Registers them all.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("lockflight_passes", "Passes over Rollouts", self.passes.clone());
        registry.register(
            "lockflight_plans_refused",
            "Plans that broke an invariant and were not carried out",
            self.refused_plans.clone(),
        );
        registry.register(
            "lockflight_rollout_restarts",
            "Rollout tasks that were started again after a panic",
            self.restarts.clone(),
        );
        registry.register(
            "lockflight_status_writes",
            "Writes of a Rollout's status",
            self.status_writes.clone(),
        );
        registry.register(
            "lockflight_member_writes",
            "Writes sent to members, by kind of the object",
            self.member_writes.clone(),
        );
        registry.register("lockflight_rollouts", "Rollouts under control", self.rollouts.clone());
    }

    /// A pass was made.
    pub fn pass(&self) {
        self.passes.inc();
    }
    /// A plan was refused.
    pub fn plan_refused(&self) {
        self.refused_plans.inc();
    }
    /// A task was started again.
    pub fn restarted(&self) {
        self.restarts.inc();
    }
    /// A status was written.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }
    /// A write was sent to a member.
    pub fn write_sent(&self, kind: &'static str) {
        self.member_writes.get_or_create(&KindLabel { kind }).inc();
    }
    /// So many Rollouts are under control.
    pub fn controls(&self, rollouts: usize) {
        self.rollouts.set(i64::try_from(rollouts).unwrap_or(i64::MAX));
    }
}

/// Structured logs on standard error, as JSON; `LOCKFLIGHT_LOG` sets the levels.
pub fn log() {
    let filter =
        EnvFilter::try_from_env("LOCKFLIGHT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
}
