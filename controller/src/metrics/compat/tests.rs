use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{
    Verdict,
    compat::argo::{MetricRule, MetricState, Phase},
};
use lockflight_crds::AnalysisTemplateSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Answer;
use crate::metrics::{
    GateRequest, GateState, Subject, TemplateError,
    plan::{Question, plan},
    resolve,
    state::GateRequest as Request,
};

fn request(spec: &Value) -> Result<GateRequest, TemplateError> {
    let spec: AnalysisTemplateSpec = serde_json::from_value(spec.clone()).expect("a template");
    let subject = Subject { namespace: "shop", rollout: "checkout" };
    Ok(Request {
        namespace: "shop".to_owned(),
        rollout: "checkout".to_owned(),
        cluster: "eu-west-1".to_owned(),
        revision: "6f9d".to_owned(),
        opened_at: DateTime::UNIX_EPOCH,
        both_arms: true,
        pods: lockflight_analysis::reading::Pods::new(),
        analysis: vec![resolve("old", &spec, subject, &BTreeMap::new())?],
    })
}

pub(super) fn argo(name: &str, fields: &Value) -> Value {
    json!({"name": name, "threshold": {"query": name, "argo": fields}})
}

pub(super) fn flagger(name: &str, fields: &Value) -> Value {
    json!({"name": name, "threshold": {"query": name, "flagger": fields}})
}

/// A gate at a time of its own.
pub(super) struct Play {
    pub(super) request: GateRequest,
    pub(super) state: GateState,
}

impl Play {
    pub(super) fn new(spec: &Value) -> Self {
        Self { request: request(spec).expect("a sound template"), state: GateState::default() }
    }

    pub(super) fn metrics(metrics: &[Value]) -> Self {
        Self::new(&json!({"metrics": metrics}))
    }

    /// The step's weight comes into force at this second.
    pub(super) fn open(&mut self, second: i64) {
        self.request.opened_at = at(second);
    }

