//! A plan as text.

use std::fmt::Write as _;

use chrono::TimeDelta;
use lockflight_crds::Approval;

use super::{line, time::span};
use crate::view::{ExpectedView, PlanView, PlannedStepView, PlannedWaveView};

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
        let _ = write!(head, "  {:>7}", format!("{}x", one.factor));
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
            let time = step.detections.get(at).and_then(|one| one.seconds);
            let _ = write!(row, "  {:>7}", time.map_or("-".to_owned(), seconds));
        }
        if let Some(difference) = step.difference_shown {
            let proof = step.proof_seconds.map_or("-".to_owned(), seconds);
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
             deadline). Averages, good to a factor of 2.5; -: not within 30 days, or tolerated. \
             Clusters that move together see it sooner.",
            seconds(view.decision_deadline_seconds)
        ),
    );
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
