//! The comparison metrics of a round: raw samples become windows, and windows evidence.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use lockflight_analysis::{
    MetricVerdict, Verdict,
    judge::{Arm, ArmCounts, Catastrophe, MetricStanding, Observation, Scope, Standing},
    reading::{self, Cursor},
};

use super::{
    comparison::Comparison,
    plan::{PlannedMetric, Question},
    recent,
    round::{Round, unjudged},
    state::{Compared, GateState, Reader},
};
use crate::judgement::{Judgement, SCRAPE_HEALTH, StepCount};

/// Windows of an episode: it takes several for the cap on one episode to mean anything.
pub(super) const WINDOWS_PER_EPISODE: i32 = 4;

/// What the comparison metrics of a round have come to.
#[derive(Default)]
pub(super) struct Comparing {
    verdicts: BTreeMap<usize, MetricVerdict>,
    /// What all of them together have shown.
    pub(super) compared: Option<Compared>,
    /// Whether a failure is the whole fleet's.
    pub(super) fleet: bool,
}

impl Comparing {
    /// The verdict of a metric.
    pub(super) fn verdict(&self, planned: &PlannedMetric<'_>) -> MetricVerdict {
        let verdict = self.verdicts.get(&planned.place).cloned();
        verdict.unwrap_or_else(|| unjudged(planned.metric, Verdict::Error, "was not compared"))
    }
}

/// Reads and judges the comparison metrics. Without `usable` answers the evidence stands still.
pub(super) fn compare(
    round: &Round<'_>,
    plan: &[PlannedMetric<'_>],
    state: &mut GateState,
    judgement: &Judgement,
    usable: bool,
) -> Comparing {
    let mut comparing = Comparing::default();
    if !usable {
        return comparing;
    }
    let mut pass = Pass {
        round,
        judgement,
        observations: Vec::new(),
        health_read: false,
        unhealthy: BTreeMap::new(),
    };
    let mut read = Vec::new();
    for planned in plan {
        match &planned.question {
            Question::Compare(_, comparison) => {
                let reader = state.readers.entry(planned.key.clone()).or_default();
                let found = pass.read(planned, comparison, reader);
                read.push((planned, found, reader.step));
            }
            Question::Count(_, comparison) => {
                let verdict = count(round, planned, comparison);
                comparing.verdicts.insert(planned.place, verdict);
            }
            Question::Threshold(_) | Question::NotDue(_) | Question::Waits => {}
        }
    }
    if read.is_empty() {
        return comparing;
    }
    let standing = judgement.take(std::mem::take(&mut pass.observations));
    let here = standing.crossed.as_ref().is_some_and(|scope| match scope {
        Scope::Fleet => true,
        Scope::Cluster(cluster) => **cluster == *round.request.cluster,
    });
    comparing.fleet = standing.crossed == Some(Scope::Fleet);
    let decisive = here.then(|| decisive(&standing, plan)).flatten();
    let mut step: Option<StepCount> = None;
    for (planned, found, seen) in &read {
        // No step waits for what only informs.
        if planned.metric.decides() {
            step = Some(step.map_or(*seen, |step| step.and(*seen)));
        }
        if let Some(verdict) = pass.unhealthy.remove(&planned.place) {
            comparing.verdicts.insert(planned.place, verdict);
            continue;
        }
        let failed = decisive.as_ref().filter(|(place, _)| *place == planned.place);
        let verdict = match (found, failed) {
            (Err(verdict), None) => verdict.clone(),
            (_, failed) => {
                let level = level_of(planned, judgement, &round.request.cluster);
                judged(planned, &standing, failed.map(|(_, by)| *by), (*seen, level))
            }
        };
        comparing.verdicts.insert(planned.place, verdict);
    }
    comparing.compared = step.map(|step| Compared { standing, step });
    comparing
}

/// One pass over the metrics.
struct Pass<'a> {
    round: &'a Round<'a>,
    judgement: &'a Judgement,
    observations: Vec<Observation>,
    /// The pods' scrapes are those of every metric; one of them is enough.
    health_read: bool,
    /// Verdicts of metrics by which stable itself is unwell, by their place.
    unhealthy: BTreeMap<usize, MetricVerdict>,
}

