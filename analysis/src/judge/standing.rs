//! Where the evidence stands, as numbers and as a sentence.

use std::collections::BTreeMap;

use super::attempts;
use super::change_point::{log_add, log_mean};
use super::evidence::{Evidence, Place, Stream};
use super::increments::{BELOW, absolute_drift, float};
use super::live::Totals;
use super::settings::{Calibration, Judge, MetricPlan};
use super::window::{ArmCounts, ClusterName, MetricName};
use crate::figures::{percent, short, whole};

/// Part of the evidence that the clusters give together; the rest is the mean of each alone,
/// for a release that is bad in one place.
pub(super) const TOGETHER: f64 = 0.9;

/// How far an abort has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// What the clusters show together.
    Fleet,
    /// What this one shows alone.
    Cluster(ClusterName),
}

/// Where the evidence stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// `ln E` against the release, now.
    pub against_ln: f64,
    /// At which `against_ln` it is taken back.
    pub against_bar_ln: f64,
    /// Set once the bar is reached: how far the abort goes.
    pub crossed: Option<Scope>,
    /// `ln E` in the release's favour: the least over the metrics. Infinite without metrics.
    pub in_favour_ln: f64,
    /// At which `in_favour_ln` the last step may end.
    pub in_favour_bar_ln: f64,
    /// Each metric, in the judge's order.
    pub metrics: Vec<MetricStanding>,
    /// All of it in a sentence.
    pub sentence: String,
}

/// Part of the way to the bar, in logarithms, from which evidence against a release is what a
/// person has to know, whatever else is still missing.
const SUSPICIOUS: f64 = 0.5;

impl Standing {
    /// Whether the evidence against the release nears its bar, or has reached it.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        self.crossed.is_some() || self.against_ln >= SUSPICIOUS * self.against_bar_ln
    }

    /// The metric that adds most to the evidence against the release. One that only informs adds
    /// nothing, however bad it looks.
    #[must_use]
    pub fn worst(&self) -> Option<&MetricStanding> {
        let adds = |metric: &MetricStanding| metric.weight.ln() + metric.against_ln;
        let adding = self.metrics.iter().filter(|metric| metric.weight > 0.0);
        adding.max_by(|a, b| adds(a).total_cmp(&adds(b)))
    }
}

/// Where a metric stands.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricStanding {
    /// Its name.
    pub name: MetricName,
    /// Its part in the sum of the evidence against the release; 0 where it only informs.
    pub weight: f64,
    /// `ln E` against the release, of this metric alone.
    pub against_ln: f64,
    /// `ln E` in its favour.
    pub in_favour_ln: f64,
    /// Whether a promotion waits for it.
    pub promotes: bool,
    /// Both revisions over all clusters and streams.
    pub rates: Rates,
    /// Canary events with none bad among them that would promote it, from now on.
    pub needed_events: u64,
    /// Each cluster that has been judged.
    pub clusters: Vec<ClusterStanding>,
}

/// Where a metric stands in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterStanding {
    /// Its name.
    pub name: ClusterName,
    /// `ln E` against the release of this cluster alone.
    pub against_ln: f64,
    /// Both revisions there.
    pub rates: Rates,
}

/// Events of both revisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of the revision on trial.
    pub canary: ArmCounts,
    /// Of the one beside it.
    pub stable: ArmCounts,
}

impl Rates {
    fn add(&mut self, canary: Totals, stable: Totals) {
        let sum = |into: &mut ArmCounts, of: Totals| {
            into.bad = into.bad.saturating_add(of.bad);
            into.events = into.events.saturating_add(of.events);
        };
        sum(&mut self.canary, canary);
        sum(&mut self.stable, stable);
    }
}

/// `ln E` of one metric, with its parts.
struct Against {
    fleet: f64,
    /// Clusters whose steps are under way: only there can an abort of one place be meant.
    live: Vec<ClusterName>,
    clusters: BTreeMap<ClusterName, f64>,
    all: f64,
}

