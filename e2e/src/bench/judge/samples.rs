//! What Prometheus has kept of a release, in one cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::http;
use crate::witness;

/// Answers of pods between two scrapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Delta {
    /// When the later of the two was.
    pub(super) at: DateTime<Utc>,
    /// Answers with a status from 500 on.
    pub(super) failed: f64,
    /// All answers.
    pub(super) total: f64,
}

/// The answers of both revisions in one cluster, each in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClusterSamples {
    pub(super) canary: Vec<Delta>,
    pub(super) stable: Vec<Delta>,
}

impl ClusterSamples {
    /// When the canary was first seen to have answered.
    pub(super) fn begun(&self) -> Option<DateTime<Utc>> {
        self.canary.iter().find(|delta| delta.total > 0.0).map(|delta| delta.at)
    }

    /// When both were last seen to have answered: after it, all traffic was the canary's or none.
    pub(super) fn beside_until(&self) -> Option<DateTime<Utc>> {
        let last = |deltas: &[Delta]| {
            deltas.iter().rev().find(|delta| delta.total > 0.0).map(|delta| delta.at)
        };
        Some(last(&self.canary)?.min(last(&self.stable)?))
    }
}

/// Failed answers and all of them, after `from` and until `to`.
pub(super) fn sum(deltas: &[Delta], from: DateTime<Utc>, to: DateTime<Utc>) -> (f64, f64) {
    let within = deltas.iter().filter(|delta| delta.at > from && delta.at <= to);
    within.fold((0.0, 0.0), |(failed, total), delta| (failed + delta.failed, total + delta.total))
}

/// The raw samples of the last `span` of the pods whose names begin with `prefix`.
pub(super) async fn fetch(
    prometheus: SocketAddr,
    namespace: &str,
    prefix: &str,
    span: Duration,
) -> anyhow::Result<Value> {
    let query = format!(
        "http_requests_total{{namespace=\"{namespace}\",pod=~\"{prefix}-.*\"}}[{}s]",
        span.as_secs()
    );
    let path = format!("/api/v1/query?query={}", witness::encoded(&query));
    let (status, body) = http::get(prometheus, &path).await?;
    ensure!(status == 200, "Prometheus answered {status} to {query}");
    Ok(serde_json::from_slice(&body)?)
}

/// The deltas of all pods of an answer. `born` says that the pods began within the answer's span:
/// what their first scrape shows has then happened since.
pub(super) fn deltas(answer: &Value, born: bool) -> anyhow::Result<Vec<Delta>> {
    let result = answer.pointer("/data/result").and_then(Value::as_array);
    // Per pod and scrape, in milliseconds since the epoch: failed and all.
    let mut pods: BTreeMap<&str, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
    for series in result.context("an answer without a result")? {
        let label = |name: &str| series["metric"][name].as_str().unwrap_or_default();
        let failed = label("code").starts_with('5');
        let scrapes = pods.entry(label("pod")).or_default();
        for sample in series["values"].as_array().into_iter().flatten() {
            let (at, value) = read(sample).context("a sample that is none")?;
            let (all_failed, all) = scrapes.entry(at).or_default();
            *all += value;
            *all_failed += if failed { value } else { 0.0 };
        }
    }
    let mut deltas = Vec::new();
    for scrapes in pods.values() {
        let mut before = born.then_some((0.0, 0.0));
        for (at, now) in scrapes {
            if let Some((failed, total)) = before {
                let at = DateTime::from_timestamp_millis(*at).context("a time beyond all dates")?;
                deltas.push(Delta { at, failed: now.0 - failed, total: now.1 - total });
            }
            before = Some(*now);
        }
    }
    deltas.sort_by_key(|delta| delta.at);
    Ok(deltas)
}

/// The scrapes of a pod that an answer has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Scrapes {
    /// Their number.
    pub(super) count: usize,
    /// When the one before the last was.
    pub(super) last_but_one: Option<DateTime<Utc>>,
}

/// The scrapes of each pod of an answer.
pub(super) fn scrapes(answer: &Value) -> anyhow::Result<Vec<Scrapes>> {
    let result = answer.pointer("/data/result").and_then(Value::as_array);
    let mut pods: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for series in result.context("an answer without a result")? {
        let of_pod = pods.entry(series["metric"]["pod"].as_str().unwrap_or_default()).or_default();
        for sample in series["values"].as_array().into_iter().flatten() {
            of_pod.insert(read(sample).context("a sample that is none")?.0);
        }
    }
    let of = |times: BTreeSet<i64>| Scrapes {
        count: times.len(),
        last_but_one: times.iter().nth_back(1).and_then(|at| DateTime::from_timestamp_millis(*at)),
    };
    Ok(pods.into_values().map(of).collect())
}

/// A sample as the API gives it: `[seconds, "value"]`.
fn read(sample: &Value) -> Option<(i64, f64)> {
    let seconds = sample.get(0)?.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century fit")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    Some((milliseconds, sample.get(1)?.as_str()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn answer() -> Value {
        let series = |pod: &str, code: &str, values: Value| json!({ "metric": { "pod": pod, "code": code }, "values": values });
        json!({ "data": { "result": [
            series("a", "200", json!([[100, "10"], [101.0004, "20"], [102, "20"]])),
            series("a", "500", json!([[100, "1"], [101.0004, "3"], [102, "3"]])),
            series("b", "200", json!([[101, "7"]])),
        ]}})
    }

    #[test]
    fn both_codes_of_a_scrape_make_one_delta() {
        let found = deltas(&answer(), false).unwrap();
        let expected = [
            Delta { at: at(101), failed: 2.0, total: 12.0 },
            Delta { at: at(102), failed: 0.0, total: 0.0 },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_scrapes_of_a_pod_are_counted_once_for_all_codes() {
        let found = scrapes(&answer()).unwrap();
        let second = DateTime::from_timestamp_millis(101_000).unwrap();
        let expected = [
            Scrapes { count: 3, last_but_one: Some(second) },
            Scrapes { count: 1, last_but_one: None },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_new_pod_shows_first_has_happened_since() {
        let found = deltas(&answer(), true).unwrap();
        assert_eq!(sum(&found, at(99), at(102)), (3.0, 30.0));
        assert_eq!(sum(&found, at(100), at(101)), (2.0, 19.0));
        assert_eq!(sum(&found, at(102), at(200)), (0.0, 0.0));
    }

    #[test]
    fn both_serve_until_one_of_them_is_quiet() {
        let delta = |seconds, total| Delta { at: at(seconds), failed: 0.0, total };
        let samples = ClusterSamples {
            canary: vec![delta(1, 0.0), delta(2, 5.0), delta(9, 5.0)],
            stable: vec![delta(1, 9.0), delta(6, 5.0), delta(7, 0.0)],
        };
        assert_eq!((samples.begun(), samples.beside_until()), (Some(at(2)), Some(at(6))));
        assert_eq!(ClusterSamples::default().beside_until(), None);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(deltas(&json!({ "status": "error" }), true).is_err());
        let odd = json!({ "data": { "result": [{ "metric": {}, "values": [["soon", "1"]] }] } });
        assert!(deltas(&odd, true).is_err());
    }
}
