//! Slow events: bounds chosen from stable's first minutes, then counts above them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    answer::{Answer, ms},
    lane,
    native::{Schema, bound_at_or_above, coarser, same_bound},
    reason::{Gap, LeftOut, name},
    settings::{Pods, Settings},
    track::{BOUND, Counter, Identity, Nobody, clean, describe, identify, in_order},
};
use crate::{
    figures::{float, short, whole},
    judge::Arm,
};

/// Shares of stable's events below the bounds that are judged.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// Events of stable that it takes to choose bounds.
const EVENTS_MIN: u64 = 100;

/// Bounds are taken from this schema at most, 19 % apart: a client that halves its resolution
/// when it has too many buckets still has them.
const SCHEMA_MAX: i32 = 2;

/// Kind of histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistogramForm {
    /// Cumulative buckets with a label `le`.
    Classic,
    /// Samples that are histograms themselves.
    Native,
}

/// One bound of slow events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// Share of stable's events that were at or below it when it was chosen, at least.
    pub quantile: f64,
    /// Stable's events above this are slow, in the metric's unit.
    pub stable: f64,
    /// The canary's events above this are: the first bound from the tolerated slow-down on.
    pub canary: f64,
}

/// The bounds of a metric, fixed for an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges {
    /// Kind of histogram that they are bounds of.
    pub form: HistogramForm,
    /// One per stream, ascending.
    pub edges: Vec<Edge>,
}

/// The histograms of one counterpart of a pod.
pub(super) struct Histogram {
    identity: Identity,
    body: Body,
}

type Points = Vec<(i64, f64)>;

/// A bound, the samples of its counter, and what was left out of them.
type Bucket = (f64, Points, Vec<(i64, LeftOut)>);

enum Body {
    /// Samples by bound, infinity included.
    Classic(Vec<Bucket>),
    Native(Vec<(i64, super::NativeHistogram)>, Vec<(i64, LeftOut)>),
}

impl Body {
    fn form(&self) -> HistogramForm {
        match self {
            Self::Classic(_) => HistogramForm::Classic,
            Self::Native(..) => HistogramForm::Native,
        }
    }
}

/// Sorts the series of an answer into histograms. Both forms of one may be there.
pub(super) fn histograms(
    answer: &Answer,
    settings: &Settings,
    pods: &Pods,
    covered: (i64, i64),
    complaint: &mut Option<Gap>,
    mut nobody: impl FnMut(Nobody),
) -> Vec<Histogram> {
    let mut classic: BTreeMap<Identity, Vec<Bucket>> = BTreeMap::new();
    let mut found = Vec::new();
    for series in &answer.series {
        let identity = match identify(&series.labels, settings, pods) {
            Ok(identity) => identity,
            Err(reason) => {
                nobody(reason);
                continue;
            }
        };
        if !series.floats.is_empty() {
            let bound = series.labels.get(BOUND).and_then(|bound| bound.parse::<f64>().ok());
            let Some(bound) = bound.filter(|bound| !bound.is_nan()) else {
                complaint
                    .get_or_insert_with(|| Gap::NoHistogram { series: describe(&series.labels) });
                continue;
            };
            let (points, faults) = clean(series, covered, false, complaint);
            classic.entry(identity.clone()).or_default().push((bound, points, faults));
        }
        if !series.histograms.is_empty() {
            let (mut samples, mut faults) = (Vec::new(), Vec::new());
            for sample in &series.histograms {
                let at = ms(sample.at);
                if at <= covered.0 || at > covered.1 {
                } else if sample.histogram.is_sound() {
                    samples.push((at, sample.histogram.clone()));
                } else {
                    faults.push((at, LeftOut::NotANumber));
                    complaint.get_or_insert_with(|| Gap::NotANumber {
                        series: describe(&series.labels),
                        value: "NaN in a bucket".to_owned(),
                    });
                }
            }
            samples.sort_by_key(|sample| sample.0);
            samples.dedup_by(|b, a| a.0 == b.0 && a.1 == b.1);
            found.push(Histogram { identity, body: Body::Native(samples, faults) });
        }
    }
    for (identity, mut bounds) in classic {
        bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.push(Histogram { identity, body: Body::Classic(bounds) });
    }
    found
}

