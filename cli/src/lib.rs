//! The plugin as a library: what a Rollout looks like to a person, and the commands.
//!
//! [`RolloutView`] is built from a `Rollout` without any request, and [`render`] is a pure
//! function of a view, a moment and a style: the demo and the tests draw the same tree.

mod arguments;
mod commands;
mod exit;
mod failure;
mod objects;
mod past;
mod render;
mod servers;
mod session;
#[cfg(test)]
mod testing;
mod view;

pub use arguments::{Arguments, Color, Command, Global};
pub use commands::run;
pub use exit::Exit;
pub use failure::Failure;
pub use render::{Style, Times, render, render_aa, render_evidence, render_plan};
pub use view::{
    AaView, AbortView, ArmView, AttemptView, ClusterEvidence, ClusterView, Compared, Counts,
    DetectionView, EvidenceView, Expected, ExpectedView, ForecastView, MetricEvidence, Outcome,
    PlanView, PlannedStepView, PlannedWaveView, RolloutView, ShareView, SideView, TrafficView,
    VerdictView, WaitView, WaveView,
};
