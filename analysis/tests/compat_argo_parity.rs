//! Argo's tables a second time, from the whole history of a metric instead of from counters,
//! and random sequences on which both have to agree.

#![allow(clippy::expect_used, reason = "a test may stop at what cannot be")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::compat::argo::{
    Conditions, Consequence, MetricRule, MetricState, Phase, Run, RunMetric,
};

const SEQUENCES: u64 = 120_000;
const RUNS: u64 = 20_000;

/// A small generator with a fixed start (SplitMix64): the same sequences in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }

    fn rule(&mut self) -> MetricRule {
        MetricRule {
            count: self.pick(&[None, Some(0), Some(1), Some(3), Some(5)]),
            interval: self.pick(&[
                None,
                Some(Duration::from_secs(30)),
                Some(Duration::from_secs(5)),
            ]),
            initial_delay: self.pick(&[Duration::ZERO, Duration::from_secs(90)]),
            failure_limit: self.pick(&[-1, 0, 0, 1, 3]),
            inconclusive_limit: self.pick(&[0, 0, 1, 2]),
            consecutive_error_limit: self.pick(&[4, 4, 0, 1]),
            consecutive_success_limit: self.pick(&[0, 0, 0, 1, 2, 4]),
        }
    }

    fn outcome(&mut self) -> Phase {
        use Phase::{Error, Failed, Inconclusive, Running, Successful};
        self.pick(&[
            Successful,
            Successful,
            Successful,
            Successful,
            Failed,
            Inconclusive,
            Error,
            Error,
            Running,
        ])
    }
}

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// All measurements so far. A Running one at the end is in flight.
type History = Vec<(Phase, DateTime<Utc>)>;

fn number(history: &History, phase: Phase) -> i64 {
    i64::try_from(history.iter().filter(|(p, _)| *p == phase).count()).expect("small")
}

fn tail(history: &History, phase: Phase) -> i64 {
    i64::try_from(history.iter().rev().take_while(|(p, _)| *p == phase).count()).expect("small")
}

fn results(history: &History) -> i64 {
    [Phase::Successful, Phase::Failed, Phase::Inconclusive].map(|p| number(history, p)).iter().sum()
}

fn wanted(rule: &MetricRule) -> i64 {
    match (rule.count.unwrap_or(0), rule.interval) {
        (0, None) => 1,
        (0, Some(_)) => i64::MAX,
        (count, _) => i64::from(count),
    }
}

/// The table: rows from the weakest to the strongest, the last row that applies counts.
fn expected(rule: &MetricRule, history: &History, terminating: bool) -> Phase {
    let enough = results(history) >= wanted(rule);
    let early = rule.consecutive_success_limit > 0;
    let empty = history.is_empty();
    let rows: [(bool, Phase); 11] = [
        (true, Phase::Running),
        (terminating, Phase::Successful),
        (enough && !early, Phase::Successful),
        (enough && early && rule.failure_limit >= 0, Phase::Inconclusive),
        (enough && early && rule.failure_limit < 0, Phase::Failed),
        (
            early && tail(history, Phase::Successful) >= rule.consecutive_success_limit,
            Phase::Successful,
        ),
        (
            rule.failure_limit >= 0 && number(history, Phase::Failed) > rule.failure_limit,
            Phase::Failed,
        ),
        (number(history, Phase::Inconclusive) > rule.inconclusive_limit, Phase::Inconclusive),
        (tail(history, Phase::Error) > rule.consecutive_error_limit, Phase::Error),
        (history.last().is_some_and(|(p, _)| *p == Phase::Running), Phase::Running),
        (empty, if terminating { Phase::Successful } else { Phase::Pending }),
    ];
    rows.iter().rev().find(|(applies, _)| *applies).expect("the first row applies").1
}

fn expected_next(rule: &MetricRule, history: &History, phase: Phase) -> Option<DateTime<Utc>> {
    let seconds = |wait: Duration| TimeDelta::from_std(wait).expect("small");
    match history.last() {
        _ if !matches!(phase, Phase::Pending | Phase::Running) => None,
        None => Some(start() + seconds(rule.initial_delay)),
        Some((Phase::Running, _)) => None,
        Some((Phase::Error, at)) => Some(*at + TimeDelta::seconds(10)),
        Some((_, at)) => Some(*at + rule.interval.map_or(TimeDelta::seconds(10), seconds)),
    }
}