/// Chooses the bounds from what stable did within the answer, among those that both arms have.
pub(super) fn choose(histograms: &[Histogram], slow_down: f64) -> Result<Edges, Gap> {
    if !(1.0..=1e6).contains(&slow_down) {
        return Err(Gap::Settings("the tolerated slow-down must be a number from 1"));
    }
    let has = |form, arm| histograms.iter().any(|h| h.body.form() == form && h.identity.arm == arm);
    for arm in [Arm::Canary, Arm::Stable] {
        if !histograms.iter().any(|h| h.identity.arm == arm) {
            return Err(Gap::Absent { arm: name(arm), field: "histogram" });
        }
    }
    let form = [HistogramForm::Native, HistogramForm::Classic]
        .into_iter()
        .find(|form| has(*form, Arm::Canary) && has(*form, Arm::Stable))
        .ok_or(Gap::LayoutChanged {
            arm: name(Arm::Canary),
            bound: "of stable's kind (one is classic, the other native)".to_owned(),
        })?;
    let of_form = || histograms.iter().filter(move |h| h.body.form() == form);
    let schema = of_form().flat_map(schemas).reduce(coarser);
    let bounds = common_bounds(of_form(), schema);
    let at_or_above = |value: f64| match schema {
        Some(Schema::Exponential(n)) => Some(bound_at_or_above(value, n.min(SCHEMA_MAX))),
        Some(Schema::Custom) | None => {
            bounds.iter().copied().find(|b| *b >= value || same_bound(*b, value))
        }
    };
    let distribution = distribution(of_form().filter(|h| h.identity.arm == Arm::Stable));
    let total: f64 = distribution.iter().map(|(_, events)| events).sum();
    if total < float(EVENTS_MIN) {
        return Err(Gap::FewEvents { seen: whole(total), needed: EVENTS_MIN });
    }
    let mut edges: Vec<Edge> = Vec::new();
    for quantile in QUANTILES {
        let mut up_to = 0.0;
        let reached = distribution.iter().find(|(_, events)| {
            up_to += events;
            up_to >= quantile * total
        });
        let Some(stable) = reached.and_then(|(bound, _)| at_or_above(bound.max(f64::MIN_POSITIVE)))
        else {
            continue;
        };
        let Some(canary) = at_or_above(stable * slow_down).filter(|bound| bound.is_finite()) else {
            continue;
        };
        if stable.is_finite() && edges.iter().all(|edge| !same_bound(edge.stable, stable)) {
            edges.push(Edge { quantile, stable, canary });
        }
    }
    if edges.is_empty() { Err(Gap::NoBounds) } else { Ok(Edges { form, edges }) }
}

fn schemas(histogram: &Histogram) -> Vec<Schema> {
    match &histogram.body {
        Body::Classic(_) => Vec::new(),
        Body::Native(samples, _) => samples.iter().filter_map(|(_, h)| h.schema()).collect(),
    }
}

/// Finite bounds that every one of them has, ascending; of custom native ones, which do not show
/// empty buckets, those of any.
fn common_bounds<'a>(
    histograms: impl Iterator<Item = &'a Histogram>,
    schema: Option<Schema>,
) -> Vec<f64> {
    let mut common: Option<Vec<f64>> = None;
    for histogram in histograms {
        let bounds: Vec<f64> = match &histogram.body {
            Body::Classic(bounds) => bounds.iter().map(|bound| bound.0).collect(),
            Body::Native(samples, _) if schema == Some(Schema::Custom) => {
                samples.iter().flat_map(|(_, h)| h.buckets.iter().map(|b| b.upper)).collect()
            }
            Body::Native(..) => continue,
        };
        let native = histogram.body.form() == HistogramForm::Native;
        common = Some(match common {
            None => bounds,
            Some(common) if native => [common, bounds].concat(),
            Some(common) => common
                .into_iter()
                .filter(|bound| bounds.iter().any(|other| same_bound(*bound, *other)))
                .collect(),
        });
    }
    let mut common = common.unwrap_or_default();
    common.retain(|bound| bound.is_finite());
    common.sort_by(f64::total_cmp);
    common.dedup_by(|a, b| same_bound(*a, *b));
    common
}

