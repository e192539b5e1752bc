//! Condition types and the words of `Ready.reason`: stable API.

/// Condition types of a Rollout and a Cluster.
pub mod types {
    /// The object is at rest as its spec asks; its reason is the state in one word.
    pub const READY: &str = "Ready";
    /// Work goes on (present only while true).
    pub const RECONCILING: &str = "Reconciling";
    /// Work cannot go on by itself (present only while true).
    pub const STALLED: &str = "Stalled";
    /// The rollout waits for a person.
    pub const PAUSED: &str = "Paused";
    /// The last attempt was taken back.
    pub const ABORTED: &str = "Aborted";
    /// The spec is complete and possible.
    pub const VALIDATED: &str = "Validated";
    /// Every cluster of the plan is reachable.
    pub const CLUSTERS_REACHABLE: &str = "ClustersReachable";
    /// The gates have what they need and pass.
    pub const ANALYSIS_SUCCEEDED: &str = "AnalysisSucceeded";
    /// Somebody else changes our weights.
    pub const TRAFFIC_CONFLICT: &str = "TrafficConflict";

    /// At rest, clusters of the plan serve different revisions (present only while true).
    pub const MIXED: &str = "Mixed";

    /// Every type of a Rollout, in the order shown.
    pub const ALL: [&str; 10] = [
        READY,
        RECONCILING,
        STALLED,
        PAUSED,
        ABORTED,
        VALIDATED,
        CLUSTERS_REACHABLE,
        ANALYSIS_SUCCEEDED,
        TRAFFIC_CONFLICT,
        MIXED,
    ];
}
