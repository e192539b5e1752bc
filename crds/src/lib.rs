//! Lockflight's API (`lockflight.dev/v1alpha1`): what users write and what they read back.
//!
//! These are wire types: one kind per file, a schema for every field, no client and no decisions.
//! The controller parses them into the planner's own types at its door.

mod analysis_template;
mod cluster;
pub mod conditions;
mod evidence_status;
mod metric_provider;
pub mod names;
mod quantity;
mod revision;
mod rollout;
mod rollout_status;
mod schema;

pub use analysis_template::{
    AnalysisTemplate, AnalysisTemplateSpec, ArgoMetric, Arms, ByLabel, ByPod, Comparison,
    FlaggerAnalysis, FlaggerCheck, FlaggerKind, FlaggerNoData, FlaggerRange, Margin, Metric,
    Severity, TemplateArgument, Threshold,
};
pub use cluster::{Cluster, ClusterMetrics, ClusterSpec, ClusterStatus, Credentials};
pub use evidence_status::EvidenceStatus;
pub use metric_provider::{
    Authentication, BasicAuthentication, CloudWatchProvider, DatadogProvider, ExternalProvider,
    Header, HeaderSource, JobProvider, MemberService, MetricProvider, MetricProviderSpec,
    NewRelicProvider, OAuth2ClientCredentials, PrometheusProvider, SecretKey, ServiceScheme, SigV4,
    Tls, WebMethod, WebProvider,
};
pub use quantity::{CountOrPercent, Duration, InvalidQuantity};
pub use revision::revision_of;
pub use rollout::{
    AnalysisReference, Approval, Bake, CanaryStrategy, EvidencePolicy, FailurePolicy,
    GatewayApiTraffic, Placement, RollbackScope, Rollout, RolloutSpec, RouteKind, RouteReference,
    ServicePort, Step, Strategy, Traffic, Wave,
};
pub use rollout_status::{
    AbortStatus, AttemptPhase, AttemptStatus, BaseStatus, HandledAbort, HandledCommands,
    MemberPhase, MemberStatus, PlanStatus, PlannedStep, PlannedWave, RolloutStatus, VerdictState,
    VerdictStatus, WaitingStatus, WavePhase,
};
pub use schema::custom_resource_definitions;

/// The API group of every kind here.
pub const GROUP: &str = "lockflight.dev";
