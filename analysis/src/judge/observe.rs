//! Feeding windows to the evidence.

use std::collections::{BTreeMap, BTreeSet};

use super::episode::Allowance;
use super::evidence::{Evidence, Place, Stream};
use super::increments;
use super::live::Live;
use super::pods::{self, FleetPods};
use super::settings::{Calibration, Judge};
use super::window::{ClusterName, MetricName, Observation, Window};

/// Windows of different clusters that end no further apart than so many of their lengths are of one
/// time, where that is more than an episode: scrapes differ in phase, and readers lag.
const WINDOWS_AT_ONE_TIME: i32 = 2;

/// What became of a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoundReport {
    /// Windows that were counted.
    pub counted: usize,
    /// Windows that came after a later one of their stream, or for a second time.
    pub late: usize,
    /// Windows of metrics, streams or clusters that are not in the plan, or of finished clusters.
    pub foreign: usize,
    /// Windows in which one of the arms had no event.
    pub silent: usize,
}

/// A window of the plan.
struct Due {
    /// Places in the plan: metric, stream, and cluster in the order of names.
    at: (usize, usize, usize),
    window: Window,
    calibration: Calibration,
}

impl Judge {
    /// Takes in the windows of one round. Their order does not matter; each window counts once.
    pub fn observe(
        &self,
        evidence: &mut Evidence,
        calibrations: &BTreeMap<(MetricName, ClusterName), Calibration>,
        round: Vec<Observation>,
    ) -> RoundReport {
        let mut report = RoundReport::default();
        let mut clusters: Vec<&ClusterName> = self.clusters.iter().collect();
        clusters.sort_unstable();
        let mut due: Vec<Due> = Vec::with_capacity(round.len());
        for observation in round {
            let Observation { metric, stream, cluster, window } = observation;
            let place = self.metrics.iter().position(|plan| plan.name == metric);
            let plan = place.and_then(|place| Some((place, self.metrics.get(place)?)));
            let cluster_at = clusters.binary_search(&&cluster);
            let (Some((place, _)), Ok(cluster_at)) =
                (plan.filter(|(_, plan)| stream < plan.streams()), cluster_at)
            else {
                report.foreign += 1;
                continue;
            };
            let calibration = if calibrations.is_empty() {
                Calibration::default()
            } else {
                calibrations.get(&(metric, cluster)).copied().unwrap_or_default()
            };
            due.push(Due { at: (place, stream, cluster_at), window, calibration });
        }
        // Of two windows of one stream and one end only one counts; which one must not depend
        // on the order in which they came either.
        due.sort_by(|a, b| {
            let (one, other) = (&a.window, &b.window);
            (one.ends_at, a.at)
                .cmp(&(other.ends_at, b.at))
                .then_with(|| one.length.cmp(&other.length))
                .then_with(|| one.counts.cmp(&other.counts))
        });
        let bar_ln = self.bar_ln(evidence);
        let mut fleet_pods = self.recalled(evidence, &due, &clusters);
        for Due { at, window, calibration } in &due {
            if let Some(variance) = pods::variance(window, calibration)
                && self.is_new(evidence, *at, &clusters, window)
            {
                fleet_pods.note(*at, variance, window.ends_at.timestamp_millis());
            }
        }
        for Due { at, window, calibration } in &due {
            let (metric, stream, cluster) = *at;
            let (Some(plan), Some(name)) = (self.metrics.get(metric), clusters.get(cluster)) else {
                continue;
            };
            let Some(stream) = stream_of(evidence, &plan.name, stream, plan.streams()) else {
                continue;
            };
            let Stream { fleet, clusters: places } = stream;
            let Some(live) = live_of(places, name) else {
                report.foreign += 1;
                continue;
            };
            if !live.past.is_before(window.ends_at) {
                report.late += 1;
                continue;
            }
            let (_, number, _) = *at;
            let span = self.episode.max(window.length * WINDOWS_AT_ONE_TIME);
            let since = window.ends_at.timestamp_millis().saturating_sub(span.num_milliseconds());
            let fleet_sd = fleet_pods.sd(metric, number, since);
            let (found, added) =
                increments::of_window(window, &live.past, &plan.margins, calibration, fleet_sd);
            live.past.add(window.ends_at, added);
            live.pods_variance = pods::variance(window, calibration);
            if let Some(mut found) = found {
                let batch_mean = calibration.batches();
                let allowance = Allowance::of(self.episode, window.length, batch_mean, bar_ln);
                live.take(window, &mut found, allowance);
                fleet.take(window, &found);
                report.counted += 1;
            } else {
                report.silent += 1;
            }
        }
        report
    }

    /// What the last windows of all clusters have said of their pods, in the streams that are due.
    fn recalled(&self, evidence: &Evidence, due: &[Due], clusters: &[&ClusterName]) -> FleetPods {
        let mut pods = FleetPods::default();
        let streams: BTreeSet<(usize, usize)> =
            due.iter().map(|Due { at: (metric, stream, _), .. }| (*metric, *stream)).collect();
        for (metric, number) in streams {
            let plan = self.metrics.get(metric);
            let streams = plan.and_then(|plan| evidence.metrics.get(&*plan.name));
            let Some(stream) = streams.and_then(|streams| streams.get(number)) else { continue };
            for (name, place) in &stream.clusters {
                let Place::Live(live) = place else { continue };
                let cluster = clusters.binary_search_by(|cluster| (***cluster).cmp(name));
                if let (Ok(cluster), Some(variance)) = (cluster, live.pods_variance) {
                    pods.note((metric, number, cluster), variance, live.past.at_ms);
                }
            }
        }
        pods
    }

    /// Whether a window has not been counted, nor a later one.
    fn is_new(
        &self,
        evidence: &Evidence,
        (metric, stream, cluster): (usize, usize, usize),
        clusters: &[&ClusterName],
        window: &Window,
    ) -> bool {
        let (Some(plan), Some(cluster)) = (self.metrics.get(metric), clusters.get(cluster)) else {
            return false;
        };
        let streams = evidence.metrics.get(&*plan.name);
        let place = streams
            .and_then(|streams| streams.get(stream))
            .and_then(|stream| stream.clusters.get(&***cluster));
        match place {
            Some(Place::Live(live)) => live.past.is_before(window.ends_at),
            Some(Place::Finished { .. }) => false,
            None => true,
        }
    }
}

/// The evidence of a stream; begun where there is none.
fn stream_of<'e>(
    evidence: &'e mut Evidence,
    metric: &str,
    stream: usize,
    streams: usize,
) -> Option<&'e mut Stream> {
    if !evidence.metrics.contains_key(metric) {
        evidence.metrics.insert(metric.to_owned(), Vec::new());
    }
    let of_metric = evidence.metrics.get_mut(metric)?;
    if of_metric.len() <= stream {
        of_metric.resize_with(streams, Stream::default);
    }
    of_metric.get_mut(stream)
}

/// What is kept of a cluster; begun where there is nothing. None of one that is finished.
fn live_of<'p>(places: &'p mut BTreeMap<String, Place>, cluster: &str) -> Option<&'p mut Live> {
    if !places.contains_key(cluster) {
        places.insert(cluster.to_owned(), Place::Live(Box::<Live>::default()));
    }
    match places.get_mut(cluster)? {
        Place::Live(live) => Some(live),
        Place::Finished { .. } => None,
    }
}
