//! What the page shows: plain data, built from objects by pure functions.
//!
//! The TypeScript types of the front end are generated from these structs; see `typescript`.

mod abort;
mod action;
mod attention;
mod card;
mod cluster;
mod decision;
mod event;
mod lane;
mod me;
mod page;
mod row;
mod series;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod typescript;
mod why;

pub use abort::AbortView;
pub use action::{ActionView, Verb, actions};
pub use attention::{Attention, Urgency, attention};
pub use card::{Card, CellState, VerdictView};
pub use cluster::ClusterRow;
pub use decision::{EvidencePage, GateView, PlanPage, ThresholdView};
pub use event::{AttemptRecord, EventRow, HistoryPage};
pub use lane::{Lane, StepView};
pub use me::{ActionRight, Me, Problem, SignIn};
pub use page::{ConditionView, RolloutPage, Wait};
pub(super) use row::annotation;
pub use row::{Counts, Outcome, RolloutRow, WaveCells};
pub use series::{AnalysisPage, SeriesKind, SeriesView};
pub use why::{Who, Why};

use schemars::JsonSchema;
use serde::Serialize;

/// Everything that the Fleet and Clusters screens need, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Where this stands in the stream: the value for `Last-Event-ID`.
    pub cursor: String,
    /// The server's clock, in milliseconds since 1970: countdowns follow it, not the browser's.
    pub now_ms: i64,
    /// Whether the hub's API server answers; if not, everything here may be old.
    pub live: bool,
    /// Rollouts that the user may see.
    pub rollouts: Vec<RolloutRow>,
    /// Clusters, if the user may see them.
    pub clusters: Vec<ClusterRow>,
}

/// What changed since the last frame of the stream. Every object in it is whole and newest.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// The server's clock, in milliseconds since 1970.
    pub now_ms: i64,
    /// Whether the hub's API server answers.
    pub live: bool,
    /// Rollouts that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutRow>,
    /// Clusters that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterRow>,
    /// Rollouts that are gone, as namespace/name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone_rollouts: Vec<String>,
    /// Clusters that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone_clusters: Vec<String>,
    /// The Rollout that the page has open, when it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<RolloutPage>,
    /// New points of the analysis that the page has open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<AnalysisPage>,
}