#[test]
fn every_sequence_gives_the_phases_of_the_table() {
    let mut random = Random(1);
    let mut decided = [0_u32; 6];
    for sequence in 0..SEQUENCES {
        let rule = random.rule();
        let ends_at = random.below(30);
        let (mut state, mut history) = (MetricState::default(), History::new());
        for step in 0..14 {
            let terminating = step >= ends_at;
            state.phase = state.assess(&rule, terminating);
            let phase = expected(&rule, &history, terminating);
            assert_eq!(state.phase, phase, "{sequence}/{step} {rule:?} {history:?}");
            if !terminating {
                let next = state.next_at(&rule, start(), false);
                assert_eq!(next, expected_next(&rule, &history, phase), "{rule:?} {history:?}");
            } else if phase.is_completed() {
                assert_eq!(state.next_at(&rule, start(), true), None);
            }
            if phase.is_completed() {
                break;
            }
            let outcome = random.outcome();
            let at = start() + TimeDelta::seconds(i64::try_from(step).expect("small") * 31);
            if history.last().is_some_and(|(p, _)| *p == Phase::Running) {
                history.pop();
            }
            history.push((outcome, at));
            if outcome == Phase::Running { state.begin() } else { state.record(outcome, at) }
        }
        // Nothing moves a metric that is decided.
        if state.phase.is_completed() {
            let before = state.clone();
            state.record(Phase::Failed, start());
            state.begin();
            assert_eq!(state, before);
        }
        decided[state.phase as usize] += 1;
    }
    assert!(
        decided.iter().enumerate().all(|(p, n)| *n > 100 || p == Phase::Pending as usize),
        "{decided:?}"
    );
}

/// The run as Argo reconciles it: one pass at a time, what ends a run seen in the next one.
fn reconcile(rules: &[(MetricRule, bool)], histories: &[History], phases: &mut [Phase]) -> Phase {
    use Phase::{Error, Failed, Inconclusive, Running, Successful};
    let mut terminating = false;
    for _ in 0..3 {
        terminating = (0..rules.len())
            .any(|i| !rules[i].1 && [Failed, Error, Inconclusive].contains(&phases[i]));
        for i in 0..rules.len() {
            if matches!(phases[i], Running | Phase::Pending) {
                phases[i] = expected(&rules[i].0, &histories[i], terminating);
            }
        }
    }
    assert!(!terminating || !phases.contains(&Phase::Pending));
    if phases.iter().any(|p| matches!(p, Running | Phase::Pending)) {
        return Running;
    }
    let counts = |phase: Phase| (0..rules.len()).any(|i| !rules[i].1 && phases[i] == phase);
    [Failed, Error, Inconclusive].into_iter().find(|p| counts(*p)).unwrap_or(Successful)
}

#[test]
fn every_run_gives_the_phases_of_its_reconciliations() {
    let mut random = Random(2);
    let mut seen = [0_u32; 6];
    for _ in 0..RUNS {
        let rules: Vec<_> =
            (0..=random.below(3)).map(|_| (random.rule(), random.below(4) == 0)).collect();
        let mut histories = vec![History::new(); rules.len()];
        let mut phases = vec![Phase::Pending; rules.len()];
        let metrics = rules.iter().map(|(rule, dry_run)| RunMetric {
            rule: rule.clone(),
            state: MetricState::default(),
            dry_run: *dry_run,
        });
        let mut run = Run { started_at: start(), metrics: metrics.collect(), terminate: false };
        for step in 0..12 {
            let phase = reconcile(&rules, &histories, &mut phases);
            let assessment = run.assess();
            assert_eq!(assessment.phase, phase, "{run:?}");
            seen[phase as usize] += 1;
            if phase.is_completed() {
                assert_eq!(assessment.next_at, None);
                break;
            }
            let at = start() + TimeDelta::seconds(step * 40);
            for i in 0..rules.len() {
                let in_flight = histories[i].last().is_some_and(|(p, _)| *p == Phase::Running);
                if phases[i].is_completed() || (assessment.terminating && !in_flight) {
                    continue;
                }
                let outcome = random.outcome();
                if in_flight {
                    histories[i].pop();
                }
                histories[i].push((outcome, at));
                run.metrics[i].state.record(outcome, at);
            }
        }
    }
    assert!(
        seen.iter().enumerate().all(|(p, n)| *n > 100 || p == Phase::Pending as usize),
        "{seen:?}"
    );
}

#[test]
fn conditions_give_the_phases_of_the_table() {
    use Phase::{Failed, Inconclusive, Successful};
    let rows = [
        (None, None, Successful),
        (Some(true), None, Successful),
        (Some(false), None, Failed),
        (None, Some(true), Failed),
        (None, Some(false), Successful),
        (Some(true), Some(true), Failed),
        (Some(false), Some(true), Failed),
        (Some(true), Some(false), Successful),
        (Some(false), Some(false), Inconclusive),
    ];
    for (success, failure, phase) in rows {
        assert_eq!(Conditions::phase_of(success, failure), phase, "{success:?} {failure:?}");
    }
}

#[test]
fn a_run_has_its_consequence() {
    use Consequence::{Abort, GoOn, Pause, Wait};
    use Phase::{Error, Failed, Inconclusive, Pending, Running, Successful};
    let rows = [
        (Successful, GoOn),
        (Running, Wait),
        (Pending, Wait),
        (Inconclusive, Pause),
        (Error, Abort),
        (Failed, Abort),
    ];
    for (phase, consequence) in rows {
        assert_eq!(Consequence::from(phase), consequence);
    }
}