impl Pass<'_> {
    /// Reads one metric: its new windows, or why it cannot be judged now.
    fn read(
        &mut self,
        planned: &PlannedMetric<'_>,
        comparison: &Comparison,
        reader: &mut Reader,
    ) -> Result<(), MetricVerdict> {
        let name = &planned.metric.name;
        let unread = |verdict: Verdict, message: &str| {
            unjudged(planned.metric, verdict, &format!("{name}: {message}"))
        };
        let samples = self
            .round
            .samples(planned.place)
            .map_err(|message| unread(Verdict::Error, &message))?;
        let answers = comparison
            .source
            .answers(samples)
            .ok_or_else(|| unread(Verdict::Error, "was not answered in full"))?;
        let request = self.round.request;
        let settings = reading::Settings {
            window_min: self.judgement.judge().episode / WINDOWS_PER_EPISODE,
            ..comparison.reading.clone()
        };
        if reader.mark != comparison.mark {
            // The template was edited: what was read of other series tells nothing about these.
            reader.mark.clone_from(&comparison.mark);
            reader.cursor = Cursor::default();
        }
        if reader.cursor == Cursor::default() {
            reader.cursor = self.resumed(planned, &request.cluster);
        }
        let read = reading::read(
            &reader.cursor,
            &reading::Round {
                settings: &settings,
                pods: &request.pods,
                answers: &answers,
                since: request.opened_at,
                skew: TimeDelta::zero(),
            },
        );
        reader.cursor = read.cursor;
        if let Some(level) = reader.cursor.level() {
            let name = comparison.level_name(&planned.key);
            self.judgement.keep_level(&name, &request.cluster, level);
        }
        reader.newest = recent::newest_of_canary(&answers, &settings.split, &request.pods);
        reader.interval = recent::interval(&answers).or(reader.interval);
        let cluster: lockflight_analysis::judge::ClusterName = request.cluster.as_str().into();
        let first_stream = read.windows.iter().filter(|window| window.stream == 0);
        for window in first_stream {
            let (canary, _) = window.window.arms();
            let events = comparison.counts_events().then_some(canary.events);
            reader.step.add(window.window.ends_at - window.window.length, events);
        }
        self.observations.extend(read.windows.into_iter().map(|found| Observation {
            metric: planned.key.clone(),
            stream: found.stream,
            cluster: cluster.clone(),
            window: found.window,
        }));
        if !self.health_read && !read.health.is_empty() {
            self.health_read = true;
            self.observations.extend(read.health.into_iter().map(|window| Observation {
                metric: SCRAPE_HEALTH.into(),
                stream: 0,
                cluster: cluster.clone(),
                window,
            }));
        }
        let span = self.judgement.judge().episode;
        let counts = recent::counts(&answers, &comparison.reading.split, self.round, span);
        if let Some((canary, stable)) = counts {
            if let Some(verdict) = unhealthy(planned, comparison.stable_health, canary, stable) {
                self.unhealthy.insert(planned.place, verdict);
            }
            if let Some(verdict) = catastrophe(planned, canary, stable) {
                return Err(verdict);
            }
        }
        match read.gap {
            None => Ok(()),
            Some(gap) => Err(unread(gap.verdict(), &gap.to_string())),
        }
    }
}

impl Pass<'_> {
    /// A cursor for a metric that this hub has not read yet: it goes on where the evidence ends.
    fn resumed(&self, planned: &PlannedMetric<'_>, cluster: &str) -> Cursor {
        let counted_until = self.judgement.counted_until(&planned.key, cluster);
        let cursor = counted_until.map_or_else(Cursor::default, Cursor::after);
        match level_of(planned, self.judgement, cluster) {
            Some(level) => cursor.with_level(level),
            None => cursor,
        }
    }
}

/// The level of a gauge that was reached in a cluster earlier in this attempt.
fn level_of(planned: &PlannedMetric<'_>, judgement: &Judgement, cluster: &str) -> Option<f64> {
    let name = planned.metric.comparison()?.level_name(&planned.key);
    judgement.level(&name, cluster)
}

/// What needs no statistics: most of the canary's requests fail, and hardly any of stable's.
fn catastrophe(
    planned: &PlannedMetric<'_>,
    canary: ArmCounts,
    stable: ArmCounts,
) -> Option<MetricVerdict> {
    let name = &planned.metric.name;
    let (verdict, message) = match Catastrophe::look(canary, stable) {
        Catastrophe::None => return None,
        Catastrophe::Canary => (Verdict::Fail, "most of the canary's requests fail"),
        Catastrophe::Both => {
            (Verdict::Watch, "most requests of both revisions fail; nothing can be told apart")
        }
    };
    Some(MetricVerdict {
        metric: name.clone(),
        verdict,
        observed: share(canary),
        limit: format!("stable: {}", share(stable)),
        samples: Some(canary.events),
        message: format!("{name}: {message}: {} (stable: {})", share(canary), share(stable)),
    })
}

