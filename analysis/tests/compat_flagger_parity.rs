//! Flagger's tick a second time, as a list of verdicts of which the first decides, and random
//! ticks on which both have to agree.

#![allow(clippy::expect_used, reason = "a test may stop at what cannot be")]

use lockflight_analysis::compat::flagger::{
    AnalysisRule, Check, CheckKind, Decision, Limits, NoData, Reading, Stage, TickInput, TickState,
    tick,
};

const SEQUENCES: u64 = 100_000;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn check(&mut self) -> Check {
        use CheckKind::{InlineQuery, RequestDuration, RequestSuccessRate, Template};
        let bounds = [None, Some(99.0), Some(99.9), Some(500.5), Some(0.0)];
        let limits = if self.below(3) == 0 {
            Limits::Threshold(self.pick(&[0.0, 99.0, 500.9]))
        } else {
            Limits::Range { min: self.pick(&bounds), max: self.pick(&bounds) }
        };
        let kind = self.pick(&[RequestSuccessRate, RequestDuration, InlineQuery, Template]);
        Check { name: "m".to_owned(), kind, limits }
    }

    fn reading(&mut self) -> Reading {
        let value = self.pick(&[0.0, 98.9, 99.0, 99.95, 100.0, 500.4, 500.6, 501.0, f64::NAN]);
        match self.below(12) {
            0 => Reading::NoValues,
            1 => Reading::QueryFailed,
            _ => Reading::Value(value),
        }
    }
}

/// The failed checks after the tick and its decision, by the table's columns.
fn expected(rule: &AnalysisRule, failed: u32, input: &TickInput<'_>) -> (u32, Decision) {
    let counts_out = matches!(input.stage, Stage::Progressing | Stage::WaitingPromotion);
    let threshold = if rule.threshold == 0 { 1 } else { rule.threshold };
    let mut verdicts: Vec<(u32, Decision)> = Vec::new();
    if counts_out && failed >= threshold {
        verdicts.push((failed, Decision::Rollback));
    }
    for (i, passed) in input.webhooks.iter().enumerate() {
        if !passed {
            verdicts.push((failed + 1, Decision::HookFailed(i)));
        }
    }
    let mut values = 0;
    if input.has_traffic {
        let mut order: Vec<usize> = (0..rule.checks.len()).collect();
        order.sort_by_key(|i| rule.checks[*i].kind == CheckKind::Template);
        for i in order {
            match input.readings[i] {
                Reading::Value(value) if !value.is_nan() => {
                    values += 1;
                    if !allowed(&rule.checks[i], value) {
                        verdicts.push((failed + 1, Decision::CheckFailed(i)));
                    }
                }
                reading => match rule.no_data {
                    NoData::Fail => verdicts.push((failed + 1, Decision::CheckFailed(i))),
                    NoData::Ignore if reading != Reading::QueryFailed => {}
                    _ => verdicts.push((failed, Decision::Hold(i))),
                },
            }
        }
        let decay = if values + input.webhooks.len() > 0 { rule.failed_check_decay } else { 0 };
        verdicts.push((failed - decay.min(failed), Decision::Advance));
    }
    verdicts.push((failed, Decision::Advance));
    verdicts[0]
}

/// Bounds as a closed interval, the ends replaced where they are not set.
#[expect(clippy::cast_possible_truncation, reason = "whole milliseconds, as Flagger cuts them")]
fn allowed(check: &Check, value: f64) -> bool {
    let (low, high) = match (check.limits, check.kind) {
        (Limits::Range { min, max }, _) => (min.unwrap_or(f64::MIN), max.unwrap_or(f64::MAX)),
        (Limits::Threshold(t), CheckKind::RequestSuccessRate) => (t, f64::MAX),
        (Limits::Threshold(t), _) => (f64::MIN, t),
    };
    if check.kind == CheckKind::RequestDuration {
        let whole = |x: f64| x as i64;
        (whole(low)..=whole(high)).contains(&whole(value))
    } else {
        (low..=high).contains(&value)
    }
}

