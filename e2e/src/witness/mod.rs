//! Witnesses of what the hub does, other than the hub: the API servers' audit logs, watches of the
//! routes, and somebody who asks a gate's question far more often than the hub may. All on one
//! machine, and so on one clock.

mod question;
mod requests;
mod routes;

pub(crate) use question::{Question, encoded};
pub(crate) use requests::{canary_weight, first_write, of_hub, seconds};
pub(crate) use routes::RouteWatch;
