//! Stable against itself as text.

use chrono::TimeDelta;

use super::{line, time::span};
use crate::view::{AaView, ShareView, TrafficView};

/// Draws what stable traffic is like, and what to expect of the judge with it.
#[must_use]
pub fn render_aa(view: &AaView) -> String {
    let mut text = String::new();
    if let Some(at) = view.as_of {
        line(&mut text, &format!("Stable's pods until {}\n", at.format("%Y-%m-%d %H:%M:%SZ")));
    }
    text.push_str(&traffic(&view.traffic));
    let (aborts, fours) = (view.false_aborts, view.above_four);
    line(
        &mut text,
        &format!(
            "\nOf {} rollouts that change nothing, {} were taken back: {}, and {} with the \
             history there is (worth {:.0} rollouts); {} is what was asked for.",
            view.trials,
            aborts.count,
            percent(aborts.share),
            between(aborts),
            view.independent,
            percent(view.asked_for),
        ),
    );
    line(
        &mut text,
        &format!(
            "Evidence of 4 was reached in {}: {} ({}); a fair bet does so in at most 25 %.",
            fours.count,
            percent(fours.share),
            between(fours),
        ),
    );
    for detection in &view.detections {
        let time = |seconds: Option<i64>| {
            seconds.map_or("more than the steps take".to_owned(), |seconds| {
                span(TimeDelta::seconds(seconds))
            })
        };
        line(
            &mut text,
            &format!(
                "A release that fails {} times as often is taken back in {} of {} rollouts: half \
                 of them within {}, nine in ten within {}.",
                detection.factor,
                detection.found,
                view.trials,
                time(detection.median_seconds),
                time(detection.nine_in_ten_seconds),
            ),
        );
    }
    text
}

/// A line per metric and cluster.
pub(super) fn traffic(rows: &[TrafficView]) -> String {
    let mut text = String::new();
    let widest = |column: fn(&TrafficView) -> &str, head: usize| {
        rows.iter().map(|row| column(row).chars().count()).chain([head]).max().unwrap_or(head)
    };
    let (metric, cluster) = (widest(|row| &row.metric, 6), widest(|row| &row.cluster, 7));
    line(
        &mut text,
        &format!(
            "{:metric$}  {:cluster$}  PODS  WINDOWS  EVENTS/S         BAD  DISPERSION  BATCH  \
             POD SPREAD",
            "METRIC", "CLUSTER"
        ),
    );
    for row in rows {
        line(
            &mut text,
            &format!(
                "{:metric$}  {:cluster$}  {:>4}  {:>7}  {:>8.1}  {:>10}  {:>10.2}  {:>5.2}  {:>10}",
                row.metric,
                row.cluster,
                row.pods,
                row.windows,
                row.events_per_second,
                format!("{:.4} %", row.bad_share * 100.0),
                row.dispersion,
                row.batch_mean,
                // A standard deviation of logarithms: one pod in six fails more often by so much.
                format!("{:.0} %", row.pod_sd.exp_m1() * 100.0),
            ),
        );
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn between(share: ShareView) -> String {
    format!("{} to {}", percent(share.low), percent(share.high))
}