#[test]
fn every_sequence_gives_the_decisions_of_the_table() {
    let mut random = Random(7);
    let mut seen = [0_u32; 5];
    for _ in 0..SEQUENCES {
        let rule = AnalysisRule {
            checks: (0..random.below(4)).map(|_| random.check()).collect(),
            threshold: random.pick(&[0, 1, 2, 5]),
            failed_check_decay: random.pick(&[0, 0, 1, 2]),
            no_data: random.pick(&[NoData::Fail, NoData::Fail, NoData::Hold, NoData::Ignore]),
        };
        let mut state = TickState::default();
        for step in 0..10 {
            let webhooks: Vec<bool> = (0..random.below(3)).map(|_| random.below(10) > 0).collect();
            let readings: Vec<Reading> = rule.checks.iter().map(|_| random.reading()).collect();
            let at_stage = random.pick(&[
                Stage::Progressing,
                Stage::Progressing,
                Stage::WaitingPromotion,
                Stage::WaitingTrafficIncrease,
            ]);
            let input = TickInput {
                stage: at_stage,
                has_traffic: step > 0,
                webhooks: &webhooks,
                readings: &readings,
            };
            let (after, decision) = tick(&rule, state, &input);
            assert_eq!(
                (after.failed_checks, decision),
                expected(&rule, state.failed_checks, &input),
                "{rule:?} {state:?} {input:?}"
            );
            state = after;
            seen[match decision {
                Decision::Rollback => 0,
                Decision::Advance => 1,
                Decision::HookFailed(_) => 2,
                Decision::CheckFailed(_) => 3,
                Decision::Hold(_) => 4,
            }] += 1;
            if decision == Decision::Rollback {
                break;
            }
        }
    }
    assert!(seen.iter().all(|n| *n > 1000), "{seen:?}");
}

/// The three checks of Flagger's page "Metrics Analysis": a success rate of at least 99 %, a p99 of
/// at most 500 ms, and a template for 404s of at most 5 %. The page gives no readings: these are
/// ours. It says that a rate that reaches 5 % fails; what Flagger does is to fail what exceeds it.
#[test]
fn the_checks_of_flaggers_documentation() {
    use Decision::{Advance, CheckFailed, HookFailed, Rollback};
    use Reading::{NoValues, QueryFailed, Value};
    type Row = (&'static str, bool, bool, [Reading; 3], u32, u32, Decision);

    let check = |name: &str, kind, min, max| Check {
        name: name.to_owned(),
        kind,
        limits: Limits::Range { min, max },
    };
    let rule = AnalysisRule {
        checks: vec![
            check("404s percentage", CheckKind::Template, None, Some(5.0)),
            check("request-success-rate", CheckKind::RequestSuccessRate, Some(99.0), None),
            check("request-duration", CheckKind::RequestDuration, None, Some(500.0)),
        ],
        threshold: 2,
        failed_check_decay: 0,
        no_data: NoData::Fail,
    };
    let good = [Value(1.0), Value(99.5), Value(120.0)];
    let rows: [Row; 12] = [
        ("weight 0: no metrics", false, true, [NoValues; 3], 0, 0, Advance),
        ("weight 0: hooks count", false, false, good, 0, 1, HookFailed(0)),
        ("all good", true, true, good, 0, 0, Advance),
        ("a good tick forgives nothing", true, true, good, 1, 1, Advance),
        ("at the bounds", true, true, [Value(5.0), Value(99.0), Value(500.0)], 0, 0, Advance),
        ("cut to whole ms", true, true, [Value(5.0), Value(99.0), Value(500.9)], 0, 0, Advance),
        ("too slow", true, true, [Value(9.0), Value(99.0), Value(501.0)], 0, 1, CheckFailed(2)),
        (
            "templates come last",
            true,
            true,
            [Value(9.0), Value(98.0), Value(501.0)],
            0,
            1,
            CheckFailed(1),
        ),
        ("no traffic", true, true, [Value(1.0), NoValues, Value(1.0)], 0, 1, CheckFailed(1)),
        ("NaN", true, true, [Value(1.0), Value(f64::NAN), Value(1.0)], 0, 1, CheckFailed(1)),
        ("query error", true, true, [QueryFailed, Value(100.0), Value(1.0)], 1, 2, CheckFailed(0)),
        ("threshold at the next tick", true, true, good, 2, 2, Rollback),
    ];
    for (name, has_traffic, hook, readings, before, after, decision) in rows {
        let input = TickInput {
            stage: Stage::Progressing,
            has_traffic,
            webhooks: &[hook],
            readings: &readings,
        };
        let (state, got) = tick(&rule, TickState { failed_checks: before }, &input);
        assert_eq!((state.failed_checks, got), (after, decision), "{name}");
    }
}
