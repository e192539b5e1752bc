//! What a gate as people write it for Argo Rollouts would have done on the same samples.

use chrono::{DateTime, Utc};
use lockflight_analysis::compat::argo::{
    Conditions, Consequence, Expression, Measured, MetricRule, MetricState, Run, RunMetric,
};

use super::EPISODE;
use super::samples::{ClusterSamples, sum};

/// `successCondition: result[0] >= 0.99`, the share of requests that did not fail in the last
/// interval of a minute, in the background of the steps; time is compressed as the scrapes are.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    conditions: Conditions,
    failure_limit: i64,
}

impl Gate {
    pub(super) fn new(failure_limit: i64) -> anyhow::Result<Self> {
        let success = Some(Expression::compile("result[0] >= 0.99")?);
        let conditions = Conditions { success, failure: None };
        Ok(Self { conditions, failure_limit })
    }

    /// When it would have taken the release back, if it would have by `until`. Each cluster has a
    /// run of its own, as it has its own Argo Rollouts; the first that fails counts.
    pub(super) fn aborts(
        &self,
        clusters: &[ClusterSamples],
        until: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        clusters.iter().filter_map(|cluster| self.aborts_in(cluster, until)).min()
    }

    fn aborts_in(&self, cluster: &ClusterSamples, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let started_at = cluster.begun()?;
        // The steps are over when all traffic is the canary's.
        let end = cluster.beside_until()?.min(until);
        let interval = EPISODE.to_std().ok()?;
        let rule = MetricRule {
            interval: Some(interval),
            initial_delay: interval,
            failure_limit: self.failure_limit,
            ..MetricRule::default()
        };
        let metric = RunMetric { rule, state: MetricState::default(), dry_run: false };
        let mut run = Run { started_at, metrics: vec![metric], terminate: false };
        let mut due = run.assess().next_at?;
        // Ends: each round is later by an interval.
        while due <= end {
            let (failed, total) = sum(&cluster.canary, due - EPISODE, due);
            // Without requests it would measure NaN, which its condition fails. That would be a
            // finding about traffic, not about the release: it is spared that.
            if total > 0.0 {
                let share = Measured::Vector(vec![1.0 - failed / total]);
                let (phase, _) = self.conditions.phase(&share);
                run.metrics.first_mut()?.state.record(phase, due);
            }
            let assessment = run.assess();
            match Consequence::from(assessment.phase) {
                Consequence::Abort => return Some(due),
                Consequence::GoOn | Consequence::Pause => return None,
                Consequence::Wait => due += EPISODE,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::samples::Delta;
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// 100 requests a second from second 1 on, of which so many fail; stable serves beside it
    /// until `beside`.
    fn cluster(failed: &[f64], beside: i64) -> ClusterSamples {
        let delta = |second, failed| Delta { at: at(second), failed, total: 100.0 };
        ClusterSamples {
            canary: (1..).zip(failed).map(|(second, failed)| delta(second, *failed)).collect(),
            stable: (1..=beside).map(|second| delta(second, 0.0)).collect(),
        }
    }

    /// Measurements are due at 5, 9, 13, …: an interval after the canary was first seen.
    #[test]
    fn the_first_failed_measurement_beyond_the_limit_aborts() {
        let bad_from_7 = [[0.0; 6].as_slice(), &[9.0; 34]].concat();
        let late = at(1000);
        for (failure_limit, failed, beside, expected) in [
            (0, vec![0.0; 40], 40, None),
            (0, vec![1.0; 40], 40, None),
            (0, vec![1.1; 40], 40, Some(5)),
            (3, vec![1.1; 40], 40, Some(17)),
            (0, bad_from_7.clone(), 40, Some(9)),
            (3, bad_from_7.clone(), 40, Some(21)),
            // The steps were over before.
            (3, bad_from_7, 20, None),
        ] {
            let gate = Gate::new(failure_limit).unwrap();
            let found = gate.aborts(&[cluster(&failed, beside)], late);
            assert_eq!(found, expected.map(at), "limit {failure_limit}, {failed:?}");
        }
    }

    #[test]
    fn failures_add_up_over_a_run_but_not_over_clusters() {
        let gate = Gate::new(1).unwrap();
        let once = [[0.0; 2].as_slice(), &[9.0], &[0.0; 17]].concat();
        let twice = [once.clone(), once.clone()].concat();
        let both = [cluster(&once, 20), cluster(&once, 20)];
        assert_eq!(gate.aborts(&both, at(1000)), None);
        let run = [cluster(&twice, 40)];
        assert_eq!(gate.aborts(&run, at(1000)), Some(at(25)));
        // What came after the release's end is not known.
        assert_eq!(gate.aborts(&run, at(24)), None);
    }

    #[test]
    fn no_requests_are_no_measurement() {
        let gate = Gate::new(0).unwrap();
        let mut quiet = cluster(&[0.0; 40], 40);
        for delta in &mut quiet.canary {
            if delta.at > at(10) && delta.at < at(30) {
                delta.total = 0.0;
            }
        }
        assert_eq!(gate.aborts(&[quiet, ClusterSamples::default()], at(1000)), None);
        assert_eq!(EPISODE, TimeDelta::seconds(4));
    }
}