impl Judge {
    /// Where the evidence stands.
    #[must_use]
    pub fn standing(&self, evidence: &Evidence) -> Standing {
        let against: Vec<(f64, Against)> =
            self.metrics.iter().map(|plan| (plan.weight, self.against(evidence, plan))).collect();
        let metrics: Vec<MetricStanding> = self
            .metrics
            .iter()
            .zip(&against)
            .map(|(plan, (_, against))| self.metric(evidence, plan, against))
            .collect();
        let against_ln = sum(against.iter().map(|(weight, part)| weight.ln() + part.all));
        let against_bar_ln = self.bar_ln(evidence);
        let crossed = (against_ln >= against_bar_ln).then(|| scope(&against));
        let deciding = self.metrics.iter().zip(&metrics).filter(|(plan, _)| plan.promotes);
        let in_favour_ln =
            deciding.map(|(_, metric)| metric.in_favour_ln).fold(f64::INFINITY, f64::min);
        let mut standing = Standing {
            against_ln,
            against_bar_ln,
            crossed,
            in_favour_ln,
            in_favour_bar_ln: -self.missed.ln(),
            metrics,
            sentence: String::new(),
        };
        standing.sentence = sentence(&standing);
        standing
    }

    /// At which `ln E` against the release it is taken back in this attempt.
    pub(super) fn bar_ln(&self, evidence: &Evidence) -> f64 {
        -(self.false_abort * attempts::part(evidence.attempts)).ln()
    }

    fn against(&self, evidence: &Evidence, plan: &MetricPlan) -> Against {
        let streams = streams(evidence, plan);
        // A stream that has not been looked at counts as 1, like a cluster that has not started.
        let unseen = plan.streams().saturating_sub(streams.len());
        let mean = |values: &dyn Fn(&Stream) -> f64| {
            let seen = streams.iter().map(|stream| values(stream));
            log_mean(seen.chain(std::iter::repeat_n(0.0, unseen))).unwrap_or(0.0)
        };
        let fleet = mean(&|stream| least(stream.fleet.log_evidence()));
        let clusters: BTreeMap<ClusterName, f64> = self
            .clusters
            .iter()
            .map(|cluster| (cluster.clone(), mean(&|stream| of_cluster(stream, cluster))))
            .collect();
        // A cluster that has not started counts as 1: who is mean over those that started could
        // win by choosing when to look.
        let single = log_mean(clusters.values().copied()).unwrap_or(0.0);
        let all = if clusters.len() == 1 {
            single
        } else {
            log_add(TOGETHER.ln() + fleet, (1.0 - TOGETHER).ln() + single)
        };
        let under_way = |cluster: &&ClusterName| {
            streams
                .iter()
                .any(|stream| matches!(stream.clusters.get(&***cluster), Some(Place::Live(_))))
        };
        let live = clusters.keys().filter(under_way).cloned().collect();
        Against { fleet, live, clusters, all }
    }

    fn metric(&self, evidence: &Evidence, plan: &MetricPlan, against: &Against) -> MetricStanding {
        let streams = streams(evidence, plan);
        let in_favour_ln =
            streams.iter().map(|stream| stream.fleet.promote).fold(f64::INFINITY, f64::min);
        // Nothing measured is nothing shown.
        let in_favour_ln = if streams.is_empty() { 0.0 } else { in_favour_ln };
        let mut rates = Rates::default();
        let mut clusters: BTreeMap<ClusterName, Rates> = BTreeMap::new();
        // The streams of a histogram count the same events at other edges: the first is enough.
        for (name, place) in streams.first().into_iter().flat_map(|stream| &stream.clusters) {
            let (canary, stable) = totals(place);
            rates.add(canary, stable);
            clusters.entry(name.as_str().into()).or_default().add(canary, stable);
        }
        MetricStanding {
            name: plan.name.clone(),
            weight: plan.weight,
            against_ln: against.all,
            in_favour_ln,
            promotes: plan.promotes,
            rates,
            needed_events: needed(plan, -self.missed.ln() - in_favour_ln),
            clusters: clusters
                .into_iter()
                .map(|(name, rates)| ClusterStanding {
                    against_ln: against.clusters.get(&name).copied().unwrap_or(0.0),
                    name,
                    rates,
                })
                .collect(),
        }
    }
}

/// The streams that have been looked at: a histogram may have fewer edges than it could.
fn streams<'e>(evidence: &'e Evidence, plan: &MetricPlan) -> Vec<&'e Stream> {
    let streams = evidence.metrics.get(&*plan.name).map_or(&[][..], Vec::as_slice);
    streams.iter().filter(|stream| stream.is_seen()).collect()
}

fn least((ratio, difference): (f64, f64)) -> f64 {
    ratio.min(difference)
}

