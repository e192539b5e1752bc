//! From what pods did to what the judge reads, as the controller does it: windows appear behind
//! a watermark, and pods that are not warm are left out.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::judge::{
    Arm, ArmCounts, Calibration, Cell, Counts, Evidence, Judge, Margins, MetricPlan, Observation,
    RoundReport, Window,
};

use super::{NAMES, trial::Known};
use crate::{number, scenario::Scenario, world::PodCount};

/// How long a pod of the release is not counted after its first traffic, seconds.
const WARM_UP_S: f64 = 90.0;

/// How far behind the present windows are read, seconds.
const WATERMARK_S: f64 = 30.0;

/// The longest disturbance that must not decide alone.
const EPISODE: TimeDelta = TimeDelta::seconds(60);

/// When the rollout begins, seconds since 1970. Any moment would do.
const BEGIN_S: i64 = 1_800_000_000;

/// From one attempt's beginning to the next one's, seconds: no attempt is longer.
const ATTEMPT_S: i64 = 16 * 3600;

/// The errors of a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Chance that a healthy release is taken back.
    pub false_abort: f64,
    /// Chance that a bad one passes.
    pub missed: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { false_abort: 0.05, missed: 0.05 }
    }
}

/// The judge, and what it needs in order to read a world.
#[derive(Debug)]
pub struct Reader {
    /// The judge.
    pub judge: Judge,
    calibrations: BTreeMap<(Arc<str>, Arc<str>), Calibration>,
    past: Vec<Observation>,
    metric: Arc<str>,
    clusters: Vec<Arc<str>>,
    pod: Arc<str>,
    scrape_s: f64,
    has_pods: bool,
    begin_s: i64,
}

impl Reader {
    /// Reads this scenario under these rules, with what is known of each cluster.
    #[must_use]
    pub(crate) fn new(scenario: &Scenario, rules: Rules, known: &[Known]) -> Self {
        let metric: Arc<str> = "errors".into();
        let clusters: Vec<Arc<str>> = NAMES.iter().map(|name| (*name).into()).collect();
        let plan = MetricPlan {
            name: metric.clone(),
            weight: 1.0,
            promotes: true,
            margins: Margins::default(),
            streams: 1,
        };
        let of_clusters = clusters.iter().zip(known);
        let calibrations = of_clusters
            .map(|(cluster, known)| ((metric.clone(), cluster.clone()), known.calibration))
            .collect();
        let past = clusters.iter().zip(known).flat_map(|(cluster, known)| {
            known.recent.iter().map(|window| Observation {
                metric: metric.clone(),
                stream: 0,
                cluster: cluster.clone(),
                window: window.clone(),
            })
        });
        let past = past.collect();
        let judge = Judge {
            metrics: vec![plan],
            clusters: clusters.clone(),
            false_abort: rules.false_abort,
            missed: rules.missed,
            episode: EPISODE,
        };
        Self {
            judge,
            calibrations,
            past,
            metric,
            clusters,
            pod: "pod".into(),
            scrape_s: scenario.scrape_s,
            has_pods: scenario.has_pods,
            begin_s: BEGIN_S,
        }
    }

    /// Reads attempt `number` of the same revision, from 0: each begins later than the one before
    /// has ended.
    #[must_use]
    pub(super) fn attempt(self, number: u64) -> Self {
        let later_s = ATTEMPT_S.saturating_mul(i64::try_from(number).unwrap_or(0));
        Self { begin_s: BEGIN_S.saturating_add(later_s), ..self }
    }

    /// Shows the judge what stable was like before the rollout.
    pub(super) fn remember(&self, evidence: &mut Evidence) {
        let late = TimeDelta::seconds(self.begin_s - BEGIN_S);
        let past = self.past.iter().cloned().map(|mut read| {
            read.window.ends_at += late;
            read
        });
        self.judge.observe(evidence, &self.calibrations, past.collect());
    }

    /// Windows that pass before one can be read.
    #[must_use]
    pub fn delay(&self) -> usize {
        number::index((WATERMARK_S / self.scrape_s).ceil())
    }

    /// Whether a pod is too young to be counted.
    #[must_use]
    pub fn is_cold(&self, pod: &PodCount) -> bool {
        pod.is_canary && f64::from(pod.age) * self.scrape_s < WARM_UP_S
    }

