//! The figures to beat.
//!
//! Source: design note `incumbents.md`, section 0, measured on 2026-11-23 with Argo Rollouts
//! v1.10.0-rc1-70, Flagger v1.44.0 and `KubeFleet` v0.3.1+83 as plain processes on real API servers
//! (Kubernetes 1.37.2), pods ready at once, 2 shared cores. Seconds as min / median / max.

use super::row::Incumbents;

/// "metric turns bad → weight 0 written, smallest interval".
pub(super) const REACTION: Incumbents = Incumbents {
    argo: "0.25 / 0.76 / 1.44",
    flagger: "11.3 / 15.6 / 20.3",
    kubefleet: "no metrics",
};

/// Neither waits for the router's acknowledgement.
pub(super) const NOT_WAITED_FOR: Incumbents =
    Incumbents { argo: "not waited for", flagger: "not waited for", kubefleet: "" };

/// "template change → first canary weight"; for `KubeFleet` "template change → first member".
pub(super) const FIRST_WEIGHT: Incumbents =
    Incumbents { argo: "0.14 / 0.21 / 0.29", flagger: "10.2 / 15.5 / 20.1", kubefleet: "15.3" };

/// "ten steps without pauses, until promoted", none of them acknowledged by a router.
pub(super) const TEN_STEPS: Incumbents =
    Incumbents { argo: "0.91 / 2.0 / 3.5", flagger: "121 / 127 / 130", kubefleet: "" };

/// The reads of the same.
pub(super) const TEN_STEPS_READS: Incumbents =
    Incumbents { argo: "2", flagger: "196", kubefleet: "" };

/// The writes of the same.
pub(super) const TEN_STEPS_WRITES: Incumbents =
    Incumbents { argo: "34", flagger: "36", kubefleet: "" };

/// "controller killed mid-canary → next weight written"; "hub agent: restart → next write".
pub(super) const RESTART: Incumbents = Incumbents {
    argo: "0.4; 17.3 with election",
    flagger: "11.0",
    kubefleet: "6.6; 60.8 with election",
};

/// "RSS", of Argo Rollouts and Flagger with 1,000 idle, in MiB.
pub(super) const MEMORY: Incumbents =
    Incumbents { argo: "163 (1,000 idle)", flagger: "101-127 (1,000 idle)", kubefleet: "71-83" };

/// "1,000 idle: API requests in 120 s".
pub(super) const REQUESTS_AT_REST: Incumbents = Incumbents {
    argo: "0 (1,000 idle, 120 s)",
    flagger: "15,107 (1,000 idle, 120 s)",
    kubefleet: "",
};

/// "staged run: created → run Succeeded", three members.
pub(super) const WHOLE_FLEET: Incumbents = Incumbents {
    argo: "one cluster only",
    flagger: "one cluster only",
    kubefleet: "45.2 (3 members)",
};

/// "take back a half-done run → all changed clusters restored".
pub(super) const WHOLE_FLEET_BACK: Incumbents = Incumbents {
    argo: "one cluster only",
    flagger: "one cluster only",
    kubefleet: "15.2, then goes on",
};

/// Nothing comparable was measured.
pub(super) const NONE: Incumbents = Incumbents { argo: "", flagger: "", kubefleet: "" };
