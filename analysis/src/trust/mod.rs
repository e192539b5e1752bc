//! What lets people trust a verdict: the same windows judged again, stable judged against
//! itself, and words for where the evidence stands.

mod aa;
mod draw;
mod explain;
mod forecast;
mod interval;
mod recording;
mod replay;
mod spread;
#[cfg(test)]
mod tests;

pub use aa::{
    Detection, Fleet, NoTrial, StableTrial, Stage, Trials, detect, stable_against_stable,
};
pub use explain::explain;
pub use forecast::{Forecast, Load, Step};
pub use interval::Interval;
pub use recording::{
    CalibrationLine, CellLine, CountsLine, FORMAT, Head, Line, MarginLine, MetricLine,
    RecordingError, VERSION, WindowLine,
};
pub use replay::{Crossing, Replay};
pub use spread::{Traffic, traffic};
