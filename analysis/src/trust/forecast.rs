//! What the judge can do with traffic that is known beforehand: how soon it sees a worse release,
//! how soon it has seen enough of a good one, and which difference it can show at all.
//!
//! These are averages by the formulas of [`planning`], tested to a factor of 2.5 in one set-up.
//! They know nothing of bad minutes or of changing load. What the real traffic does, [`detect`] tells.
//!
//! [`detect`]: super::detect

use chrono::TimeDelta;

use crate::judge::{Judge, MetricPlan, planning};

/// Standard deviations of lasting differences of pods that are allowed for, as the judge does.
const PODS_DEVIATIONS: f64 = 2.0;

/// Windows that a watermark of two scrapes and the window itself are behind.
const WINDOWS_BEHIND: i32 = 3;

/// Windows of an episode, as the hub cuts them.
const WINDOWS_PER_EPISODE: i32 = 4;

/// A forecast beyond this is none.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// One step of a rollout in clusters that move together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The canary's part of the traffic, above 0 and below 1.
    pub canary_share: f64,
    /// Pods of the canary and of stable in each cluster.
    pub pods: (u32, u32),
    /// Clusters that are in this step together.
    pub clusters: u32,
}

/// Traffic of one cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Requests per second of both revisions together.
    pub requests_per_second: f64,
    /// Part of them that is bad on stable, from 0 to 1.
    pub bad_share: f64,
    /// Mean size of a batch of bad events, from 1.
    pub batch_mean: f64,
    /// Standard deviation of lasting differences between pods, of the logarithm of their rates.
    pub pod_sd: f64,
}

/// A metric of a judge, with traffic.
#[derive(Debug, Clone, Copy)]
pub struct Forecast<'a> {
    /// The judge.
    pub judge: &'a Judge,
    /// Its metric.
    pub metric: &'a MetricPlan,
    /// The traffic of each cluster.
    pub load: Load,
}

impl Forecast<'_> {
    /// How long the step takes to abort a release that fails `factor` times as often as stable;
    /// none when it is within what is tolerated, or would take more than 30 days.
    #[must_use]
    pub fn to_detect(&self, step: Step, factor: f64) -> Option<TimeDelta> {
        let Load { requests_per_second, bad_share, batch_mean, pod_sd } = self.load;
        let (canary, stable) = (f64::from(step.pods.0.max(1)), f64::from(step.pods.1.max(1)));
        let clusters = f64::from(step.clusters.max(1));
        let spread = pod_sd * (1.0 / canary + 1.0 / stable).sqrt() / clusters.sqrt();
        let tolerate = self.metric.margins.tolerate;
        // What is worse is worse by both: with few errors the difference is the higher hurdle.
        let ratio = tolerate.ratio.max(1.0 + tolerate.difference / bad_share);
        let null = ratio.max((PODS_DEVIATIONS * spread).exp());
        // No more than all requests can be bad.
        let actual = factor.min(1.0 / bad_share);
        if actual <= null || !(0.0..1.0).contains(&step.canary_share) {
            return None;
        }
        let information = planning::information(step.canary_share, actual, null);
        let nats = planning::nats_to_abort(self.judge.false_abort, self.metric.weight);
        let rate = requests_per_second * clusters;
        let counted = planning::seconds_to_abort(information, batch_mean, nats, rate, bad_share);
        // One episode of one cluster alone never decides; of several, a window may.
        let least = if step.clusters > 1 { self.window() } else { self.judge.episode };
        Some(span(counted)?.max(least) + self.behind())
    }

    /// How long the step takes to rule out a bad release, of one that is as good as stable; none
    /// when it would take more than 30 days.
    #[must_use]
    pub fn to_prove(&self, step: Step) -> Option<TimeDelta> {
        let Load { requests_per_second, bad_share, batch_mean, .. } = self.load;
        let rate = requests_per_second * f64::from(step.clusters.max(1)) * step.canary_share;
        let (rule_out, missed) = (self.metric.margins.rule_out, self.judge.missed);
        let bad = planning::canary_bad_to_promote(step.canary_share, rule_out.ratio, missed);
        let by_ratio = span(bad * batch_mean / (bad_share * rate));
        let requests =
            planning::requests_to_promote(bad_share, rule_out.difference, batch_mean, missed);
        let by_difference = requests.and_then(|requests| span(requests / rate));
        let soonest = by_ratio.into_iter().chain(by_difference).min()?;
        Some(soonest + self.behind())
    }

    /// The smallest difference of bad shares that so long a step without a bad request can rule
    /// out at a chance of 5 %.
    #[must_use]
    pub fn difference_shown(&self, step: Step, length: TimeDelta) -> f64 {
        let rate = self.load.requests_per_second * f64::from(step.clusters.max(1));
        let requests = rate * step.canary_share * length.as_seconds_f64();
        planning::difference_ruled_out(requests, self.load.batch_mean).min(1.0)
    }

    /// From the end of a window to its verdict.
    #[must_use]
    pub fn behind(&self) -> TimeDelta {
        self.window() * WINDOWS_BEHIND
    }

    fn window(&self) -> TimeDelta {
        self.judge.episode / WINDOWS_PER_EPISODE
    }
}

/// So many seconds, where they can be lived to see.
fn span(seconds: f64) -> Option<TimeDelta> {
    if !(0.0..=LONGEST.as_seconds_f64()).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 30 days of seconds")]
    Some(TimeDelta::seconds(seconds.ceil() as i64))
}
