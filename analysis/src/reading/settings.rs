//! How a metric is to be read, and what the hub knows about its pods.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::gauge::Level;
use crate::judge::Arm;

/// Labels that say who scraped a target rather than what was counted. Two jobs, two Services
/// that select the same pods, or a pair of Prometheus servers read the same counter twice.
pub const OBSERVER_LABELS: [&str; 8] = [
    "job",
    "service",
    "endpoint",
    "prometheus",
    "prometheus_replica",
    "replica",
    "__replica__",
    "receive_replica",
];

/// How much higher than stable's a gauge may be.
const LEVEL_RATIO: f64 = 1.25;

/// How series are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// By the pod that a label names: the finest, and the only one that knows warm-up.
    Pod {
        /// Name of the label.
        label: String,
    },
    /// By the value of a label: one sum per arm. A `*` in a value stands for any text; see
    /// [`super::arm_named`].
    Label {
        /// Name of the label.
        name: String,
        /// Its value for the canary.
        canary: String,
        /// Its value for the stable arm.
        stable: String,
    },
}

/// How a metric is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How series are told apart.
    pub split: Split,
    /// How long a pod's events are left out, from its first traffic.
    pub warm_up: TimeDelta,
    /// The shortest window. Shorter than 15 s only where scrapes are faster and time is
    /// compressed: short windows say less each and cost more.
    pub window_min: TimeDelta,
    /// The canary may be slower by this factor, from 1: its events above `slow_down` times a
    /// bound are compared with stable's above the bound.
    pub slow_down: f64,
    /// Above what a gauge is bad.
    pub level: Level,
    /// Labels that say who scraped; see [`OBSERVER_LABELS`].
    pub observer_labels: Vec<String>,
}

impl Settings {
    /// The defaults for metrics with a label that names the pod: 90 s warm-up, windows of at
    /// least 15 s, no slow-down, gauges up to 1.25 times stable's.
    #[must_use]
    pub fn by_pod(label: &str) -> Self {
        Self {
            split: Split::Pod { label: label.to_owned() },
            warm_up: TimeDelta::seconds(90),
            window_min: TimeDelta::seconds(15),
            slow_down: 1.0,
            level: Level::BeyondStable(LEVEL_RATIO),
            observer_labels: OBSERVER_LABELS.map(str::to_owned).into(),
        }
    }

    /// The same for sources that tell the arms apart by a label only.
    #[must_use]
    pub fn by_label(name: &str, canary: &str, stable: &str) -> Self {
        let split = Split::Label {
            name: name.to_owned(),
            canary: canary.to_owned(),
            stable: stable.to_owned(),
        };
        Self { split, ..Self::by_pod("pod") }
    }
}

/// What the hub knows about a pod. Times are those of its cluster's API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodFacts {
    /// Which revision it runs. Kept for the whole attempt: a pod that died must not take its
    /// errors with it.
    pub arm: Arm,
    /// When it was created.
    pub created_at: Option<DateTime<Utc>>,
    /// From when on it could get requests: ready, and its arm had a share.
    pub first_traffic: Option<DateTime<Utc>>,
    /// Since when it has been Ready; None while it is not.
    pub ready_since: Option<DateTime<Utc>>,
    /// When it began to end.
    pub terminating_since: Option<DateTime<Utc>>,
    /// When one of its containers last started again.
    pub restarted_at: Option<DateTime<Utc>>,
}

impl PodFacts {
    /// A pod of this arm, of which nothing else is known.
    #[must_use]
    pub fn of(arm: Arm) -> Self {
        Self {
            arm,
            created_at: None,
            first_traffic: None,
            ready_since: None,
            terminating_since: None,
            restarted_at: None,
        }
    }
}

/// The pods of both arms by name, ended ones included. Series of others are left out.
pub type Pods = BTreeMap<Arc<str>, PodFacts>;
