//! A rollout whose steps end when enough is known: the judge's both sides, and the rules of
//! pacing.

use std::collections::VecDeque;

use lockflight_analysis::judge::{Evidence, Observation, Standing};

use super::trial::Trial;
use crate::{
    number::size,
    scenario::{CLUSTERS, WAVES},
    world::World,
};

/// `E` in favour below which an early step of a cluster waits; the last one asks for all of it.
const BAR_EARLY: f64 = 0.5;

/// `E` against the release from which on no early step ends.
const AGAINST_MAX: f64 = 3.0;

/// Every step needs so many counted windows and canary requests in each of its clusters.
const WINDOWS_MIN: u32 = 8;
const REQUESTS_MIN: u64 = 100;

/// An early step of the first wave waits no longer for its `E` in favour, seconds.
const STEP_MAX_S: f64 = 300.0;

/// A step that has not been decided after this time waits for a human, seconds.
const DEADLINE_S: f64 = 3600.0;

/// No run is longer, seconds.
const RUN_MAX_S: f64 = 12.0 * 3600.0;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All clusters have the release.
    Done,
    /// It was taken back.
    Aborted,
    /// Undecided: a human has to say.
    Paused,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// After so many minutes.
    pub minutes: f64,
    /// Bad requests that there would not have been without the release.
    pub harm: f64,
}

/// What a cluster of the wave has shown in the step.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    windows: u32,
    requests: u64,
}

/// Where the rollout is.
#[derive(Debug, Default)]
struct Place {
    wave: usize,
    step: usize,
    seen: [Seen; CLUSTERS],
    /// Time of the first counted window of the step.
    since_s: Option<f64>,
}

/// What a round has to wait for.
struct Unread {
    wave: usize,
    step: usize,
    round: Vec<(usize, Observation)>,
}

/// Runs once.
#[must_use]
pub fn run(trial: &Trial, key: &[u64]) -> Outcome {
    attempt(trial, key, 0, &mut Evidence::default())
}

/// Tries again while the release is taken back or undecided, as somebody might who wants it
/// through.
#[must_use]
pub fn retried(trial: &Trial, key: &[u64], attempts: u64) -> Outcome {
    let mut evidence = Evidence::default();
    let mut last = Outcome { end: End::Paused, minutes: 0.0, harm: 0.0 };
    for number in 0..attempts {
        let key = if number == 0 { key.to_vec() } else { [key, &[number]].concat() };
        last = attempt(trial, &key, number, &mut evidence);
        if last.end == End::Done {
            break;
        }
        evidence = evidence.next_attempt();
    }
    last
}

fn attempt(trial: &Trial, key: &[u64], number: u64, evidence: &mut Evidence) -> Outcome {
    let Trial { scenario, .. } = trial;
    let reader = trial.reader(key).attempt(number);
    reader.remember(evidence);
    let mut world = World::new(*scenario, key);
    let (mut place, mut queue) = (Place::default(), VecDeque::new());
    let mut harm = 0.0;
    let windows = crate::number::index(RUN_MAX_S / scenario.scrape_s);
    for window in 0..windows {
        let now_s = size(window) * scenario.scrape_s;
        let after_s = now_s + scenario.scrape_s;
        let mut round = Vec::new();
        for (wave, cluster) in
            WAVES.iter().enumerate().flat_map(|(w, all)| all.iter().map(move |c| (w, *c)))
        {
            let weight = match wave.cmp(&place.wave) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => scenario.weights[place.step],
                std::cmp::Ordering::Greater => continue,
            };
            let seen = world.step(cluster, weight, now_s);
            harm += seen.excess;
            round.extend(reader.read(cluster, window, seen.pods).map(|read| (cluster, read)));
        }
        queue.push_back(Unread { wave: place.wave, step: place.step, round });
        if queue.len() <= reader.delay() {
            continue;
        }
        let Some(unread) = queue.pop_front() else { continue };
        place.count(&unread, after_s);
        let round = unread.round.into_iter().map(|(_, read)| read).collect();
        reader.observe(evidence, round);
        let standing = reader.judge.standing(evidence);
        let end = |end| Outcome { end, minutes: after_s / 60.0, harm };
        if standing.crossed.is_some() {
            return end(End::Aborted);
        }
        let dwell_s = place.since_s.map_or(0.0, |since_s| after_s - since_s);
        let steps = scenario.weights.len();
        if place.is_sound() && place.may_go_on(&standing, dwell_s, steps) {
            if place.next(evidence, steps) {
                return end(End::Done);
            }
        } else if dwell_s >= DEADLINE_S {
            return end(End::Paused);
        }
    }
    Outcome { end: End::Paused, minutes: RUN_MAX_S / 60.0, harm }
}

