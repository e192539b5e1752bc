//! The dashboard: the same truth as in the status, to look at, and the commands to press.
//!
//! It reads caches and never lists per request. Whoever presses something is known, is allowed to
//! by RBAC, and sees the exact effect first. It is served by the hub, and by
//! `kubectl lockflight dashboard` with the user's own rights.

mod access;
mod act;
mod assets;
mod board;
mod decide;
mod embed;
mod evidence;
mod gate_feed;
mod guard;
mod history;
mod pasted;
mod reply;
mod routes;
mod seen;
mod serve;
mod sign_in;
mod source;
mod stream;
#[cfg(test)]
mod tests;
pub mod view;

pub use access::{Access, AddressRange, InvalidAddressRange, code};
pub use embed::{start, watch_events};
pub use evidence::{
    AgainstBar, Arm, Balance, EvidenceFeed, EvidencePoint, POINT_BYTES_MAX, POINTS_MAX, SERIES_MAX,
    STANDINGS_MAX, Seen, SeriesFacts, SeriesKey,
};
pub use gate_feed::GateFeed;
pub use pasted::unplannable;
pub use serve::{Dashboard, DashboardArguments, SignInMode};
pub use source::Source;
