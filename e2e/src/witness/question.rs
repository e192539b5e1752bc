//! Somebody else who asks a gate's question, far more often than the hub may.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lockflight_analysis::{Condition, Verdict, threshold};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::http;

const EVERY: Duration = Duration::from_millis(50);

/// The question of a threshold gate about one canary.
pub(crate) struct Question {
    pub(crate) prometheus: SocketAddr,
    /// The gate's query; `{{window}}` in it stands for the time since the evidence opened.
    pub(crate) query: String,
    pub(crate) condition: Condition,
    pub(crate) opened_at: DateTime<Utc>,
}

impl Question {
    /// Repeats the question until the answer is that the canary fails; when that was asked.
    pub(crate) async fn first_failure(&self, deadline: Duration) -> anyhow::Result<DateTime<Utc>> {
        let end = Instant::now() + deadline;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        while Instant::now() < end {
            ticks.tick().await;
            let asked = Utc::now();
            let (verdict, _) = threshold("observer", &self.condition, &self.ask().await?, 0, 0);
            if verdict.verdict == Verdict::Fail {
                return Ok(asked);
            }
            last = Some(verdict);
        }
        anyhow::bail!("waited {deadline:?} for the canary to fail; the last verdict was {last:?}")
    }

    /// The values of the gate's own query.
    async fn ask(&self) -> anyhow::Result<Vec<f64>> {
        let window = format!("{}s", (Utc::now() - self.opened_at).num_seconds().max(1));
        let query = encoded(&self.query.replace("{{window}}", &window));
        let path = format!("/api/v1/query?query={query}");
        let (status, body) = http::get(self.prometheus, &path).await?;
        anyhow::ensure!(status == 200, "Prometheus answered {status} to {}", self.query);
        let answer: Value = serde_json::from_slice(&body)?;
        let result = answer.pointer("/data/result").and_then(Value::as_array);
        let values = result.context("an answer without a result")?.iter().map(|series| {
            let value = series.pointer("/value/1").and_then(Value::as_str);
            Ok(value.context("a series without a value")?.parse()?)
        });
        values.collect()
    }
}

/// For a query in a URL.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.as_bytes().iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn queries_go_into_urls() {
        assert_eq!(super::encoded("a_1{b=~\"c\"}"), "a_1%7Bb%3D%7E%22c%22%7D");
    }
}
