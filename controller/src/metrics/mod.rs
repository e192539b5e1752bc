//! Reads a gate's evidence from Prometheus and lets the analysis crate judge it.
//!
//! `resolve` parses a template at the door; `evaluate` does one round: it asks (I/O), hands the
//! samples to the judge (pure) and says when the next round is due. A provider that cannot be
//! read holds a release and never takes it back: nothing here turns a failed request into
//! `Fail`, but for the thresholds of Argo Rollouts and Flagger (`compat`), whose users expect it.
//!
//! A round costs one request for the provider's time, one for each distinct counter selector
//! (two per comparison of bad and total, one while stable carries no traffic, one of a histogram
//! or gauge) and one for each threshold that is due.

mod answer;
mod arguments;
mod asked;
mod batch;
mod bounds;
mod builtin;
mod compared;
mod comparison;
mod compat;
mod counters;
mod history;
mod jobs;
mod pace;
mod past;
mod plan;
mod provider;
mod query;
mod recent;
mod round;
mod sources;
mod state;
mod template;
mod threshold;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod round_tests;

pub use arguments::Subject;
pub use asked::{Asked, AskedKind};
pub use batch::{Desk, Desks};
pub use builtin::{BUILTIN_PREFIX, Builtin};
pub use comparison::Comparison;
pub use past::{PastError, PastRequest, StablePast, stable_past};
pub use provider::{
    Egress, MemberClient, Provider, ProviderError, Secrets, Surroundings, TIMEOUT_MAX,
};
pub use round::evaluate;
pub use sources::Sources;
pub use state::{Compared, Evidence, GateRequest, GateState};
pub use template::{ResolvedMetric, ResolvedTemplate, TemplateError, resolve};
