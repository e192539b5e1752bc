//! A verdict in one sentence that a tired person understands.

use crate::figures::{float, percent, short, whole};
use crate::judge::{ArmCounts, MetricStanding, Rates, Scope, Standing};

/// Beyond a million nobody counts.
const MOST: f64 = 1e6;

/// Where the evidence stands, in one sentence.
#[must_use]
pub fn explain(standing: &Standing) -> String {
    let worst = standing.worst();
    let deciding = standing.metrics.iter().filter(|metric| metric.promotes);
    let weakest = deciding.min_by(|a, b| a.in_favour_ln.total_cmp(&b.in_favour_ln));
    let one_in = odds(standing.against_bar_ln);
    if let (Some(scope), Some(worst)) = (&standing.crossed, worst) {
        let place = match scope {
            Scope::Fleet => "everywhere".to_owned(),
            Scope::Cluster(name) => format!("in {name}"),
        };
        return format!(
            "Taken back {place}: {}; a release as good as stable ever looks this bad at most \
             once in {one_in} rollouts.",
            compared(worst)
        );
    }
    if let (true, Some(worst)) = (standing.is_suspicious(), worst) {
        return format!(
            "Suspicious, not taken back yet: {}; evidence against it is {} and {one_in} takes \
             it back.",
            compared(worst),
            odds(standing.against_ln)
        );
    }
    match weakest {
        None => "Nothing is compared with stable, so evidence decides nothing here.".to_owned(),
        Some(metric) if metric.rates.canary.events == 0 => {
            format!("Nothing known yet: {} has seen no event of the new revision.", metric.name)
        }
        Some(metric) if standing.in_favour_ln < standing.in_favour_bar_ln => format!(
            "No harm seen, not proven good yet: {}; about {} more requests to the new revision \
             without a bad one would prove it.",
            compared(metric),
            metric.needed_events
        ),
        Some(metric) => format!("Good enough to go on: {}.", compared(metric)),
    }
}

fn compared(metric: &MetricStanding) -> String {
    let Rates { canary, stable } = metric.rates;
    let of = |arm: ArmCounts| match arm.events {
        0 => "nothing yet".to_owned(),
        events => format!("{} of {events}", percent(float(arm.bad) / float(events))),
    };
    format!(
        "{} is bad in {} on the new revision, {} on stable",
        metric.name,
        of(canary),
        of(stable)
    )
}

/// An e-value as people read it.
fn odds(ln: f64) -> String {
    match ln {
        ln if ln > MOST.ln() => "over a million".to_owned(),
        ln if ln >= 10.0_f64.ln() => whole((ln.exp() + 0.5).floor()).to_string(),
        ln => short(ln.exp()),
    }
}
