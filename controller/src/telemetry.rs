//! Logs and metrics of the hub itself.

pub mod catalogue;
mod fleet;

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};
use tracing_subscriber::EnvFilter;

use catalogue::help;
pub use fleet::FleetMetrics;

/// A pass looks at caches and makes one write: between a tenth of a millisecond and the deadline
/// of a call.
const PASS_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0];
/// From a member next door to the deadline of a call.
const WRITE_SECONDS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];
/// From a minute to a week: bakes last hours, and people sleep.
const ATTEMPT_SECONDS: [f64; 10] =
    [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0];

/// Why attempts are taken back, as the planner says it.
const ABORT_REASONS: [&str; 7] = [
    "AnalysisFailed",
    "CanaryCrashing",
    "CanaryNotReady",
    "CommandedAbort",
    "Deleted",
    "ProgressDeadlineExceeded",
    "StatusLost",
];

/// Label: kind of the object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// Labels of an Event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    r#type: &'static str,
    reason: String,
}

/// Labels of an attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    outcome: &'static str,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabel {
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MemberLabel {
    member: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    kind: &'static str,
    outcome: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// How writes to members end; cheap to hand to a task.
#[derive(Debug, Clone)]
pub struct WriteMetrics {
    ended: Family<WriteLabels, Counter>,
    duration: Histograms<MemberLabel>,
}

impl WriteMetrics {
    /// A write of a `kind` has ended in a member.
    pub fn ended(&self, member: &str, kind: &'static str, outcome: &'static str, took: Duration) {
        self.ended.get_or_create(&WriteLabels { kind, outcome }).inc();
        let label = MemberLabel { member: member.to_owned() };
        self.duration.get_or_create(&label).observe(took.as_secs_f64());
    }
}

/// Registers a metric with what the catalogue says of it.
fn add(registry: &mut Registry, name: &'static str, metric: impl Metric) {
    registry.register(name, help(name), metric);
}

/// The hub's own metrics. What each of them means stands in [`catalogue`].
#[derive(Debug)]
pub struct Metrics {
    passes: Counter,
    pass_duration: Histogram,
    refused_plans: Counter,
    restarts: Counter,
    status_writes: Counter,
    status_write_failures: Family<CauseLabel, Counter>,
    member_writes: Family<KindLabel, Counter>,
    writes: WriteMetrics,
    events: Family<EventLabels, Counter>,
    attempts_ended: Family<EndLabels, Counter>,
    attempt_duration: Histograms<OutcomeLabel>,
    rollouts: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let write_duration: fn() -> Histogram = || Histogram::new(WRITE_SECONDS);
        let attempt_duration: fn() -> Histogram = || Histogram::new(ATTEMPT_SECONDS);
        let metrics = Self {
            passes: Counter::default(),
            pass_duration: Histogram::new(PASS_SECONDS),
            refused_plans: Counter::default(),
            restarts: Counter::default(),
            status_writes: Counter::default(),
            status_write_failures: Family::default(),
            member_writes: Family::default(),
            writes: WriteMetrics {
                ended: Family::default(),
                duration: Family::new_with_constructor(write_duration),
            },
            events: Family::default(),
            attempts_ended: Family::default(),
            attempt_duration: Family::new_with_constructor(attempt_duration),
            rollouts: Gauge::default(),
        };
        metrics.begin_at_zero();
        metrics
    }
}

impl Metrics {
    /// A counter that first appears with 1 has not risen, as Prometheus sees it: what alerts and
    /// rates are made of has to be there before it happens.
    fn begin_at_zero(&self) {
        for cause in ["conflict", "refused", "unanswered"] {
            drop(self.status_write_failures.get_or_create(&CauseLabel { cause }));
        }
        let ends = ABORT_REASONS.map(|reason| ("aborted", reason));
        for (outcome, reason) in ends.into_iter().chain([("completed", "")]) {
            let labels = EndLabels { outcome, reason: reason.to_owned() };
            drop(self.attempts_ended.get_or_create(&labels));
            drop(self.attempt_duration.get_or_create(&OutcomeLabel { outcome }));
        }
    }

