//! The dashboard of the real hub: real tokens, real rights, real gates, and a real browser.

mod browser;
mod client;
mod matrix;
mod people;
mod progress;

pub(crate) use browser::dashboard_abort_in_a_browser_takes_the_traffic_off;
pub(crate) use matrix::{
    dashboard_gives_people_what_rbac_gives_them,
    dashboard_refuses_every_bad_credential_on_every_route,
};
pub(crate) use progress::dashboard_follows_a_real_rollout;
