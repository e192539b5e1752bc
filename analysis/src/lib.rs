//! Lockflight's judge: windows of measurements in, verdict out.
//!
//! Nothing here knows a clock, a network or a cluster. The caller brings the samples and the
//! times; equal input gives an equal verdict. [`reading`] makes windows of raw samples, [`judge`]
//! evidence of windows; [`threshold`] judges a query's result, [`compat`] as Argo Rollouts and
//! Flagger do.

pub mod compat;
mod condition;
mod figures;
pub mod judge;
mod promql;
pub mod reading;
mod series;
mod threshold;
pub mod trust;
mod verdict;

pub use condition::{Condition, ConditionError};
pub use promql::{Piece, longest_range, pieces};
pub use series::{
    Birth, NoDataReason, Sample, Series, events_since, newest_sample, scrape_interval,
};
pub use threshold::{reaches_back, threshold};
pub use verdict::{GateVerdict, MetricVerdict, Verdict, gate};
