//! A plan as text.

use std::fmt::Write as _;

use chrono::TimeDelta;
use lockflight_crds::Approval;

use super::{line, time::span};
use crate::view::{ExpectedView, ForecastView, PlanView, PlannedStepView, PlannedWaveView};

/// Stands for the time of a release that is never taken back, because it is meant not to be.
const TOLERATED: &str = "tolerated";
/// Stands for a time that is none.
const NONE: &str = "none";

/// Draws a plan: its waves, its steps, and what its gates can see.
#[must_use]
pub fn render_plan(view: &PlanView) -> String {
    let mut text = String::new();
    let stored = if view.stored { "as the hub has planned it" } else { "as a new attempt" };
    let approvals = match view.approvals {
        0 => String::new(),
        1 => " and 1 approval".to_owned(),
        n => format!(" and {n} approvals"),
    };
    let least = seconds(view.least_seconds);
    line(
        &mut text,
        &format!("{}/{}, {stored}: at least {least}{approvals}", view.namespace, view.name),
    );
    waves(&mut text, &view.waves);
    steps(&mut text, &view.steps, view.traffic.is_some());
    if let Some(traffic) = &view.traffic {
        explained(&mut text, view, traffic);
    } else {
        line(
            &mut text,
            "\nGive --rps and --errors, or --prometheus, to learn what its gates can see.",
        );
    }
    text
}

fn waves(text: &mut String, waves: &[PlannedWaveView]) {
    let width = waves.iter().map(|wave| wave.name.chars().count()).chain([4]).max().unwrap_or(4);
    line(text, &format!("\n{:width$}  AT LEAST  AT ONCE  BAKE      CLUSTERS", "WAVE"));
    for wave in waves {
        line(
            text,
            &format!(
                "{:width$}  {:<8}  {:<7}  {:<8}  {}{}",
                wave.name,
                seconds(wave.least_seconds),
                wave.max_concurrent,
                seconds(wave.bake_seconds.into()),
                wave.clusters.join(", "),
                asked(wave.approval),
            ),
        );
    }
}

fn steps(text: &mut String, steps: &[PlannedStepView], forecast: bool) {
    let factors = steps.iter().find(|step| !step.detections.is_empty());
    let factors = factors.map_or(&[][..], |step| &step.detections);
    let mut head = "\nSTEP   FIRST CLUSTER  OTHERS  ".to_owned();
    for one in factors {
        let _ = write!(head, "  {:>9}", format!("{}x", one.factor));
    }
    if forecast {
        head.push_str("   PROVEN  DIFFERENCE");
    }
    line(text, &head);
    for step in steps {
        let mut row = format!(
            "{:>3} %  {:<13}  {:<8}",
            step.weight,
            seconds(step.least_seconds_first),
            seconds(step.least_seconds)
        );
        for at in 0..factors.len() {
            // A step that compares nothing has no times.
            let time = step.detections.get(at).map(detected).unwrap_or_default();
            let _ = write!(row, "  {time:>9}");
        }
        if let Some(difference) = step.difference_shown {
            let proof = step.proof_seconds.map_or(NONE.to_owned(), seconds);
            let _ = write!(row, "  {proof:>7}  {:>10}", format!("{:.3} %", difference * 100.0));
        }
        line(text, &format!("{row}{}", asked(step.approval)));
    }
}

