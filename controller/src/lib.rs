//! The Lockflight hub. The only crate of ours that does I/O for a rollout:
//!
//! ```text
//! observe → validate → plan (pure) → check (pure) → commit → dispatch → publish
//! ```

pub mod act;
pub mod arguments;
mod cause;
pub mod conditions;
pub mod dashboard;
pub mod draft;
pub mod events;
pub mod fleet;
pub mod follow;
pub mod forecast;
pub mod gates;
pub mod hub;
pub mod journal;
pub mod judgement;
pub mod metrics;
pub mod observe;
pub mod reconcile;
pub mod recording;
pub mod run;
pub mod saving;
pub mod serve;
pub mod shelf;
pub mod standing;
pub mod status;
pub mod supervise;
pub mod telemetry;
pub mod validate;
pub mod wakes;