    /// A round at this second: who was asked, and each metric's verdict. `answers` are by metric;
    /// no values are an answer too, and who has none has an error.
    pub(super) fn round(
        &mut self,
        second: i64,
        answers: &[(&str, &[f64])],
    ) -> (String, Vec<Verdict>, Vec<String>) {
        self.state.turn_to(&self.request);
        let plan = plan(&self.request, &self.state, at(second));
        let asked: Vec<&str> = plan
            .iter()
            .filter(|planned| matches!(planned.question, Question::Threshold(_)))
            .map(|planned| planned.metric.name.as_str())
            .collect();
        let answers: BTreeMap<_, _> = answers.iter().copied().collect();
        let compat = &mut self.state.compat;
        let answer = |name: &str| {
            let values = answers.get(name).map(|values| Answer::Vector(values.to_vec()));
            values.ok_or_else(|| "http://prometheus cannot be reached".to_owned())
        };
        compat.take(
            &plan,
            |planned| {
                let name = planned.metric.name.as_str();
                asked.contains(&name).then(|| answer(name))
            },
            at(second),
        );
        let verdicts = plan.iter().filter_map(|planned| compat.verdict(planned));
        let (verdicts, messages) = verdicts.map(|v| (v.verdict, v.message)).unzip();
        (asked.join(" "), verdicts, messages)
    }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

/// Rounds of one metric `m` of Argo: the second, the answer, who is asked, the verdict.
type Round = (i64, Option<&'static [f64]>, &'static str, Verdict);

#[test]
fn a_metric_of_argo_decides_as_there() {
    use Verdict::{Error, Fail, NoData, Pass, Watch};
    let success = "result[0] >= 0.95";
    let cases: [(&str, Value, &[Round]); 8] = [
        (
            "one measurement where no interval is set",
            json!({"successCondition": success}),
            &[(0, Some(&[0.96]), "m", Pass), (60, Some(&[0.1]), "", Pass)],
        ),
        (
            "no failure is tolerated",
            json!({"successCondition": success}),
            &[(0, Some(&[0.1]), "m", Fail)],
        ),
        (
            "count, interval, initialDelay and failureLimit",
            json!({"successCondition": success, "interval": "60s", "count": 3, "initialDelay": "30s",
                "failureLimit": 1}),
            &[
                (0, Some(&[0.1]), "", Watch),
                (30, Some(&[0.1]), "m", Watch),
                (60, Some(&[0.1]), "", Watch),
                (90, Some(&[0.99]), "m", Watch),
                (150, Some(&[0.99]), "m", Pass),
            ],
        ),
        (
            "the fifth error in a row, 10 s apart",
            json!({"successCondition": success}),
            &[
                (0, None, "m", Error),
                (5, None, "", Error),
                (10, Some(&[]), "m", Error),
                (20, None, "m", Error),
                (30, None, "m", Error),
                (40, None, "m", Fail),
            ],
        ),
        (
            "neither success nor failure",
            json!({"successCondition": success, "failureCondition": "result[0] < 0.5"}),
            &[(0, Some(&[0.7]), "m", NoData), (10, Some(&[0.99]), "", NoData)],
        ),
        (
            "successes in a row",
            json!({"successCondition": success, "interval": "10s", "failureLimit": -1,
                "consecutiveSuccessLimit": 2}),
            &[
                (0, Some(&[0.99]), "m", Watch),
                (10, Some(&[0.1]), "m", Watch),
                (20, Some(&[0.99]), "m", Watch),
                (30, Some(&[0.99]), "m", Pass),
            ],
        ),
        (
            "NaN passes a failureCondition alone",
            json!({"failureCondition": "result[0] > 0.05"}),
            &[(0, Some(&[f64::NAN]), "m", Pass)],
        ),
        (
            "without an end it goes on, and opens the way while the newest is good",
            json!({"successCondition": success, "interval": "10s", "failureLimit": 1}),
            &[
                (0, Some(&[0.99]), "m", Pass),
                (10, Some(&[0.1]), "m", Watch),
                (20, None, "m", Error),
                (30, Some(&[0.99]), "m", Pass),
                (40, Some(&[0.1]), "m", Fail),
            ],
        ),
    ];
    for (what, fields, rounds) in cases {
        let mut play = Play::metrics(&[argo("m", &fields)]);
        for (second, values, asked, verdict) in rounds {
            let answers: Vec<_> = values.iter().map(|values| ("m", *values)).collect();
            let (found, verdicts, messages) = play.round(*second, &answers);
            assert_eq!(
                (found.as_str(), &verdicts[..]),
                (*asked, &[*verdict][..]),
                "{what}, {second} s: {messages:?}"
            );
        }
    }
}

#[test]
fn the_metrics_of_a_rollout_make_one_run() {
    use Verdict::{Fail, NoData, Pass, Watch};
    let counted = |name: &str, severity: &str| {
        let mut metric = argo(
            name,
            &json!({"successCondition": "result[0] > 1", "failureCondition": "result[0] < 0",
                "interval": "10s", "count": 2}),
        );
        metric["severity"] = json!(severity);
        metric
    };
    let both = [counted("a", "Critical"), counted("b", "Critical")];
    let mut play = Play::metrics(&both);
    assert_eq!(play.round(0, &[("a", &[2.0]), ("b", &[0.5])]).1, [Pass, NoData]);
    // The inconclusive one has ended the run: nothing that comes later can fail it.
    assert_eq!(play.round(10, &[("a", &[-1.0]), ("b", &[-1.0])]).0, "");

    let mut play = Play::metrics(&[counted("a", "Critical"), counted("b", "Info")]);
    assert_eq!(play.round(0, &[("a", &[2.0]), ("b", &[-1.0])]).1, [Watch, Fail]);
    let (asked, verdicts, _) = play.round(10, &[("a", &[2.0])]);
    assert_eq!((asked.as_str(), &verdicts[..]), ("a", &[Pass, Fail][..]), "a dry run ends nothing");
}

#[test]
fn a_step_has_its_own_run_and_an_endless_metric_one_for_all_steps() {
    use Verdict::{Fail, Pass, Watch};
    let fields = |count: Option<u32>| {
        let mut fields = json!({"successCondition": "result[0] > 1", "interval": "10s",
            "failureLimit": 1});
        fields["count"] = json!(count.unwrap_or(0));
        fields
    };
    let mut play = Play::metrics(&[argo("step", &fields(Some(2))), argo("all", &fields(None))]);
    let bad: [(&str, &[f64]); 2] = [("step", &[0.0]), ("all", &[0.0])];
    let good: [(&str, &[f64]); 2] = [("step", &[2.0]), ("all", &[2.0])];
    assert_eq!(play.round(0, &bad).1, [Watch, Watch]);
    assert_eq!(play.round(10, &good).1, [Pass, Pass]);
    play.open(100);
    // The failure of the first step is forgotten by the one, and remembered by the other.
    assert_eq!(play.round(100, &bad).1, [Watch, Fail]);
}

#[test]
fn what_passes_without_evidence_is_said() {
    let mut play = Play::metrics(&[argo("m", &json!({"failureCondition": "result[0] > 0.05"}))]);
    let (_, _, messages) = play.round(0, &[("m", &[f64::NAN])]);
    assert!(messages[0].contains("last: NaN; warning: failureCondition alone"), "{messages:?}");
}

fn canary(analysis: &Value, metrics: &[Value]) -> Play {
    Play::new(&json!({"flagger": analysis, "metrics": metrics}))
}

#[test]
fn an_analysis_of_flagger_decides_as_there() {
    use Verdict::{Fail, NoData, Pass, Watch};
    let checks = [
        flagger("404s", &json!({"kind": "Template", "thresholdRange": {"max": "5"}})),
        flagger("rate", &json!({"kind": "RequestSuccessRate", "thresholdRange": {"min": "99"}})),
        flagger("p99", &json!({"kind": "RequestDuration", "threshold": "500"})),
    ];
    let round = |play: &mut Play, second, values: [&[f64]; 3]| {
        play.round(second, &[("404s", values[0]), ("rate", values[1]), ("p99", values[2])])
    };
    let good: [&[f64]; 3] = [&[1.0], &[99.0], &[500.9]];
    let slow: [&[f64]; 3] = [&[9.0], &[99.5], &[501.0]];
    let silent: [&[f64]; 3] = [&[1.0], &[f64::NAN], &[1.0]];

    let fail = json!({"interval": "60s", "threshold": 2, "noData": "Fail"});
    let mut play = canary(&fail, &checks);
    assert_eq!(round(&mut play, 0, good).0, "", "the first look is an interval after the weight");
    let (asked, verdicts, _) = round(&mut play, 60, good);
    assert_eq!((asked.as_str(), &verdicts[..]), ("404s rate p99", &[Pass; 3][..]));
    let (_, verdicts, messages) = round(&mut play, 120, slow);
    assert_eq!(verdicts, [Watch, Watch, Watch], "templates come last");
    assert!(messages[2].contains("failed check: 501 (threshold 500); 1 failed"), "{messages:?}");
    // Failed checks outlast the step, and take the release back a look later.
    play.open(130);
    assert_eq!(round(&mut play, 130, good).1, [Watch; 3], "what the last step saw opens no way");
    assert_eq!(round(&mut play, 190, silent).1, [Watch; 3]);
    let (_, verdicts, messages) = round(&mut play, 250, good);
    assert_eq!(verdicts, [Watch, Fail, Watch]);
    assert!(messages[1].contains("2 failed checks, the threshold is 2"), "{messages:?}");

    let hold = json!({"interval": "60s", "threshold": 1, "failedCheckDecay": 1});
    let mut play = canary(&hold, &checks);
    assert_eq!(round(&mut play, 60, silent).1, [Watch, NoData, Watch]);
    assert_eq!(play.round(120, &[]).1, [Watch, NoData, Watch], "a source that is gone holds too");
    assert_eq!(round(&mut play, 180, good).1, [Pass; 3], "nothing was counted");

    let ignore = json!({"interval": "60s", "threshold": 1, "noData": "Ignore"});
    let mut play = canary(&ignore, &checks);
    assert_eq!(round(&mut play, 60, silent).1, [Pass; 3]);
}

#[test]
fn what_cannot_be_used_names_the_field() {
    let metric = |threshold: Value| json!({"name": "m", "threshold": threshold});
    let mut both = argo("m", &json!({}));
    both["threshold"]["pass"] = json!("true");
    let mut own = argo("m", &json!({}));
    own["threshold"]["failureLimit"] = json!(1);
    let mut info = flagger("m", &json!({"threshold": "1"}));
    info["severity"] = json!("Info");
    let cases = [
        (
            metric(json!({"query": "q"})),
            "metrics[m].threshold: must have exactly one of pass, argo",
        ),
        (both, "metrics[m].threshold: must have exactly one of pass, argo"),
        (own, "metrics[m].threshold.interval: goes with pass"),
        (
            argo("m", &json!({"successCondition": "value > 1"})),
            "metrics[m].threshold.argo.successCondition: the condition names value",
        ),
        (argo("m", &json!({"count": 2})), "metrics[m].threshold.argo.interval: must be set"),
        (argo("m", &json!({"initialDelay": "1 s"})), "metrics[m].threshold.argo.initialDelay"),
        (
            flagger("m", &json!({"threshold": "1", "thresholdRange": {"max": "1"}})),
            "metrics[m].threshold.flagger: must have exactly one of thresholdRange",
        ),
        (flagger("m", &json!({"thresholdRange": {}})), "must have exactly one of thresholdRange"),
        (
            flagger("m", &json!({"thresholdRange": {"max": "x"}})),
            "metrics[m].threshold.flagger.thresholdRange.max: must be a decimal number",
        ),
        (info, "metrics[m].severity: must not be Info"),
    ];
    for (metric, expect) in cases {
        let spec = json!({"flagger": {}, "metrics": [metric]});
        let error = request(&spec).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error}");
    }
    let lone = json!({"metrics": [flagger("m", &json!({"threshold": "1"}))]});
    let error = request(&lone).expect_err("no analysis").to_string();
    assert!(error.contains("threshold.flagger: needs spec.flagger"), "{error}");
    let unused = json!({"flagger": {}, "metrics": [argo("m", &json!({}))]});
    let error = request(&unused).expect_err("no check").to_string();
    assert!(error.starts_with("flagger: has no metric"), "{error}");
}