fn explained(text: &mut String, view: &PlanView, traffic: &ExpectedView) {
    let usual = if traffic.measured { "" } else { ", both as usual" };
    line(
        text,
        &format!(
            "\nOne cluster alone, with {:.1} requests a second of which {:.4} % fail ({}), in \
             batches of {:.1} and with pods that differ by {:.0} %{usual}.",
            traffic.requests_per_second,
            traffic.bad_share * 100.0,
            traffic.metric,
            traffic.batch_mean,
            traffic.pod_sd.exp_m1() * 100.0,
        ),
    );
    line(
        text,
        &format!(
            "2x to 10x: time to take back a release that fails so many times as often. PROVEN: \
             time until one that is as good as stable is shown not to be bad. DIFFERENCE: the \
             smallest difference of error shares that can be ruled out within {} (the decision \
             deadline). Averages, good to a factor of 2.5. Clusters that move together see it \
             sooner.",
            seconds(view.decision_deadline_seconds)
        ),
    );
    let times = view.steps.iter().flat_map(|step| &step.detections);
    let is_unproven =
        |step: &PlannedStepView| step.difference_shown.is_some() && step.proof_seconds.is_none();
    if times.clone().any(|one| detected(one) == TOLERATED) {
        line(
            text,
            "tolerated: no worse than the margins of the comparison allow; it is not taken back.",
        );
    }
    if times.clone().any(|one| detected(one) == NONE) || view.steps.iter().any(is_unproven) {
        line(text, "none: not within 30 days, or hidden by how much pods differ from each other.");
    }
}

/// When a worse release is taken back.
fn detected(forecast: &ForecastView) -> String {
    match forecast.seconds {
        Some(time) => seconds(time),
        None if forecast.tolerated => TOLERATED.to_owned(),
        None => NONE.to_owned(),
    }
}

fn asked(approval: Approval) -> &'static str {
    match approval {
        Approval::None => "",
        Approval::Before => "  approval before",
        Approval::After => "  approval after",
    }
}

fn seconds(seconds: i64) -> String {
    span(TimeDelta::seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(detections: [(Option<i64>, bool); 2], proof_seconds: Option<i64>) -> PlannedStepView {
        let forecast = |factor, (seconds, tolerated)| ForecastView { factor, seconds, tolerated };
        let [twice, tenfold] = detections;
        PlannedStepView {
            weight: 33,
            least_seconds_first: 60,
            least_seconds: 60,
            samples: 0,
            approval: Approval::None,
            detections: vec![forecast(2.0, twice), forecast(10.0, tenfold)],
            proof_seconds,
            difference_shown: Some(0.001),
        }
    }

    fn drawn(first: PlannedStepView) -> String {
        let last = PlannedStepView {
            weight: 100,
            detections: Vec::new(),
            proof_seconds: None,
            difference_shown: None,
            ..first.clone()
        };
        render_plan(&PlanView {
            api_version: "cli.lockflight.dev/v1",
            kind: "PlanView",
            namespace: "shop".to_owned(),
            name: "checkout".to_owned(),
            stored: false,
            least_seconds: 60,
            approvals: 0,
            waves: Vec::new(),
            steps: vec![first, last],
            traffic: Some(ExpectedView {
                metric: "errors".to_owned(),
                requests_per_second: 50.0,
                bad_share: 0.001,
                batch_mean: 1.0,
                pod_sd: 0.1,
                measured: true,
            }),
            decision_deadline_seconds: 3600,
        })
    }

    #[test]
    fn what_is_tolerated_and_what_cannot_be_seen_are_told_apart() {
        let marks = |text: &str| [TOLERATED, NONE].map(|mark| text.contains(&format!("{mark}: ")));
        let seen = (Some(300), false);
        let (tolerated, unseen) = ((None, true), (None, false));
        for (times, proof, row, explained) in [
            ([seen, seen], Some(60), "5m00s      5m00s    1m00s", [false, false]),
            ([tolerated, seen], Some(60), "tolerated      5m00s", [true, false]),
            ([unseen, seen], Some(60), "     none      5m00s", [false, true]),
            ([seen, seen], None, "5m00s      5m00s     none", [false, true]),
            ([tolerated, unseen], None, "tolerated       none     none", [true, true]),
        ] {
            let text = drawn(step(times, proof));
            assert!(text.contains(row), "{row}: {text}");
            assert_eq!(marks(&text), explained, "{text}");
            assert!(text.contains("\n100 %  1m00s          1m00s\n"), "{text}");
        }
    }
}
