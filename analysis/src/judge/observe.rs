//! Feeding windows to the evidence.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Live, Place};
use super::increments;
use super::settings::{Calibration, Judge};
use super::window::{ClusterName, MetricName, Observation};

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

impl Judge {
    /// Takes in the windows of one round. Their order does not matter; each window counts once.
    pub fn observe(
        &self,
        evidence: &mut Evidence,
        calibrations: &BTreeMap<(MetricName, ClusterName), Calibration>,
        mut round: Vec<Observation>,
    ) -> RoundReport {
        round.sort_by(|a, b| {
            let key =
                |o: &Observation| (o.window.ends_at, o.cluster.clone(), o.metric.clone(), o.stream);
            key(a).cmp(&key(b))
        });
        let mut report = RoundReport::default();
        for observation in round {
            let calibration = calibrations
                .get(&(observation.metric.clone(), observation.cluster.clone()))
                .copied()
                .unwrap_or_default();
            self.take(evidence, &calibration, &observation, &mut report);
        }
        report
    }

    fn take(
        &self,
        evidence: &mut Evidence,
        calibration: &Calibration,
        observation: &Observation,
        report: &mut RoundReport,
    ) {
        let Observation { metric, stream, cluster, window } = observation;
        let plan = self.metrics.iter().find(|plan| plan.name == *metric);
        let Some(plan) =
            plan.filter(|plan| *stream < plan.streams && self.clusters.contains(cluster))
        else {
            report.foreign += 1;
            return;
        };
        let streams = evidence.metrics.entry(metric.to_string()).or_default();
        if streams.len() < plan.streams {
            streams.resize_with(plan.streams, Default::default);
        }
        let Some(stream) = streams.get_mut(*stream) else { return };
        let place = stream
            .clusters
            .entry(cluster.to_string())
            .or_insert_with(|| Place::Live(Box::<Live>::default()));
        let Place::Live(live) = place else {
            report.foreign += 1;
            return;
        };
        if !live.past.is_before(window.ends_at) {
            report.late += 1;
            return;
        }
        let (found, added) = increments::of_window(window, &live.past, &plan.margins, calibration);
        if let Some(found) = found {
            let counted = live.take(window, &found, self.episode);
            stream.fleet.take(window, &counted);
            report.counted += 1;
        } else {
            report.silent += 1;
        }
        live.past.add(window.ends_at, added);
    }
}