proptest! {
    /// A metric alone in its run comes to the phase of its own counters, whenever it is looked at.
    #[test]
    fn a_run_of_one_metric_is_that_metric(
        count in 0_u32..4,
        failures in -1_i32..3,
        successes in 0_i32..3,
        answers in prop::collection::vec((0_u8..5, 1_i64..25), 1..30),
    ) {
        let conditions = ("result[0] > 1", "result[0] < 0");
        let mut play = Play::metrics(&[argo("m", &json!({
            "successCondition": conditions.0, "failureCondition": conditions.1, "interval": "10s",
            "count": count, "failureLimit": failures, "consecutiveSuccessLimit": successes,
        }))]);
        let rule = MetricRule {
            count: Some(count),
            interval: Some(std::time::Duration::from_secs(10)),
            failure_limit: i64::from(failures),
            consecutive_success_limit: i64::from(successes),
            ..MetricRule::default()
        };
        let (mut state, mut now) = (MetricState::default(), 0);
        for (answer, seconds) in answers {
            now += seconds;
            let (values, phase): (&[f64], _) = match answer {
                0 => (&[2.0], Phase::Successful),
                1 => (&[-1.0], Phase::Failed),
                2 => (&[f64::NAN], Phase::Inconclusive),
                3 => (&[0.5], Phase::Inconclusive),
                _ => (&[], Phase::Error),
            };
            let due = state.next_at(&rule, at(0), false).is_some_and(|due| due <= at(now));
            if due {
                state.record(phase, at(now));
            }
            state.phase = state.assess(&rule, false);
            let (asked, verdicts, _) = play.round(now, &[("m", values)]);
            prop_assert_eq!(asked == "m", due);
            let expect = match state.phase {
                Phase::Failed | Phase::Error => Verdict::Fail,
                Phase::Successful => Verdict::Pass,
                Phase::Inconclusive => Verdict::NoData,
                // Whether the way is open meanwhile is ours to say, and never a failure.
                Phase::Pending | Phase::Running => {
                    prop_assert!(verdicts[0] != Verdict::Fail && verdicts[0] != Verdict::NoData);
                    continue;
                }
            };
            prop_assert_eq!(verdicts[0], expect);
        }
    }
}
