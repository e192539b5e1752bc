//! What a rollout will do, as a person or a program reads it.

use chrono::TimeDelta;
use kube::ResourceExt as _;
use lockflight_analysis::{
    judge::{Judge, Margin},
    trust::{Forecast, Load, Step},
};
use lockflight_crds::{Approval, PlanStatus, Rollout};
use schemars::JsonSchema;
use serde::Serialize;

/// Windows that a step with comparison metrics needs, and two scrapes until they are counted.
const WINDOWS_MIN: i32 = 8 + 2;

/// Windows of an episode, as the hub cuts them.
const WINDOWS_PER_EPISODE: i32 = 4;

/// How much worse the releases are whose detection is forecast.
const FACTORS: [f64; 3] = [2.0, 3.0, 10.0];

/// The plan of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// Always `cli.lockflight.dev/v1`.
    pub api_version: &'static str,
    /// Always `PlanView`.
    pub kind: &'static str,
    /// Namespace of the rollout.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether the hub has committed to this plan; else it is what a new attempt would get.
    pub stored: bool,
    /// The least time of the whole rollout, in seconds, approvals left aside.
    pub least_seconds: i64,
    /// Persons' agreements that it asks for.
    pub approvals: usize,
    /// The waves.
    pub waves: Vec<PlannedWaveView>,
    /// The steps in each cluster.
    pub steps: Vec<PlannedStepView>,
    /// The traffic that the forecasts are made for; none without forecasts.
    pub traffic: Option<ExpectedView>,
    /// Seconds from the end of its bake after which a step without enough evidence is undecided.
    pub decision_deadline_seconds: i64,
}

/// A wave of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWaveView {
    /// Its name.
    pub name: String,
    /// Its clusters, in their order.
    pub clusters: Vec<String>,
    /// Clusters that move at the same time.
    pub max_concurrent: u32,
    /// Bake after the last cluster, in seconds.
    pub bake_seconds: u32,
    /// When a person has to agree.
    pub approval: Approval,
    /// Its least time, in seconds.
    pub least_seconds: i64,
}

/// A step of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStepView {
    /// Share of the traffic in per cent.
    pub weight: u8,
    /// Its least time in the first cluster of a wave, in seconds: bake, dwell and measured windows.
    pub least_seconds_first: i64,
    /// The same in the others.
    pub least_seconds: i64,
    /// Requests that it must have counted.
    pub samples: u32,
    /// When a person has to agree.
    pub approval: Approval,
    /// How soon worse releases are taken back in it, in one cluster alone.
    pub detections: Vec<ForecastView>,
    /// Seconds until a release as good as stable has been shown not to be bad; none where that
    /// takes too long.
    pub proof_seconds: Option<i64>,
    /// The smallest difference of bad shares that can be ruled out before the step is undecided.
    pub difference_shown: Option<f64>,
}

/// How soon a release is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForecastView {
    /// It fails so many times as often as stable.
    pub factor: f64,
    /// Seconds on average; none where it is tolerated or cannot be seen.
    pub seconds: Option<i64>,
    /// Whether the margins tolerate it, however much traffic there is.
    pub tolerated: bool,
}

/// The traffic that forecasts are made for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedView {
    /// The metric that decides.
    pub metric: String,
    /// Requests per second of one cluster.
    pub requests_per_second: f64,
    /// Part of them that is bad, from 0 to 1.
    pub bad_share: f64,
    /// Mean size of a batch of bad events.
    pub batch_mean: f64,
    /// Standard deviation of lasting differences between pods, of the logarithm of their rates.
    pub pod_sd: f64,
    /// Whether it was read from a Prometheus; else it was told, and the last two are as usual.
    pub measured: bool,
}

/// Traffic to plan with.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The metric that decides.
    pub metric: String,
    /// Its traffic in one cluster.
    pub load: Load,
    /// Whether it was measured.
    pub measured: bool,
}

/// How the steps of a plan compare two revisions.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The judge of its metrics.
    pub judge: &'a Judge,
    /// The longest time for which one of them leaves new pods out.
    pub warm_up: TimeDelta,
}

impl PlanView {
    /// The view of a plan. With `compared` its steps compare two revisions; with traffic there are
    /// forecasts.
    #[must_use]
    pub fn of(
        rollout: &Rollout,
        plan: &PlanStatus,
        stored: bool,
        compared: Option<Compared<'_>>,
        expected: Option<Expected>,
    ) -> Self {
        let pods = rollout.spec.replicas;
        let pace = Pace { plan, compared, expected: expected.as_ref(), pods };
        let steps: Vec<PlannedStepView> =
            plan.steps.iter().enumerate().map(|(n, step)| pace.step(n, step)).collect();
        let waves: Vec<PlannedWaveView> =
            plan.waves.iter().map(|wave| Pace::wave(wave, &steps)).collect();
        let asked = |approval: Approval| usize::from(approval != Approval::None);
        let per_cluster: usize = plan.steps.iter().map(|step| asked(step.approval)).sum();
        let approvals = plan.waves.iter();
        let approvals =
            approvals.map(|wave| asked(wave.approval) + per_cluster * wave.clusters.len()).sum();
        let decision_deadline_seconds = pace.deadline().num_seconds();
        Self {
            api_version: "cli.lockflight.dev/v1",
            kind: "PlanView",
            namespace: rollout.namespace().unwrap_or_default(),
            name: rollout.name_any(),
            stored,
            least_seconds: waves.iter().map(|wave| wave.least_seconds).sum(),
            approvals,
            waves,
            steps,
            traffic: expected.map(|Expected { metric, load, measured }| ExpectedView {
                metric,
                requests_per_second: load.requests_per_second,
                bad_share: load.bad_share,
                batch_mean: load.batch_mean,
                pod_sd: load.pod_sd,
                measured,
            }),
            decision_deadline_seconds,
        }
    }
}

