//! Which series belongs to which arm.

use std::collections::BTreeMap;

use lockflight_analysis::{Sample, Series};
use prometheus_http_query::response::RangeVector;

use super::{answer::timestamp, state::GateRequest, template::By};

/// Labels that together name what Prometheus scraped.
const TARGET_LABELS: [&str; 3] = ["job", "instance", "pod"];

/// Series by arm; those of neither are left out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct BothArms {
    pub(super) canary: Vec<Series>,
    pub(super) stable: Vec<Series>,
    /// Whether there were series, but none with the label that tells the arms apart.
    pub(super) unlabelled: bool,
}

/// Sorts counters into the arms.
pub(super) fn sort(counters: &[RangeVector], by: &By, request: &GateRequest) -> BothArms {
    let mut arms = BothArms { unlabelled: !counters.is_empty(), ..BothArms::default() };
    for counter in counters {
        let label = match by {
            By::Pod(label) => counter.metric().get(label),
            By::Label { name, .. } => counter.metric().get(name),
        };
        let Some(value) = label else { continue };
        arms.unlabelled = false;
        let arm = match by {
            By::Pod(_) if request.canary_pods.contains(value) => &mut arms.canary,
            By::Pod(_) if request.stable_pods.contains(value) => &mut arms.stable,
            By::Label { canary, .. } if value == canary => &mut arms.canary,
            By::Label { stable, .. } if value == stable => &mut arms.stable,
            By::Pod(_) | By::Label { .. } => continue,
        };
        arm.push(series(counter, by, value));
    }
    arms
}

fn series(counter: &RangeVector, by: &By, value: &str) -> Series {
    let labels: BTreeMap<_, _> = counter.metric().iter().collect();
    let source = match by {
        By::Pod(_) => value.to_owned(),
        By::Label { .. } => {
            let target = TARGET_LABELS.map(|name| counter.metric().get(name).map_or("", |v| v));
            target.join("/")
        }
    };
    let samples = counter.samples().iter().filter_map(|sample| {
        Some(Sample { at: timestamp(sample.timestamp())?, value: sample.value() })
    });
    Series { source, key: format!("{labels:?}"), samples: samples.collect() }
}
