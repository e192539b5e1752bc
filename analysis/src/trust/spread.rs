//! What stable traffic is like: how much of it there is, how its bad events come, and how much
//! its pods differ.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::figures::float;
use crate::judge::{Arm, ClusterName, Counts, MetricName, Observation, Window, calibrate};

/// Stable traffic of a metric in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// The metric.
    pub metric: MetricName,
    /// The cluster.
    pub cluster: ClusterName,
    /// Windows of the history, of one stream.
    pub windows: usize,
    /// Pods that had events.
    pub pods: usize,
    /// Events per second of measured time, of all pods together.
    pub events_per_second: f64,
    /// Part of the events that is bad, from 0 to 1; of a histogram those above its lowest edge.
    pub bad_share: f64,
    /// Dispersion: the variance of a group's bad events as a multiple of what independent events
    /// would have. 1 means that they come one by one.
    pub phi: f64,
    /// Mean size of a batch of bad events, from 1: `(φ+1)/2` for geometric batches.
    pub batch_mean: f64,
    /// Its one-sided upper 90 % bound.
    pub batch_mean_upper: f64,
    /// Standard deviation of lasting differences between pods, of the logarithm of their rates.
    pub pod_sd: f64,
}

/// What stable is like, by metric and cluster, in the order of their names. Only first streams
/// and stable pods count.
#[must_use]
pub fn traffic(history: &[Observation]) -> Vec<Traffic> {
    let mut found: BTreeMap<(&MetricName, &ClusterName), Vec<&Window>> = BTreeMap::new();
    for one in history.iter().filter(|one| one.stream == 0) {
        found.entry((&one.metric, &one.cluster)).or_default().push(&one.window);
    }
    found.into_iter().map(|((metric, cluster), windows)| of(metric, cluster, &windows)).collect()
}

fn of(metric: &MetricName, cluster: &ClusterName, windows: &[&Window]) -> Traffic {
    let mut pods = BTreeSet::new();
    let (mut bad, mut events) = (0, 0_u64);
    // Windows do not overlap, so their lengths add up to the measured time.
    let mut measured: BTreeMap<DateTime<Utc>, TimeDelta> = BTreeMap::new();
    for window in windows {
        measured.insert(window.ends_at, window.length);
        if let Counts::Cells(cells) = &window.counts {
            let stable = cells.iter().filter(|cell| cell.arm == Arm::Stable && cell.events > 0);
            pods.extend(stable.map(|cell| &*cell.pod));
        }
        let (_, stable) = window.arms();
        bad += stable.bad;
        events += stable.events;
    }
    let seconds: f64 = measured.values().map(|length| length.as_seconds_f64()).sum();
    let owned: Vec<Window> = windows.iter().map(|window| (*window).clone()).collect();
    let calibration = calibrate(&owned, 1);
    Traffic {
        metric: metric.clone(),
        cluster: cluster.clone(),
        windows: windows.len(),
        pods: pods.len(),
        events_per_second: if seconds > 0.0 { float(events) / seconds } else { 0.0 },
        bad_share: if events > 0 { float(bad) / float(events) } else { 0.0 },
        phi: 2.0 * calibration.batch_mean - 1.0,
        batch_mean: calibration.batch_mean,
        batch_mean_upper: calibration.batch_mean_upper,
        pod_sd: calibration.pod_sd,
    }
}
