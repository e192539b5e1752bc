//! The judge: windows of both revisions in, evidence and verdict out.
//!
//! Evidence is kept as logarithms of *e-values*. An e-value is a bet against a null that on
//! average cannot grow while the null holds; by Ville's inequality it ever exceeds 1/α with a
//! probability of at most α, however often one looks, over any number of steps, clusters and
//! restarts. Two nulls are bet against: "the canary is not worse than tolerated" (when that bet
//! wins, the release is taken back) and "it is worse by what must be ruled out" (when that one
//! wins, a step is promoted).

mod attempts;
mod batches;
mod calibrate;
mod catastrophe;
mod cells;
mod change_point;
mod compact;
mod difference;
mod episode;
mod evidence;
mod fleet;
mod gauge;
mod hypergeometric;
mod increments;
mod live;
mod normal;
mod observe;
mod odds;
mod past;
pub mod planning;
mod pods;
mod processes;
#[cfg(test)]
mod random;
mod ratios;
mod settings;
mod share;
mod standing;
#[cfg(test)]
mod tests;
mod window;

pub use calibrate::calibrate;
pub use catastrophe::Catastrophe;
pub use evidence::{Evidence, UnreadableEvidence};
pub use gauge::Gauge;
pub use observe::RoundReport;
pub use settings::{Calibration, Judge, Margin, Margins, MetricPlan};
pub use standing::{ClusterStanding, MetricStanding, Rates, Scope, Standing};
pub use window::{Arm, ArmCounts, Cell, ClusterName, Counts, MetricName, Observation, Window};
