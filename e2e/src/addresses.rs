//! Who listens where inside the namespace.
//!
//! Pods of cluster *c* have addresses in `10.200.c.0/24`. The hub is cluster 0.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Port of every API server.
pub const APISERVER_PORT: u16 = 6443;
/// Port of every Prometheus.
pub const PROMETHEUS_PORT: u16 = 9090;
/// Port on which a member's gateway serves the listener on port 80.
pub const GATEWAY_PORT: u16 = 8080;
/// Port of Envoy's own Prometheus page.
pub const ENVOY_STATS_PORT: u16 = 8002;
/// Where the hub controller serves a dashboard without sign-in, where it is on.
pub const HUB_DASHBOARD_OPEN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9091);
/// Where the hub controller serves its probes and metrics.
pub const HUB_CONTROLLER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 201, 0, 5), 8080);
/// Where the hub controller serves its dashboard, where it is on.
pub const HUB_DASHBOARD: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 201, 0, 5), 9091);

/// Where a name server listens, in the test that has one.
pub const NAMESERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 201, 0, 53), 53);

/// Address of cluster `c`'s control plane.
#[must_use]
pub const fn control_plane(c: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 201, c, 1)
}

/// Address of member `c`'s gateway controller.
#[must_use]
pub const fn contour(c: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 201, c, 2)
}

/// Address of member `c`'s gateway.
#[must_use]
pub const fn envoy(c: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 201, c, 3)
}

/// Address of member `c`'s Prometheus.
#[must_use]
pub const fn prometheus(c: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 201, c, 4)
}

/// Hub-only address of cluster `c`'s API server. A member's own parts never use it, so that a
/// partition between hub and member leaves the member whole.
#[must_use]
pub const fn hub_only_apiserver(c: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 203, c, 1)
}

/// Hub-only address of member `c`'s Prometheus.
#[must_use]
pub const fn hub_only_prometheus(c: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 203, c, 4)
}
