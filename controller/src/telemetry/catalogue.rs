//! Every metric of the hub: what it is called, what it counts, and by which labels.
//!
//! The page docs/reference/metrics.md is written from it, and a test compares it with what
//! `/metrics` says.

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises; its samples end with `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by size; its samples end with `_bucket`, `_sum` and `_count`.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// Name, without the ending that its kind adds.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const ROLLOUT: &[&str] = &["rollout_namespace", "rollout"];

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described { name, kind: Kind::Counter, labels, help }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described { name, kind: Kind::Histogram, labels, help }
}

/// All of them, by their subject.
pub const ALL: &[Described] = &[
    gauge(
        "lockflight_hub_ready",
        &[],
        "1 while the hub's API server answers and everything is listed: only then does anything move",
    ),
    gauge("lockflight_rollouts", &[], "Rollouts under control"),
    gauge(
        "lockflight_rollout_info",
        &["rollout_namespace", "rollout", "state", "phase"],
        "1 for each Rollout, with its state (the reason of the condition Ready) and the phase of its attempt",
    ),
    gauge(
        "lockflight_rollout_attempt_number",
        ROLLOUT,
        "Number of the attempt, which never resets",
    ),
    gauge(
        "lockflight_rollout_attempt_started_timestamp_seconds",
        ROLLOUT,
        "When the attempt started",
    ),
    gauge(
        "lockflight_rollout_attempt_ended_timestamp_seconds",
        ROLLOUT,
        "When the attempt was completed or its traffic was back; absent while it goes on",
    ),
    gauge(
        "lockflight_rollout_members",
        &["rollout_namespace", "rollout", "phase"],
        "Members of the attempt in each phase",
    ),
    gauge(
        "lockflight_rollout_members_unreachable",
        ROLLOUT,
        "Members of the attempt that the hub does not reach: their state is unknown",
    ),
    gauge(
        "lockflight_rollout_waiting",
        &["rollout_namespace", "rollout", "reason"],
        "Things that are waited for, by reason",
    ),
    gauge("lockflight_rollout_approvals_waiting", ROLLOUT, "Gates that a person can open"),
    gauge(
        "lockflight_rollout_rollbacks_owed",
        ROLLOUT,
        "Members that still have to get their rollback when they return",
    ),
    gauge(
        "lockflight_rollout_member_weight_percent",
        &["rollout_namespace", "rollout", "member", "kind"],
        "Share of the new revision in a member, as intended and as acknowledged by the router; only while the attempt goes on",
    ),
    gauge(
        "lockflight_rollout_member_ready_pods",
        &["rollout_namespace", "rollout", "member"],
        "Ready pods of the new revision in a member; only while the attempt goes on",
    ),
    gauge(
        "lockflight_rollout_member_verdict",
        &["rollout_namespace", "rollout", "member", "verdict"],
        "1 for what the gates of a member say; only while the attempt goes on",
    ),
    gauge(
        "lockflight_rollout_member_evidence_nats",
        &["rollout_namespace", "rollout", "member", "conclusion"],
        "Natural logarithm of the evidence that the new revision is worse, or not worse, than stable, as last written to the status; only while the attempt goes on",
    ),
    gauge(
        "lockflight_metrics_series_omitted",
        &[],
        "Series by member that were left out of this answer because there are too many",
    ),
    gauge("lockflight_member_up", &["member"], "1 while the hub can act in the member"),
    gauge(
        "lockflight_member_info",
        &["member", "kubernetes_version"],
        "1 for each member, with the version of its API server",
    ),
    counter(
        "lockflight_attempts_ended",
        &["outcome", "reason"],
        "Attempts that have ended, with the reason of those that were taken back",
    ),
    histogram(
        "lockflight_attempt_duration_seconds",
        &["outcome"],
        "Time from the start of an attempt to its end, waits for people included",
    ),
    counter("lockflight_events", &["type", "reason"], "Events about Rollouts"),
    counter("lockflight_passes", &[], "Passes over Rollouts"),
    histogram("lockflight_pass_duration_seconds", &[], "Time that a pass took"),
    counter(
        "lockflight_plans_refused",
        &[],
        "Plans that broke an invariant and were not carried out",
    ),
    counter(
        "lockflight_rollout_restarts",
        &[],
        "Rollout tasks that were started again after a panic",
    ),
    counter("lockflight_status_writes", &[], "Writes of a Rollout's status"),
    counter(
        "lockflight_status_write_failures",
        &["cause"],
        "Writes of a Rollout's status that were not accepted: by conflict (usual, and tried again at once), by refusal or without an answer",
    ),
    counter("lockflight_member_writes", &["kind"], "Writes sent to members, by kind of the object"),
    counter(
        "lockflight_member_writes_ended",
        &["kind", "outcome"],
        "Writes to members that have ended: accepted, in conflict (tried again at once), or failed",
    ),
    histogram(
        "lockflight_member_write_duration_seconds",
        &["member"],
        "Time until a member had answered a write",
    ),
    counter(
        "lockflight_recording_rounds_dropped",
        &[],
        "Rounds of the judge that were to be recorded and could not be; only with --record",
    ),
];

/// What a metric says; empty where there is none of that name, which a test rules out.
#[must_use]
pub fn help(name: &str) -> &'static str {
    ALL.iter().find(|described| described.name == name).map_or("", |described| described.help)
}