    /// Minutes after the beginning at which the judge has read the window of this number.
    #[must_use]
    pub fn minutes(&self, window: usize) -> f64 {
        ((number::size(window) + 1.0) * self.scrape_s + WATERMARK_S) / 60.0
    }

    /// What is read of a cluster's window. While no pod of the release is warm, stable's alone are:
    /// they say nothing yet, but they are what the next windows are compared with.
    #[must_use]
    pub fn read(&self, cluster: usize, window: usize, pods: &[PodCount]) -> Option<Observation> {
        let is_cold = |pod: &PodCount| self.is_cold(pod);
        let counts = if self.has_pods {
            if pods.is_empty() {
                return None;
            }
            Counts::Cells(
                pods.iter()
                    .filter(|pod| !is_cold(pod))
                    .map(|pod| Self::cell(pod, &self.pod))
                    .collect(),
            )
        } else {
            // Sums hide who is cold: they wait until nobody is.
            if pods.is_empty() || pods.iter().any(is_cold) {
                return None;
            }
            let sum = |is_canary: bool| {
                let own = pods.iter().filter(|pod| pod.is_canary == is_canary);
                own.fold(ArmCounts::default(), |sum, pod| ArmCounts {
                    bad: sum.bad + pod.bad,
                    events: sum.events + pod.events,
                })
            };
            Counts::Arms { canary: sum(true), stable: sum(false) }
        };
        Some(Observation {
            metric: self.metric.clone(),
            stream: 0,
            cluster: self.clusters.get(cluster)?.clone(),
            window: self.window(i64::try_from(window).ok()?, counts)?,
        })
    }

    /// A window of stable alone, with the names of its pods: one of so many before the rollout.
    pub(super) fn stable(
        &self,
        window: usize,
        of: usize,
        pods: &[PodCount],
        names: &[Arc<str>],
    ) -> Option<Window> {
        let counts = if self.has_pods {
            let cells = pods.iter().zip(names);
            Counts::Cells(cells.map(|(pod, name)| Self::cell(pod, name)).collect())
        } else {
            let stable = pods.iter().fold(ArmCounts::default(), |sum, pod| ArmCounts {
                bad: sum.bad + pod.bad,
                events: sum.events + pod.events,
            });
            Counts::Arms { canary: ArmCounts::default(), stable }
        };
        self.window(i64::try_from(window).ok()? - i64::try_from(of).ok()?, counts)
    }

    fn window(&self, window: i64, counts: Counts) -> Option<Window> {
        let length_ms = i64::try_from(number::whole(self.scrape_s * 1000.0)).unwrap_or(i64::MAX);
        let ends_ms = self.begin_s * 1000 + length_ms.saturating_mul(window.saturating_add(1));
        Some(Window {
            ends_at: DateTime::<Utc>::from_timestamp_millis(ends_ms)?,
            length: TimeDelta::milliseconds(length_ms),
            counts,
        })
    }

    fn cell(pod: &PodCount, name: &Arc<str>) -> Cell {
        Cell {
            arm: if pod.is_canary { Arm::Canary } else { Arm::Stable },
            pod: name.clone(),
            bad: pod.bad,
            events: pod.events,
        }
    }

    /// Feeds a round.
    pub fn observe(&self, evidence: &mut Evidence, round: Vec<Observation>) -> RoundReport {
        self.judge.observe(evidence, &self.calibrations, round)
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Rules};
    use crate::{
        noise::Noise,
        scenario::{Scenario, Traffic},
        world::PodCount,
    };

    #[test]
    fn cold_pods_of_the_release_are_left_out() {
        let pod = |is_canary, age| PodCount { is_canary, age, bad: 1, events: 10 };
        let scenario = Scenario::new(Traffic::A, Noise::ROUGH);
        let cells = |pods: &[PodCount], has_pods| {
            let reader = Reader::new(&Scenario { has_pods, ..scenario }, Rules::default(), &[]);
            reader.read(0, 3, pods).map(|found| found.window.arms().0.events)
        };
        let cases = [
            (vec![pod(true, 5), pod(false, 0)], Some(0), None),
            (vec![pod(true, 6), pod(false, 0)], Some(10), Some(10)),
            (vec![pod(true, 6), pod(true, 0), pod(false, 9)], Some(10), None),
            (vec![], None, None),
        ];
        for (pods, with_pods, with_sums) in cases {
            assert_eq!(cells(&pods, true), with_pods, "{pods:?}");
            assert_eq!(cells(&pods, false), with_sums, "{pods:?}");
        }
    }
}
