//! Somebody else who asks the gate's question, far more often than the hub may.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lockflight_analysis::{
    ArmWindow, Birth, ComparisonRule, Sample, Series, Verdict, Windows, compare,
};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::http;

const EVERY: Duration = Duration::from_millis(50);
/// Further back than any run has lasted.
const LOOKBACK: &str = "120s";

/// The gate's question about one canary.
pub(super) struct Question {
    pub(super) prometheus: SocketAddr,
    /// Selectors of the bad and of all events.
    pub(super) bad: String,
    pub(super) total: String,
    pub(super) canary: BTreeSet<String>,
    pub(super) stable: BTreeSet<String>,
    pub(super) opened_at: DateTime<Utc>,
    pub(super) rule: ComparisonRule,
}

impl Question {
    /// Repeats the question until the answer is that the canary fails; when that was asked.
    pub(super) async fn first_failure(&self, deadline: Duration) -> anyhow::Result<DateTime<Utc>> {
        let end = Instant::now() + deadline;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        while Instant::now() < end {
            ticks.tick().await;
            let asked = Utc::now();
            let verdict = self.ask().await?;
            if verdict.verdict == Verdict::Fail {
                return Ok(asked);
            }
            last = Some(verdict);
        }
        anyhow::bail!("waited {deadline:?} for the canary to fail; the last verdict was {last:?}")
    }

    /// The gate's own rule on the gate's own samples.
    async fn ask(&self) -> anyhow::Result<lockflight_analysis::MetricVerdict> {
        let (bad, total) = tokio::try_join!(self.read(&self.bad), self.read(&self.total))?;
        let arm = |pods: &BTreeSet<String>| {
            let of = |series: &BTreeMap<String, Vec<Series>>| {
                pods.iter().filter_map(|pod| series.get(pod)).flatten().cloned().collect()
            };
            ArmWindow { bad: of(&bad), total: of(&total) }
        };
        let windows = Windows {
            opened_at: self.opened_at,
            judged_at: Utc::now(),
            scrape_interval: None,
            canary_birth: Birth::FromZero,
            canary: arm(&self.canary),
            stable: Some(arm(&self.stable)),
        };
        Ok(compare("observer", &self.rule, &windows))
    }

    async fn read(&self, selector: &str) -> anyhow::Result<BTreeMap<String, Vec<Series>>> {
        let query = encoded(&format!("{selector}[{LOOKBACK}]"));
        let path = format!("/api/v1/query?query={query}");
        let (status, body) = http::get(self.prometheus, &path).await?;
        anyhow::ensure!(status == 200, "Prometheus answered {status} to {selector}");
        let answer: Value = serde_json::from_slice(&body)?;
        let result = answer.pointer("/data/result").and_then(Value::as_array);
        let mut by_pod: BTreeMap<String, Vec<Series>> = BTreeMap::new();
        for series in result.context("an answer without a result")? {
            let pod = series["metric"]["pod"].as_str().unwrap_or_default().to_owned();
            let samples = series["values"].as_array().into_iter().flatten().filter_map(sample);
            by_pod.entry(pod.clone()).or_default().push(Series {
                source: pod,
                key: series["metric"].to_string(),
                samples: samples.collect(),
            });
        }
        Ok(by_pod)
    }
}

fn sample(pair: &Value) -> Option<Sample> {
    #[expect(clippy::cast_possible_truncation, reason = "a time in this century")]
    let ms = (pair.get(0)?.as_f64()? * 1000.0).round() as i64;
    Some(Sample {
        at: DateTime::from_timestamp_millis(ms)?,
        value: pair.get(1)?.as_str()?.parse().ok()?,
    })
}

/// For a query in a URL.
fn encoded(text: &str) -> String {
    let byte = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.as_bytes().iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn reading_prometheus() {
        assert_eq!(super::encoded("a_1{b=~\"c\"}"), "a_1%7Bb%3D%7E%22c%22%7D");
        let sample = super::sample(&json!([1.2345, "7"])).unwrap();
        assert_eq!((sample.at.timestamp_millis(), sample.value), (1235, 7.0));
        assert!(super::sample(&json!(["x"])).is_none());
    }
}
