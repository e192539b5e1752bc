//! The evidence of a rollout as text.

use std::fmt::Write as _;

use crate::view::{ArmView, EvidenceView, SideView};

/// Draws evidence: the sentence, both sides, and a line per metric and cluster.
#[must_use]
pub fn render_evidence(view: &EvidenceView) -> String {
    let mut text = format!("{}\n\n", view.sentence);
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing into a String does not fail.
        let _ = text.write_fmt(words);
        text.push('\n');
    };
    line(format_args!(
        "Worse than stable  {}, taken back at {}",
        now(view.against),
        bar(view.against)
    ));
    line(format_args!(
        "Not worse          {}, enough at {}",
        now(view.in_favour),
        bar(view.in_favour)
    ));
    if view.metrics.is_empty() {
        return text;
    }
    let width = view.metrics.iter().flat_map(|metric| {
        let clusters = metric.clusters.iter().map(|cluster| cluster.name.chars().count() + 2);
        clusters.chain([metric.name.chars().count()])
    });
    let width = width.max().unwrap_or(0).max(6);
    line(format_args!(
        "\n{:width$}  {:>9}  {:>9}  {:>21}  {:>21}  STILL NEEDED",
        "METRIC", "WORSE", "NOT WORSE", "NEW REVISION", "STABLE"
    ));
    for metric in &view.metrics {
        let needed = match (metric.promotes, metric.needed_events) {
            (false, _) => "never waited for".to_owned(),
            (true, 0) => "nothing".to_owned(),
            (true, events) => format!("{events} good requests"),
        };
        line(format_args!(
            "{:width$}  {:>9}  {:>9}  {:>21}  {:>21}  {needed}",
            metric.name,
            times(metric.against_ln),
            times(metric.in_favour_ln),
            counted(metric.canary),
            counted(metric.stable)
        ));
        for cluster in &metric.clusters {
            line(format_args!(
                "  {:indented$}  {:>9}  {:>9}  {:>21}  {:>21}",
                cluster.name,
                times(cluster.against_ln),
                "",
                counted(cluster.canary),
                counted(cluster.stable),
                indented = width - 2
            ));
        }
    }
    text
}

fn now(side: SideView) -> String {
    times(side.ln_e)
}

fn bar(side: SideView) -> String {
    times(side.bar_ln)
}

/// An e-value: nobody counts beyond a million, nor below a hundredth.
pub(crate) fn times(ln: f64) -> String {
    match ln.exp() {
        e if e > 1e6 => "> 1000000".to_owned(),
        e if e < 0.01 => "< 0.01".to_owned(),
        e if e < 9.995 => format!("{e:.2}"),
        e => format!("{e:.0}"),
    }
}

fn counted(arm: ArmView) -> String {
    if arm.events == 0 {
        return "nothing yet".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let share = arm.bad as f64 / arm.events as f64 * 100.0;
    format!("{share:.2} % of {}", arm.events)
}
