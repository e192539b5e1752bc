//! From raw series to counters with a known owner.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    answer::{RawSeries, ms},
    naming::arm_named,
    reason::{Gap, LeftOut},
    settings::{Pods, Settings, Split},
};
use crate::{judge::Arm, series::Sample};

/// Samples may be ahead of the provider's clock by this much, in ms.
const AHEAD_MAX_MS: i64 = 5_000;

/// Labels of the name of a metric and of a classic bucket: they are no part of what is counted.
const NAME: &str = "__name__";
pub(super) const BOUND: &str = "le";

/// Whose counter it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    /// The pod; the scraped instance where pods are not told apart.
    pub(super) subject: Arc<str>,
    /// Which arm's events it counts.
    pub(super) arm: Arm,
    /// What was scraped.
    pub(super) instance: String,
    /// Who scraped it.
    pub(super) observer: String,
    /// Which counter of the target: a hash of its other labels.
    pub(super) key: u64,
}

/// A counter with its usable samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counter {
    pub(super) identity: Identity,
    /// What it counts; see [`super::lanes`].
    pub(super) lane: usize,
    /// Value by time in ms, ascending, one per time.
    pub(super) points: Vec<(i64, f64)>,
    /// Times at which it had no usable value, and why.
    pub(super) faults: Vec<(i64, LeftOut)>,
    /// Times at which it must have had a value and has none.
    pub(super) holes: Vec<i64>,
}

/// Why a series has no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nobody {
    /// It lacks the label that would tell.
    Unlabelled,
    /// It belongs to something else.
    Stranger,
}

/// Finds the owner of a series.
pub(super) fn identify(
    labels: &BTreeMap<String, String>,
    settings: &Settings,
    pods: &Pods,
) -> Result<Identity, Nobody> {
    let instance = labels.get("instance").cloned().unwrap_or_default();
    let (subject, arm) = match &settings.split {
        Split::Pod { label } => {
            let pod = labels.get(label).ok_or(Nobody::Unlabelled)?;
            let (name, facts) = pods.get_key_value(pod.as_str()).ok_or(Nobody::Stranger)?;
            (Arc::clone(name), facts.arm)
        }
        Split::Label { name, canary, stable } => {
            let value = labels.get(name).ok_or(Nobody::Unlabelled)?;
            let arm = arm_named(value, canary, stable).ok_or(Nobody::Stranger)?;
            // A proxy of its own per pod is told apart by its pod where it has no address.
            let source = labels.get("instance").or(labels.get("pod"));
            (Arc::from(source.map_or("", String::as_str)), arm)
        }
    };
    let (mut observer, mut key) = (String::new(), Hash::default());
    for (name, value) in labels {
        if settings.observer_labels.contains(name) {
            observer.push_str(value);
            observer.push('\n');
        } else if name != BOUND && name != "instance" {
            // `x` and `x_bucket` are two forms of one histogram.
            let value = if name == NAME { value.trim_end_matches("_bucket") } else { value };
            key = key.with(name).with(value);
        }
    }
    Ok(Identity { subject, arm, instance, observer, key: key.0 })
}

/// Samples as (time in ms, value).
pub(super) type Points = Vec<(i64, f64)>;

/// The usable samples of a counter within the span that all answers cover. What is wrong with
/// the others goes to `faults`, and the first of it to `complaint`.
pub(super) fn clean(
    series: &RawSeries,
    covered: (i64, i64),
    may_be_negative: bool,
    complaint: &mut Option<Gap>,
) -> (Points, Vec<(i64, LeftOut)>) {
    let mut sound = Vec::with_capacity(series.floats.len());
    let mut faults = Vec::new();
    for Sample { at, value } in &series.floats {
        let (at, value) = (ms(*at), *value);
        if at > covered.1.saturating_add(AHEAD_MAX_MS) {
            // Of a clock that runs ahead nothing can be placed in time.
            faults.push((at, LeftOut::Future));
        } else if at <= covered.0 || at > covered.1 {
        } else if !value.is_finite() {
            faults.push((at, LeftOut::NotANumber));
            complaint.get_or_insert_with(|| Gap::NotANumber {
                series: describe(&series.labels),
                value: value.to_string(),
            });
        } else if value < 0.0 && !may_be_negative {
            faults.push((at, LeftOut::NotANumber));
            complaint
                .get_or_insert_with(|| Gap::Negative { series: describe(&series.labels), value });
        } else {
            sound.push((at, value));
        }
    }
    (in_order(sound, &mut faults), faults)
}

/// Sorted by time, one value per time; two different ones are none.
pub(super) fn in_order(
    mut points: Vec<(i64, f64)>,
    faults: &mut Vec<(i64, LeftOut)>,
) -> Vec<(i64, f64)> {
    points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut ordered: Vec<(i64, f64)> = Vec::with_capacity(points.len());
    for point in points {
        match ordered.last() {
            Some(last) if last.0 == point.0 && last.1.total_cmp(&point.1).is_ne() => {
                faults.push((point.0, LeftOut::Conflict));
            }
            Some(last) if last.0 == point.0 => {}
            _ => ordered.push(point),
        }
    }
    ordered
}

/// A series as people write it, shortened.
pub(super) fn describe(labels: &BTreeMap<String, String>) -> String {
    let name = labels.get(NAME).map_or("a series", String::as_str);
    let inside: Vec<_> = labels
        .iter()
        .filter(|(label, _)| label.as_str() != NAME)
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    format!("{name}{{{}}}", inside.join(",")).chars().take(200).collect()
}

/// FNV-1a, 64 bits: the same in every build, unlike the standard library's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(pub(super) u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// The hash with one more part; parts do not run into each other.
    pub(super) fn with(self, part: &str) -> Self {
        let bytes = part.bytes().chain([0xff]);
        Self(
            bytes
                .fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        )
    }

    pub(super) fn with_number(self, number: u64) -> Self {
        self.with(&number.to_string())
    }
}
