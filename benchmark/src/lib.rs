//! What the judge is worth, measured on generated rollouts over eight clusters: how often it
//! takes back a healthy release, how many bad ones it lets pass, how long both take, and how many
//! requests a bad one breaks until it is gone. The rules of other tools judge the same rollouts.
//!
//! Everything is generated from fixed seeds; a figure depends on neither the machine nor the
//! number of threads (only the timings do).

pub mod goals;
pub mod noise;
mod number;
pub mod ours;
pub mod peers;
mod random;
pub mod report;
pub mod runs;
pub mod scenario;
pub mod statistics;
pub mod trace;
pub mod world;
