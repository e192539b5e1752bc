//! What a rollout will do, and what its gates can see: for `kubectl lockflight plan` and for the
//! dashboard, without I/O.

mod planned;
mod view;

use std::ops::RangeInclusive;

pub use planned::Planned;
pub use view::{
    Compared, Expected, ExpectedView, ForecastView, PlanView, PlannedStepView, PlannedWaveView,
};

/// Requests per second of one cluster that a forecast is made for.
pub const RPS: RangeInclusive<f64> = 0.001..=1e9;
/// Share of stable's requests that fails, likewise. What fails more than every other time cannot
/// fail twice as often, which is the least that is forecast.
pub const ERRORS: RangeInclusive<f64> = 1e-8..=0.5;
