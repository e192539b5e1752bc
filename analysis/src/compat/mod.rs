//! The threshold gates of Argo Rollouts and Flagger, decision for decision.
//!
//! For teams that bring their templates along: with `threshold.argo` or `threshold.flagger` a gate
//! decides as they are used to, including the cases that surprise. Our own conditions
//! ([`crate::threshold`], `threshold.pass`) turn those cases into holds instead.
//!
//! Nothing here asks for a measurement or for the time: both come in as values.

pub mod argo;
pub mod flagger;