/// Stable's own bad share is beyond what its template allows. The windows still count: that both
/// revisions suffer cancels out in them, and to leave them out by what stable shows would not be
/// fair to the canary.
fn unhealthy(
    planned: &PlannedMetric<'_>,
    limit: Option<f64>,
    canary: ArmCounts,
    stable: ArmCounts,
) -> Option<MetricVerdict> {
    let limit = limit?;
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^52")]
    let is_unwell = stable.bad as f64 > limit * stable.events as f64;
    let name = &planned.metric.name;
    is_unwell.then(|| MetricVerdict {
        metric: name.clone(),
        verdict: Verdict::NoData,
        observed: format!("stable: {}", share(stable)),
        limit: format!("stableHealth: {limit}"),
        samples: Some(canary.events),
        message: format!(
            "{name}: stable itself is unwell, {} (stableHealth is {limit}): the release waits",
            share(stable)
        ),
    })
}

fn share(counts: ArmCounts) -> String {
    format!("{} of {} events bad", counts.bad, counts.events)
}

/// All traffic is on the canary: its events are counted, not compared.
fn count(round: &Round<'_>, planned: &PlannedMetric<'_>, comparison: &Comparison) -> MetricVerdict {
    let name = &planned.metric.name;
    let samples = match round.samples(planned.place) {
        Ok([samples]) => samples,
        Ok(_) => return unjudged(planned.metric, Verdict::Error, "was not answered in full"),
        Err(message) => {
            return unjudged(planned.metric, Verdict::Error, &format!("{name}: {message}"));
        }
    };
    if !comparison.counts_events() {
        let message =
            format!("{name}: stable carries no traffic: there is nothing to compare with");
        return unjudged(planned.metric, Verdict::Pass, &message);
    }
    let events = recent::events(samples, &comparison.reading.split, round, Arm::Canary);
    MetricVerdict {
        samples: Some(events),
        ..unjudged(
            planned.metric,
            Verdict::Pass,
            "stable carries no traffic: events are counted, not compared",
        )
    }
}

/// The metric that shows most against the release, and the place under which it is reported.
fn decisive<'s>(
    standing: &'s Standing,
    plan: &[PlannedMetric<'_>],
) -> Option<(usize, &'s MetricStanding)> {
    let worst = standing.worst()?;
    let compared = |planned: &&PlannedMetric<'_>| {
        matches!(planned.question, Question::Compare(..)) && planned.metric.decides()
    };
    let own = plan.iter().filter(compared).find(|planned| planned.key == worst.name);
    // The health of the scrapes is no metric of the template: any of them stands for it.
    let place = own.or_else(|| plan.iter().find(compared))?.place;
    Some((place, worst))
}

fn counts_events(planned: &PlannedMetric<'_>) -> bool {
    planned.metric.comparison().is_some_and(Comparison::counts_events)
}

fn judged(
    planned: &PlannedMetric<'_>,
    standing: &Standing,
    failed_by: Option<&MetricStanding>,
    (seen, level): (StepCount, Option<f64>),
) -> MetricVerdict {
    let own = standing.metrics.iter().find(|metric| metric.name == planned.key);
    let shown = failed_by.or(own);
    if failed_by.is_none() && seen.windows == 0 {
        let message = format!("{}: waits for its first measured window", planned.metric.name);
        return MetricVerdict {
            samples: counts_events(planned).then_some(0),
            ..unjudged(planned.metric, Verdict::Watch, &message)
        };
    }
    // The health of the scrapes may be reported under any metric.
    let comparison =
        planned.metric.comparison().filter(|_| failed_by.is_none_or(|by| own == Some(by)));
    let share = |counts: ArmCounts| match comparison.and_then(|own| own.level_or(level)) {
        Some(level) => format!("{} of {} windows of pods above {level}", counts.bad, counts.events),
        None => share(counts),
    };
    MetricVerdict {
        metric: planned.metric.name.clone(),
        verdict: if failed_by.is_some() { Verdict::Fail } else { Verdict::Pass },
        observed: shown.map(|metric| share(metric.rates.canary)).unwrap_or_default(),
        limit: shown
            .map(|metric| format!("stable: {}", share(metric.rates.stable)))
            .unwrap_or_default(),
        samples: seen.events,
        message: standing.sentence.clone(),
    }
}