/// What the times of a plan follow from.
struct Pace<'a> {
    plan: &'a PlanStatus,
    compared: Option<Compared<'a>>,
    expected: Option<&'a Expected>,
    /// Pods of a revision at full size, in one cluster.
    pods: u32,
}

impl Pace<'_> {
    fn step(&self, number: usize, step: &lockflight_crds::PlannedStep) -> PlannedStepView {
        let compared = self.compared.filter(|_| step.weight < 100);
        let least = |bake: u32| {
            let windows = compared.map_or(TimeDelta::zero(), |Compared { judge, .. }| {
                let windows = judge.episode / WINDOWS_PER_EPISODE * WINDOWS_MIN;
                windows.max(span(&self.plan.evidence.min_dwell))
            });
            // The first pods of the canary warm up before their first window.
            let first = compared.filter(|_| number == 0);
            let warm_up = first.map_or(TimeDelta::zero(), |compared| compared.warm_up);
            warm_up + windows.max(TimeDelta::seconds(i64::from(bake)))
        };
        let mut view = PlannedStepView {
            weight: step.weight,
            least_seconds_first: least(step.bake_seconds_first).num_seconds(),
            least_seconds: least(step.bake_seconds).num_seconds(),
            samples: step.samples,
            approval: step.approval,
            detections: Vec::new(),
            proof_seconds: None,
            difference_shown: None,
        };
        let (Some(Compared { judge, .. }), Some(Expected { metric, load, .. })) =
            (compared, self.expected)
        else {
            return view;
        };
        let metric = judge.metrics.iter().find(|plan| *plan.name == **metric);
        let Some(metric) = metric else { return view };
        let forecast = Forecast { judge, metric, load: *load };
        let share = f64::from(step.weight) / 100.0;
        let canary = (u32::from(step.weight) * self.pods).div_ceil(100).max(1);
        let at = Step { canary_share: share, pods: (canary, self.pods.max(1)), clusters: 1 };
        let seconds = |time: Option<TimeDelta>| time.map(|time| time.num_seconds());
        view.detections = FACTORS
            .map(|factor| ForecastView {
                factor,
                seconds: seconds(forecast.to_detect(at, factor)),
                tolerated: is_tolerated(&metric.margins.tolerate, load.bad_share, factor),
            })
            .into();
        view.proof_seconds = seconds(forecast.to_prove(at));
        view.difference_shown = Some(forecast.difference_shown(at, self.deadline()));
        view
    }

    fn wave(wave: &lockflight_crds::PlannedWave, steps: &[PlannedStepView]) -> PlannedWaveView {
        let first: i64 = steps.iter().map(|step| step.least_seconds_first).sum();
        let other: i64 = steps.iter().map(|step| step.least_seconds).sum();
        let at_once = usize::try_from(wave.max_concurrent.max(1)).unwrap_or(usize::MAX);
        // Clusters that move together bake together; the first of them bakes longest.
        let rounds = i64::try_from(wave.clusters.len().div_ceil(at_once)).unwrap_or(i64::MAX);
        let moving =
            if rounds > 0 { first.saturating_add(other.saturating_mul(rounds - 1)) } else { 0 };
        PlannedWaveView {
            name: wave.name.clone(),
            clusters: wave.clusters.clone(),
            max_concurrent: wave.max_concurrent,
            bake_seconds: wave.bake_seconds,
            approval: wave.approval,
            least_seconds: moving.saturating_add(i64::from(wave.bake_seconds)),
        }
    }

    fn deadline(&self) -> TimeDelta {
        span(&self.plan.evidence.decision_deadline)
    }
}

/// Whether a release that fails so many times as often as stable is within the margins: both have
/// to be passed before it is taken back. Of no failures nothing is a multiple.
fn is_tolerated(margin: &Margin, bad_share: f64, factor: f64) -> bool {
    // No more than all requests can be bad.
    let ratio = factor.min(1.0 / bad_share);
    bad_share > 0.0 && ratio <= margin.ratio.max(1.0 + margin.difference / bad_share)
}

/// A span of the API; the hub has checked it.
fn span(duration: &lockflight_crds::Duration) -> TimeDelta {
    let span = duration.to_std().ok().and_then(|span| TimeDelta::from_std(span).ok());
    span.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_tolerated_until_it_passes_both_margins() {
        let margin = Margin { ratio: 1.5, difference: 0.01 };
        for (bad_share, factor, tolerated, what) in [
            (0.1, 1.2, true, "within both"),
            (0.1, 2.0, false, "beyond both"),
            (0.001, 10.0, true, "ten times, and less than a hundredth more"),
            (0.001, 12.0, false, "more than a hundredth more"),
            (0.8, 10.0, true, "no more than all can be bad"),
            (0.0, 2.0, false, "of no failures nothing is a multiple"),
        ] {
            assert_eq!(is_tolerated(&margin, bad_share, factor), tolerated, "{what}");
        }
    }
}
