//! What stable against itself has shown, as a person or a program reads it.

use chrono::{DateTime, Utc};
use lockflight_analysis::trust::{Detection, Interval, StableTrial, Traffic};
use serde::Serialize;

/// Stable judged against itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AaView {
    /// Always `cli.lockflight.dev/v1`.
    pub api_version: &'static str,
    /// Always `AaView`.
    pub kind: &'static str,
    /// End of the newest window.
    pub as_of: Option<DateTime<Utc>>,
    /// Stable traffic, by metric and cluster.
    pub traffic: Vec<TrafficView>,
    /// Chance of a false abort that was asked for.
    pub asked_for: f64,
    /// Rollouts that were tried.
    pub trials: usize,
    /// So many of them follow each other in the history, at most.
    pub independent: f64,
    /// Those that change nothing and were taken back.
    pub false_aborts: ShareView,
    /// Those that change nothing and reached evidence of 4 on the way.
    pub above_four: ShareView,
    /// How soon worse ones were taken back.
    pub detections: Vec<DetectionView>,
}

/// Stable traffic of a metric in a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficView {
    /// The metric.
    pub metric: String,
    /// The cluster.
    pub cluster: String,
    /// Windows.
    pub windows: usize,
    /// Pods.
    pub pods: usize,
    /// Events per second, of all pods.
    pub events_per_second: f64,
    /// Part of the events that is bad, from 0 to 1.
    pub bad_share: f64,
    /// Variance of bad events as a multiple of independent ones'.
    pub dispersion: f64,
    /// Mean size of a batch of bad events.
    pub batch_mean: f64,
    /// Standard deviation of lasting differences between pods, of the logarithm of their rates.
    pub pod_sd: f64,
}

/// A share of trials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareView {
    /// How many.
    pub count: usize,
    /// The share, from 0 to 1.
    pub share: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How soon releases were taken back that fail a multiple of stable's requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DetectionView {
    /// The multiple.
    pub factor: f64,
    /// Those taken back before the steps ended.
    pub found: usize,
    /// Seconds to half of all trials; none when fewer were found.
    pub median_seconds: Option<i64>,
    /// Seconds to nine in ten, likewise.
    pub nine_in_ten_seconds: Option<i64>,
}

impl AaView {
    /// The view of what was found.
    #[must_use]
    pub fn of(
        asked_for: f64,
        as_of: Option<DateTime<Utc>>,
        traffic: &[Traffic],
        found: &StableTrial,
        detections: &[Detection],
    ) -> Self {
        Self {
            api_version: "cli.lockflight.dev/v1",
            kind: "AaView",
            as_of,
            traffic: traffic.iter().map(TrafficView::of).collect(),
            asked_for,
            trials: found.trials,
            independent: found.independent,
            false_aborts: share(found.aborted, found.aborts),
            above_four: share(found.above_four, found.fours),
            detections: detections.iter().map(detection).collect(),
        }
    }
}

impl TrafficView {
    /// The view of stable traffic.
    #[must_use]
    pub fn of(traffic: &Traffic) -> Self {
        Self {
            metric: traffic.metric.to_string(),
            cluster: traffic.cluster.to_string(),
            windows: traffic.windows,
            pods: traffic.pods,
            events_per_second: traffic.events_per_second,
            bad_share: traffic.bad_share,
            dispersion: traffic.phi,
            batch_mean: traffic.batch_mean,
            pod_sd: traffic.pod_sd,
        }
    }
}

fn share(count: usize, interval: Interval) -> ShareView {
    let Interval { share, low, high } = interval;
    ShareView { count, share, low, high }
}

fn detection(found: &Detection) -> DetectionView {
    DetectionView {
        factor: found.factor,
        found: found.found,
        median_seconds: found.median.map(|span| span.num_seconds()),
        nine_in_ten_seconds: found.nine_in_ten.map(|span| span.num_seconds()),
    }
}
