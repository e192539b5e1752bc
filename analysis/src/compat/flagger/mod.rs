//! The analysis of a Flagger Canary: checks in order, one tick at a time.

mod check;
mod tick;

pub use check::{Check, CheckKind, Limits, Outcome, Reading};
pub use tick::{AnalysisRule, Decision, NoData, Stage, TickInput, TickState, tick};
