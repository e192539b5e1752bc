//! What a rollout will do, and what its gates can see: for `kubectl lockflight plan` and for the
//! dashboard, without I/O.

mod planned;
mod view;

pub use planned::Planned;
pub use view::{
    Compared, Expected, ExpectedView, ForecastView, PlanView, PlannedStepView, PlannedWaveView,
};