/// Events per bucket, by upper bound, ascending, between first and last samples. Histograms that
/// began anew in between are left out.
fn distribution<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Vec<(f64, f64)> {
    let mut events: Vec<(f64, f64)> = Vec::new();
    for histogram in histograms {
        match &histogram.body {
            Body::Classic(bounds) => {
                let grown = |points: &Points| {
                    let falls = points.windows(2).any(|w| matches!(w, [a, b] if b.1 < a.1));
                    let span = points.first().zip(points.last());
                    span.filter(|_| !falls).map_or(0.0, |(a, b)| b.1 - a.1)
                };
                let mut below = 0.0;
                for (bound, points, _) in bounds {
                    let up_to = grown(points);
                    events.push((*bound, (up_to - below).max(0.0)));
                    below = below.max(up_to);
                }
            }
            Body::Native(samples, _) => {
                let Some(((_, first), (_, last))) = samples.first().zip(samples.last()) else {
                    continue;
                };
                if last.count < first.count || first.schema() != last.schema() {
                    continue;
                }
                for bucket in &last.buckets {
                    let before = first.buckets.iter().find(|b| same_bound(b.upper, bucket.upper));
                    let grown = bucket.count - before.map_or(0.0, |b| b.count);
                    events.push((bucket.upper, grown.max(0.0)));
                }
            }
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    events
}

/// Counters of all events (lane 0) and of those above each bound (lanes 1 and up). Also the
/// first arm and bound of which no pod has any count.
pub(super) fn counters(histograms: Vec<Histogram>, edges: &Edges) -> (Vec<Counter>, Option<Gap>) {
    let mut counters = Vec::new();
    // Per arm and edge: whether there is any count above it.
    let mut seen: BTreeMap<(Arm, usize), bool> = BTreeMap::new();
    let mut arms: BTreeMap<Arm, bool> = BTreeMap::new();
    for histogram in histograms {
        let arm = histogram.identity.arm;
        let right_form = histogram.body.form() == edges.form;
        *arms.entry(arm).or_default() |= right_form;
        if !right_form {
            continue;
        }
        let bound = |edge: &Edge| if arm == Arm::Canary { edge.canary } else { edge.stable };
        let (total, mut faults) = match &histogram.body {
            Body::Classic(bounds) => bounds
                .last()
                .filter(|last| last.0 == f64::INFINITY)
                .map(|(_, points, faults)| (points.clone(), faults.clone()))
                .unwrap_or_default(),
            Body::Native(samples, faults) => {
                let mut faults = faults.clone();
                let counts = samples.iter().map(|(at, h)| (*at, h.count)).collect();
                (in_order(counts, &mut faults), faults)
            }
        };
        for (n, edge) in edges.edges.iter().enumerate() {
            let above = above(&histogram.body, &total, bound(edge), &mut faults);
            *seen.entry((arm, n)).or_default() |= !above.is_empty() || total.is_empty();
            let known: BTreeSet<i64> = above.iter().map(|point| point.0).collect();
            let holes = total.iter().map(|point| point.0).filter(|at| !known.contains(at));
            counters.push(Counter {
                identity: histogram.identity.clone(),
                lane: lane(arm, 1 + n),
                holes: holes.collect(),
                points: above,
                faults: Vec::new(),
            });
        }
        let lane = lane(arm, 0);
        let identity = histogram.identity;
        counters.push(Counter { identity, lane, points: total, faults, holes: Vec::new() });
    }
    let other_form = arms.iter().find(|(_, right)| !**right).map(|(arm, _)| Gap::LayoutChanged {
        arm: name(*arm),
        bound: match edges.form {
            HistogramForm::Classic => "of classic buckets any more".to_owned(),
            HistogramForm::Native => "of a native histogram any more".to_owned(),
        },
    });
    let lost = seen.iter().find(|(_, any)| !**any).and_then(|((arm, n), _)| {
        let edge = edges.edges.get(*n)?;
        let bound = if *arm == Arm::Canary { edge.canary } else { edge.stable };
        Some(Gap::LayoutChanged { arm: name(*arm), bound: short(bound) })
    });
    (counters, other_form.or(lost))
}

/// Events above a bound, by time. Where it cannot be told, there is no point.
fn above(body: &Body, total: &Points, bound: f64, faults: &mut Vec<(i64, LeftOut)>) -> Points {
    match body {
        Body::Classic(bounds) => {
            let Some((_, below, _)) = bounds.iter().find(|b| same_bound(b.0, bound)) else {
                return Vec::new();
            };
            let below: BTreeMap<i64, f64> = below.iter().copied().collect();
            let above = total.iter().filter_map(|(at, all)| {
                let above = all - below.get(at)?;
                if above < 0.0 {
                    faults.push((*at, LeftOut::Conflict));
                }
                (above >= 0.0).then_some((*at, above))
            });
            above.collect()
        }
        Body::Native(samples, _) => {
            samples.iter().filter_map(|(at, h)| Some((*at, h.above(bound)?))).collect()
        }
    }
}