    /// Registers them all.
    pub fn register(&self, registry: &mut Registry) {
        add(registry, "lockflight_passes", self.passes.clone());
        add(registry, "lockflight_pass_duration_seconds", self.pass_duration.clone());
        add(registry, "lockflight_plans_refused", self.refused_plans.clone());
        add(registry, "lockflight_rollout_restarts", self.restarts.clone());
        add(registry, "lockflight_status_writes", self.status_writes.clone());
        add(registry, "lockflight_status_write_failures", self.status_write_failures.clone());
        add(registry, "lockflight_member_writes", self.member_writes.clone());
        add(registry, "lockflight_member_writes_ended", self.writes.ended.clone());
        add(registry, "lockflight_member_write_duration_seconds", self.writes.duration.clone());
        add(registry, "lockflight_events", self.events.clone());
        add(registry, "lockflight_attempts_ended", self.attempts_ended.clone());
        add(registry, "lockflight_attempt_duration_seconds", self.attempt_duration.clone());
        add(registry, "lockflight_rollouts", self.rollouts.clone());
    }

    /// A pass was made.
    pub fn pass(&self, took: Duration) {
        self.passes.inc();
        self.pass_duration.observe(took.as_secs_f64());
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
    /// A status was not written: `conflict`, `refused` or `unanswered`.
    pub fn status_not_written(&self, cause: &'static str) {
        self.status_write_failures.get_or_create(&CauseLabel { cause }).inc();
    }
    /// A write was sent to a member.
    pub fn write_sent(&self, kind: &'static str) {
        self.member_writes.get_or_create(&KindLabel { kind }).inc();
    }
    /// For the tasks that carry writes out.
    #[must_use]
    pub fn writes(&self) -> WriteMetrics {
        self.writes.clone()
    }
    /// An Event was left.
    pub fn event(&self, warning: bool, reason: &str) {
        let r#type = if warning { "Warning" } else { "Normal" };
        self.events.get_or_create(&EventLabels { r#type, reason: reason.to_owned() }).inc();
    }
    /// An attempt has ended; `reason` is that of an abort.
    pub fn attempt_ended(&self, outcome: &'static str, reason: &str, took: Duration) {
        let labels = EndLabels { outcome, reason: reason.to_owned() };
        self.attempts_ended.get_or_create(&labels).inc();
        let duration = self.attempt_duration.get_or_create(&OutcomeLabel { outcome });
        duration.observe(took.as_secs_f64());
    }
    /// So many Rollouts are under control.
    pub fn controls(&self, rollouts: usize) {
        self.rollouts.set(i64::try_from(rollouts).unwrap_or(i64::MAX));
    }
}

/// The client says of every request that fails that it has failed, and not why; whoever sent it
/// says both.
const SAYS_NOTHING: &str = "kube_client::client::builder=off";

/// Structured logs on standard error, as JSON; `LOCKFLIGHT_LOG` sets the levels.
pub fn log() {
    let mut filter =
        EnvFilter::try_from_env("LOCKFLIGHT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    if let Ok(directive) = SAYS_NOTHING.parse() {
        filter = filter.add_directive(directive);
    }
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::{catalogue::Kind, *};
    use crate::hub::Hub;

    /// What `/metrics` says of every metric, by its name.
    fn described() -> BTreeMap<String, (String, String)> {
        let mut registry = Registry::default();
        let metrics = Metrics::default();
        metrics.register(&mut registry);
        registry.register_collector(Box::new(FleetMetrics::of(Arc::<Hub>::default())));
        // A family without a sample is not encoded.
        let took = Duration::from_millis(20);
        metrics.event(true, "RolloutAborted");
        metrics.attempt_ended("aborted", "AnalysisFailed", took);
        metrics.write_sent("Service");
        metrics.writes().ended("m1", "Service", "accepted", took);
        metrics.status_not_written("conflict");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let mut found = BTreeMap::<String, (String, String)>::new();
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", name, help] => {
                    found.entry(name.to_owned()).or_default().0 =
                        help.trim_end_matches('.').to_owned();
                }
                ["#", "TYPE", name, kind] => {
                    found.entry(name.to_owned()).or_default().1 = kind.to_owned();
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn every_metric_is_in_the_catalogue_and_says_what_stands_there() {
        let mut found = described();
        for metric in catalogue::ALL {
            if metric.name == "lockflight_recording_rounds_dropped" {
                continue; // registered by the recorder, which needs a folder
            }
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let expected = (metric.help.to_owned(), kind.to_owned());
            assert_eq!(found.remove(metric.name), Some(expected), "{}", metric.name);
        }
        assert!(found.is_empty(), "not in the catalogue: {found:?}");
    }
}
