//! A series column by column.

use super::{AgainstBar, Arm, EvidencePoint, Seen, Series};
use crate::dashboard::view::{SeriesKind, SeriesView};

/// The points of a series after change `since`.
pub(super) fn of(metric: &str, series: &Series, since: u64) -> SeriesView {
    let points: Vec<&EvidencePoint> =
        series.points.iter().filter(|(number, _)| *number > since).map(|(_, p)| p).collect();
    let kind = series.facts.kind;
    let arms = |value: fn(Arm, Arm) -> f64| -> Vec<f64> {
        let has_it = kind == SeriesKind::Comparison;
        points.iter().filter(|_| has_it).map(|point| both(&point.seen, value)).collect()
    };
    let evidence = |value: fn(&Seen) -> Option<f64>| -> Vec<Option<f64>> {
        let has_it = kind != SeriesKind::Threshold;
        points.iter().filter(|_| has_it).map(|point| value(&point.seen).map(drawable)).collect()
    };
    SeriesView {
        metric: metric.to_owned(),
        kind,
        informs: series.facts.informs,
        attempt: series.facts.attempt,
        query: series.facts.query.clone(),
        limit: series.facts.limit.clone(),
        bounds: series.facts.bounds.clone(),
        verdict: series.facts.verdict,
        message: series.facts.message.clone(),
        dropped: series.dropped,
        at_ms: points.iter().map(|point| point.at.timestamp_millis()).collect(),
        step: points.iter().map(|point| point.step).collect(),
        verdicts: points.iter().map(|point| point.verdict).collect(),
        canary_bad: arms(|canary, _| canary.bad),
        canary_total: arms(|canary, _| canary.total),
        stable_bad: arms(|_, stable| stable.bad),
        stable_total: arms(|_, stable| stable.total),
        abort_evidence: evidence(|seen| Some(abort(seen)?.ln_e)),
        abort_bar: evidence(|seen| Some(abort(seen)?.bar)),
        promote_evidence: evidence(|seen| Some(promote(seen)?.ln_e)),
        promote_bar: evidence(|seen| Some(promote(seen)?.bar)),
        value: points
            .iter()
            .filter(|_| kind == SeriesKind::Threshold)
            .map(|point| match point.seen {
                Seen::Measured(value) => value,
                Seen::Together(_) | Seen::Compared { .. } => None,
            })
            .collect(),
    }
}

fn both(seen: &Seen, value: fn(Arm, Arm) -> f64) -> f64 {
    match seen {
        Seen::Compared { canary, stable, .. } => value(*canary, *stable),
        Seen::Together(_) | Seen::Measured(_) => 0.0,
    }
}

fn abort(seen: &Seen) -> Option<AgainstBar> {
    match seen {
        Seen::Together(balance) | Seen::Compared { balance, .. } => balance.abort,
        Seen::Measured(_) => None,
    }
}

fn promote(seen: &Seen) -> Option<AgainstBar> {
    match seen {
        Seen::Together(balance) | Seen::Compared { balance, .. } => balance.promote,
        Seen::Measured(_) => None,
    }
}

/// JSON has no infinity and charts have no end: evidence beyond all bounds is drawn at 10^6. The
/// third digit of a logarithm is finer than any chart.
fn drawable(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { (value.clamp(-1e6, 1e6) * 1e3).round() / 1e3 }
}