fn of_cluster(stream: &Stream, cluster: &str) -> f64 {
    match stream.clusters.get(cluster) {
        Some(Place::Live(live)) => least(live.log_evidence()),
        Some(Place::Finished { ratio, difference, .. }) => ratio.min(*difference),
        None => 0.0,
    }
}

fn totals(place: &Place) -> (Totals, Totals) {
    match place {
        Place::Live(live) => (live.canary, live.stable),
        Place::Finished { canary, stable, .. } => (*canary, *stable),
    }
}

/// `ln Σ exp`.
fn sum(logs: impl IntoIterator<Item = f64>) -> f64 {
    logs.into_iter().fold(f64::NEG_INFINITY, log_add)
}

/// Which part has decided: what the clusters show together, or the one that shows most alone.
fn scope(against: &[(f64, Against)]) -> Scope {
    let fleet = sum(against.iter().map(|(weight, part)| (weight * TOGETHER).ln() + part.fleet));
    let mut alone: BTreeMap<&ClusterName, f64> = BTreeMap::new();
    for (weight, part) in against {
        let count = part.clusters.len().max(1);
        #[expect(clippy::cast_precision_loss, reason = "clusters are few")]
        let share = weight * (1.0 - TOGETHER) / count as f64;
        for (cluster, log) in part.clusters.iter().filter(|(name, _)| part.live.contains(name)) {
            let entry = alone.entry(cluster).or_insert(f64::NEG_INFINITY);
            *entry = log_add(*entry, share.ln() + log);
        }
    }
    match alone.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
        Some((cluster, log)) if log > fleet => Scope::Cluster(cluster.clone()),
        _ => Scope::Fleet,
    }
}

/// Canary events without a bad one that add `missing_ln` to the evidence in favour.
fn needed(plan: &MetricPlan, missing_ln: f64) -> u64 {
    let batch_mean = Calibration::default().batch_mean;
    let per_event = absolute_drift(plan.margins.rule_out.difference, BELOW[0], batch_mean);
    if per_event > 0.0 { whole((missing_ln.max(0.0) / per_event).ceil()) } else { 0 }
}

/// Evidence as people read it: beyond a million and below a hundredth nobody counts.
pub(super) fn times(log: f64) -> String {
    const MOST: f64 = 1e6;
    const LEAST: f64 = 0.01;
    if log > MOST.ln() {
        "over a million".to_owned()
    } else if log < LEAST.ln() {
        "less than 0.01".to_owned()
    } else {
        short(log.exp())
    }
}

fn sentence(standing: &Standing) -> String {
    // What no promotion waits for is named only where there is nothing else.
    let promoting = standing.metrics.iter().filter(|metric| metric.promotes);
    let weakest = promoting
        .min_by(|a, b| a.in_favour_ln.total_cmp(&b.in_favour_ln))
        .or_else(|| standing.metrics.first());
    let share = |counts: ArmCounts| percent(float(counts.bad) / float(counts.events.max(1)));
    let both = |metric: &MetricStanding| {
        let Rates { canary, stable } = metric.rates;
        // They are of all clusters, and more than the cluster beside them has had.
        let places = match metric.clusters.len() {
            0 | 1 => String::new(),
            clusters => format!(" in {clusters} clusters"),
        };
        let of_canary = format!("{} of the canary's {} events", share(canary), canary.events);
        match (canary.events, stable.events) {
            (0, _) => "the canary has had no events yet".to_owned(),
            (_, 0) => format!("{of_canary}{places} are bad, stable has had none"),
            (_, _) => format!("{of_canary}{places} are bad, {} of stable's", share(stable)),
        }
    };
    match (standing.worst(), weakest) {
        (Some(worst), _) if standing.is_suspicious() => format!(
            "{}: {}; evidence that it is worse: {} (taken back at {})",
            worst.name,
            both(worst),
            times(standing.against_ln),
            times(standing.against_bar_ln)
        ),
        (_, Some(weakest)) if standing.in_favour_ln < standing.in_favour_bar_ln => format!(
            "{}: {}; evidence that it is good: {} of {}, about {} more canary events without a bad one",
            weakest.name,
            both(weakest),
            times(weakest.in_favour_ln),
            times(standing.in_favour_bar_ln),
            weakest.needed_events
        ),
        (_, Some(weakest)) => format!(
            "{}: {}; evidence that it is good: {}",
            weakest.name,
            both(weakest),
            times(weakest.in_favour_ln)
        ),
        (_, None) => "no comparison metric".to_owned(),
    }
}
