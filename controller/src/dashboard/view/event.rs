//! Events and past attempts of a Rollout.

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Event;
use lockflight_crds::AttemptPhase;
use schemars::JsonSchema;
use serde::Serialize;

/// An Event about a Rollout. The hub writes the Events of all clusters on the Rollout itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    /// When it was last seen.
    pub at: Option<DateTime<Utc>>,
    /// Whether somebody should look.
    pub warning: bool,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// How often it was seen.
    pub count: i32,
}

impl From<&Event> for EventRow {
    fn from(event: &Event) -> Self {
        let series = event.series.as_ref();
        let ms = series
            .and_then(|series| series.last_observed_time.as_ref())
            .or(event.event_time.as_ref())
            .map(|time| time.0.as_millisecond())
            .or(event.last_timestamp.as_ref().map(|time| time.0.as_millisecond()));
        Self {
            at: ms.and_then(DateTime::from_timestamp_millis),
            warning: event.type_.as_deref() == Some("Warning"),
            reason: event.reason.clone().unwrap_or_default(),
            message: event.message.clone().unwrap_or_default(),
            count: series.and_then(|series| series.count).or(event.count).unwrap_or(1),
        }
    }
}

/// An attempt that this process has seen.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// Its number.
    pub number: i64,
    /// The revision on trial.
    pub revision: String,
    /// What served before, when all clusters agreed on it.
    pub from: Option<String>,
    /// Where it stands, or ended: Progressing, Aborting, Aborted or Completed.
    pub phase: AttemptPhase,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was taken back, in a sentence.
    pub abort: Option<String>,
    /// Seconds in which it waited for a person, as far as this process was there to see.
    pub waiting_seconds: i64,
}

/// The History screen: past attempts and the Events of all clusters.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// Since when this process has kept attempts: it keeps none across restarts.
    pub kept_since: DateTime<Utc>,
    /// Attempts, the newest first.
    pub attempts: Vec<AttemptRecord>,
    /// Events, the newest first.
    pub events: Vec<EventRow>,
    /// Why there may be no Events to show.
    pub events_missing: Option<String>,
}
