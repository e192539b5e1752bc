//! Lockflight's judge on generated rollouts, through its public interface only.

pub mod fixed;
pub mod paced;
mod reading;
mod trial;

pub use reading::{Reader, Rules};
pub use trial::Trial;

/// Names of the clusters.
pub(crate) const NAMES: [&str; crate::scenario::CLUSTERS] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight"];
