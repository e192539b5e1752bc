//! The hub's metrics, from their catalogue.

use std::fmt::Write as _;

use lockflight::telemetry::catalogue::{ALL, Kind};

use crate::cell;

const INTRODUCTION: &str = "\
# Metrics of the hub

The hub serves these at `/metrics` on `--listen`, in the OpenMetrics format. What they say of \
Rollouts and members is read from its caches at every scrape, so that no series outlives what it \
speaks of; counters begin anew with the process.

The labels of a Rollout are `rollout_namespace` and `rollout`, and the label of a cluster is \
`member`: scrapes usually set `namespace` and `cluster` themselves. Series by Rollout *and* member \
exist only while an attempt goes on, at most 20,000 of them in one answer; \
`lockflight_metrics_series_omitted` says how many were left out. Reasons and states are those of \
[the list of reasons](reasons.md), so the number of series is bounded by the number of your \
objects.

";

/// The page.
pub(crate) fn page() -> String {
    let mut page =
        format!("{INTRODUCTION}| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for metric in ALL {
        let (kind, ending) = match metric.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}{ending}` | {kind} | {} | {} |",
            metric.name,
            labels.join(", "),
            cell(metric.help)
        );
    }
    page
}
