//! From the rounds of gates to the Analysis screen.

use std::sync::Arc;

use lockflight_analysis::{
    MetricVerdict, Verdict,
    judge::{ArmCounts, Judge, MetricStanding, Standing},
};
use lockflight_crds::VerdictState;
use lockflight_planner::Gate;

use super::{
    evidence::{
        AgainstBar, Arm, Balance, EvidenceFeed, EvidencePoint, Seen, SeriesFacts, SeriesKey,
    },
    view::SeriesKind,
};
use crate::{
    judgement::SCRAPE_HEALTH,
    metrics::{self, Asked, AskedKind},
    shelf::Key,
};

/// Name of the series of all comparisons together.
const TOGETHER: &str = "all comparisons";

/// The feed, for the gates of one Rollout.
#[derive(Debug, Clone)]
pub struct GateFeed {
    feed: Arc<EvidenceFeed>,
    rollout: Key,
}

impl GateFeed {
    /// The feed for the gates of a Rollout.
    #[must_use]
    pub fn new(feed: Arc<EvidenceFeed>, rollout: Key) -> Self {
        Self { feed, rollout }
    }

    /// Takes a round of a gate.
    pub fn take(&self, gate: &Gate, judge: &Judge, round: &metrics::Evidence) {
        for (metric, facts, seen) in series(&gate.member.0, gate.attempt, judge, round) {
            let point = seen.map(|seen| EvidencePoint {
                at: round.judged_at,
                step: u32::try_from(gate.step).unwrap_or(u32::MAX),
                verdict: facts.verdict,
                seen,
            });
            let key = SeriesKey {
                namespace: self.rollout.namespace.clone(),
                rollout: self.rollout.name.clone(),
                cluster: gate.member.0.clone(),
                metric,
            };
            self.feed.push(key, facts, point);
        }
        if let Some(compared) = &round.compared {
            self.feed.stand(&self.rollout, gate.attempt, round.judged_at, &compared.standing);
        }
    }

    /// The Rollout is gone.
    pub fn forget(&self) {
        self.feed.forget(&self.rollout.namespace, &self.rollout.name);
    }
}

type Named = (String, SeriesFacts, Option<Seen>);

/// Every series of a round.
fn series(cluster: &str, attempt: i64, judge: &Judge, round: &metrics::Evidence) -> Vec<Named> {
    let standing = round.compared.as_ref().map(|compared| &compared.standing);
    let metrics = round.asked.iter().zip(&round.gate.metrics);
    let mut series: Vec<Named> = metrics
        .map(|(asked, verdict)| metric(cluster, attempt, judge, standing, asked, verdict))
        .collect();
    if let Some(standing) = standing {
        series.push(together(attempt, round, standing));
        series.extend(scrape_health(cluster, attempt, judge, standing));
    }
    series
}

fn metric(
    cluster: &str,
    attempt: i64,
    judge: &Judge,
    standing: Option<&Standing>,
    asked: &Asked,
    verdict: &MetricVerdict,
) -> Named {
    let facts = |kind| SeriesFacts {
        attempt,
        kind,
        informs: asked.informs,
        query: asked.query.clone(),
        limit: String::new(),
        bounds: asked.bounds.clone(),
        verdict: state(verdict.verdict),
        message: verdict.message.clone(),
    };
    let (facts, seen) = match asked.kind {
        AskedKind::Compared => {
            let own = standing
                .and_then(|standing| Some((standing, find(standing, &asked.key)?)))
                .map(|(standing, own)| compared(cluster, judge, standing, own));
            let facts = facts(SeriesKind::Comparison);
            // The sentence about all comparisons stands at their own series.
            let is_of_all = standing.is_some_and(|standing| standing.sentence == facts.message);
            let message = if is_of_all { String::new() } else { facts.message };
            let verdict = match &own {
                Some(Seen::Compared { balance, .. }) => until_shown(facts.verdict, balance),
                _ => facts.verdict,
            };
            (SeriesFacts { verdict, message, ..facts }, own)
        }
        AskedKind::Measured { is_new, value } => {
            let limit = verdict.limit.clone();
            (
                SeriesFacts { limit, ..facts(SeriesKind::Threshold) },
                is_new.then_some(Seen::Measured(value)),
            )
        }
    };
    (asked.key.to_string(), facts, seen)
}