impl Place {
    /// Counts what was read, where it was measured in this step.
    fn count(&mut self, unread: &Unread, now_s: f64) {
        if (unread.wave, unread.step) != (self.wave, self.step) {
            return;
        }
        for (cluster, read) in &unread.round {
            let requests = read.window.arms().0.events;
            // Without a request of the release nothing was compared.
            if let Some(seen) = self.seen.get_mut(*cluster).filter(|_| requests > 0) {
                seen.windows += 1;
                seen.requests += requests;
                self.since_s.get_or_insert(now_s);
            }
        }
    }

    /// Whether every cluster of the wave has been looked at long enough.
    fn is_sound(&self) -> bool {
        let seen = WAVES.get(self.wave).into_iter().copied().flatten();
        seen.map(|cluster| self.seen[*cluster])
            .all(|seen| seen.windows >= WINDOWS_MIN && seen.requests >= REQUESTS_MIN)
    }

    fn may_go_on(&self, standing: &Standing, dwell_s: f64, steps: usize) -> bool {
        if self.step + 1 >= steps {
            return standing.in_favour_ln >= standing.in_favour_bar_ln;
        }
        let is_late = self.wave == 0 && dwell_s >= STEP_MAX_S;
        let is_quiet = standing.against_ln < AGAINST_MAX.ln();
        is_quiet && (is_late || standing.in_favour_ln >= BAR_EARLY.ln())
    }

    /// Goes on to the next step; whether there is none.
    fn next(&mut self, evidence: &mut Evidence, steps: usize) -> bool {
        let mut wave = self.wave;
        let mut step = self.step + 1;
        if step >= steps {
            for cluster in WAVES.get(wave).into_iter().copied().flatten() {
                evidence.finish(super::NAMES[*cluster]);
            }
            (wave, step) = (wave + 1, 0);
        }
        *self = Self { wave, step, ..Self::default() };
        wave >= WAVES.len()
    }
}

/// Share of the runs that ended so.
#[must_use]
pub fn count(outcomes: &[Outcome], end: End) -> u64 {
    outcomes.iter().filter(|outcome| outcome.end == end).count() as u64
}

/// Minutes of the runs that ended so, in order.
#[must_use]
pub fn minutes(outcomes: &[Outcome], end: End) -> Vec<f64> {
    let ended = outcomes.iter().filter(|outcome| outcome.end == end);
    let mut minutes: Vec<f64> = ended.map(|outcome| outcome.minutes).collect();
    minutes.sort_by(f64::total_cmp);
    minutes
}

/// Mean harm.
#[must_use]
pub fn harms(outcomes: &[Outcome]) -> Vec<f64> {
    outcomes.iter().map(|outcome| outcome.harm).collect()
}

#[cfg(test)]
mod tests {
    use super::{End, Trial, run};
    use crate::{
        noise::Noise,
        ours::Rules,
        scenario::{Effect, Scenario, Traffic},
    };

    #[test]
    fn a_good_release_gets_through_and_a_bad_one_does_not() {
        let scenario = Scenario::new(Traffic::B, Noise::IDEAL);
        let good = run(&Trial::without_past(scenario, Rules::default()), &[1]);
        assert_eq!(good.end, End::Done, "{good:?}");
        let bad =
            run(&Trial::without_past(scenario.with(Effect::times(10.0)), Rules::default()), &[1]);
        assert_eq!(bad.end, End::Aborted, "{bad:?}");
    }
}
