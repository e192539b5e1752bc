//! The members: who they are, how they are reached, and what is in them.

pub mod client;
pub mod credentials;
mod health;
mod member;
mod registry;
mod report;

pub use health::Health;
pub(crate) use health::sentence;
pub use member::{Member, NamespaceView, Route};
pub use registry::Registry;