fn together(attempt: i64, round: &metrics::Evidence, standing: &Standing) -> Named {
    let balance = Balance {
        abort: Some(AgainstBar { ln_e: standing.against_ln, bar: standing.against_bar_ln }),
        promote: in_favour(standing, standing.in_favour_ln),
    };
    let facts = SeriesFacts {
        attempt,
        kind: SeriesKind::Together,
        verdict: until_shown(state(round.gate.verdict), &balance),
        message: standing.sentence.clone(),
        ..SeriesFacts::default()
    };
    (TOGETHER.to_owned(), facts, Some(Seen::Together(balance)))
}

/// The scrapes of the pods themselves: no metric of a template, but one that can decide.
fn scrape_health(cluster: &str, attempt: i64, judge: &Judge, standing: &Standing) -> Option<Named> {
    let own = find(standing, SCRAPE_HEALTH)?;
    own.clusters.iter().find(|seen| *seen.name == *cluster)?;
    let seen = compared(cluster, judge, standing, own);
    let has_crossed = standing.crossed.is_some()
        && standing.metrics.iter().all(|other| other.against_ln <= own.against_ln);
    let facts = SeriesFacts {
        attempt,
        verdict: if has_crossed { VerdictState::Fail } else { VerdictState::Pass },
        message: "scrapes of the pods that failed".to_owned(),
        ..SeriesFacts::default()
    };
    Some((SCRAPE_HEALTH.to_owned(), facts, Some(seen)))
}

fn compared(cluster: &str, judge: &Judge, standing: &Standing, own: &MetricStanding) -> Seen {
    let here = own.clusters.iter().find(|seen| *seen.name == *cluster);
    let rates = here.map(|seen| seen.rates).unwrap_or_default();
    // The parts of the metrics are added up with their weights: this is the evidence at which one
    // takes the release back whatever the others show.
    let weight = weight(judge, &own.name).filter(|weight| *weight > 0.0);
    Seen::Compared {
        canary: arm(rates.canary),
        stable: arm(rates.stable),
        balance: Balance {
            abort: weight.map(|weight| AgainstBar {
                ln_e: own.against_ln,
                bar: standing.against_bar_ln - weight.ln(),
            }),
            promote: own.promotes.then(|| in_favour(standing, own.in_favour_ln)).flatten(),
        },
    }
}

/// What nothing speaks against has not passed: it watches until enough speaks in its favour.
fn until_shown(verdict: VerdictState, balance: &Balance) -> VerdictState {
    match (verdict, &balance.promote) {
        (VerdictState::Pass, Some(promote)) if promote.ln_e < promote.bar => VerdictState::Watch,
        (verdict, _) => verdict,
    }
}

/// Infinite where no metric promotes: then there is no bar to reach.
fn in_favour(standing: &Standing, ln_e: f64) -> Option<AgainstBar> {
    ln_e.is_finite().then_some(AgainstBar { ln_e, bar: standing.in_favour_bar_ln })
}

fn find<'s>(standing: &'s Standing, name: &str) -> Option<&'s MetricStanding> {
    standing.metrics.iter().find(|metric| *metric.name == *name)
}

fn weight(judge: &Judge, name: &str) -> Option<f64> {
    judge.metrics.iter().find(|plan| *plan.name == *name).map(|plan| plan.weight)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 events")]
fn arm(counts: ArmCounts) -> Arm {
    Arm { bad: counts.bad as f64, total: counts.events as f64 }
}

fn state(verdict: Verdict) -> VerdictState {
    match verdict {
        Verdict::Pass => VerdictState::Pass,
        Verdict::Watch => VerdictState::Watch,
        Verdict::NoData => VerdictState::NoData,
        Verdict::Error => VerdictState::Error,
        Verdict::Fail => VerdictState::Fail,
    }
}

#[cfg(test)]
mod tests;
