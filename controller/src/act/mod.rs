//! From decisions to writes.

mod hub;
mod lanes;
mod manifest;
mod write;

pub use hub::HubLane;
pub use lanes::{Lanes, Outcome};
pub use write::{Kind, Write, writes};
