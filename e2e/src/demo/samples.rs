//! Raw samples from a member's Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::ensure;
use chrono::{DateTime, Utc};
use lockflight_analysis::{Sample, Series};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::service::Place;
use crate::{addresses, http};

const DEADLINE: Duration = Duration::from_secs(2);

/// The raw samples of some counters.
pub(super) struct Samples(Vec<Counter>);

#[derive(Deserialize)]
struct Answer<T> {
    data: Data<T>,
}

#[derive(Deserialize)]
struct Data<T> {
    result: Vec<T>,
}

#[derive(Deserialize)]
struct Value {
    value: (f64, String),
}

#[derive(Deserialize)]
struct Counter {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

impl Samples {
    /// Asks for the samples of the last `seconds`.
    pub(super) async fn ask(place: &Place, selector: &str, seconds: i64) -> anyhow::Result<Self> {
        Ok(Self(ask(place, &format!("{selector}[{seconds}s]")).await?))
    }

    /// The counters of pods whose name begins so.
    pub(super) fn of_pods(&self, prefix: &str) -> Vec<Series> {
        let series = |counter: &Counter| {
            let pod = counter.metric.get("pod").filter(|pod| pod.starts_with(prefix))?;
            let samples = counter.values.iter().filter_map(sample).collect();
            Some(Series { source: pod.clone(), key: format!("{:?}", counter.metric), samples })
        };
        self.0.iter().filter_map(series).collect()
    }
}

/// The values of an instant query with a vector as its result.
pub(super) async fn values(place: &Place, query: &str) -> anyhow::Result<Vec<f64>> {
    let results: Vec<Value> = ask(place, query).await?;
    results.iter().map(|result| Ok(result.value.1.parse()?)).collect()
}

async fn ask<T: DeserializeOwned>(place: &Place, query: &str) -> anyhow::Result<Vec<T>> {
    let prometheus = (addresses::prometheus(place.index), addresses::PROMETHEUS_PORT);
    let path = format!("/api/v1/query?query={}", escaped(query));
    let (status, body) = timeout(DEADLINE, http::get(prometheus, &path)).await??;
    ensure!(status == 200, "Prometheus answered {status}");
    let answer: Answer<T> = serde_json::from_slice(&body)?;
    Ok(answer.data.result)
}

fn sample((seconds, value): &(f64, String)) -> Option<Sample> {
    let since_epoch = Duration::try_from_secs_f64(*seconds).ok()?;
    let millis = i64::try_from(since_epoch.as_millis()).ok()?;
    let at = DateTime::<Utc>::from_timestamp_millis(millis)?;
    Some(Sample { at, value: value.parse().ok()? })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_sorted_by_pod() {
        let answer: Answer<Counter> = serde_json::from_str(
            r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"pod":"checkout-a-1","code":"200"},"values":[[1.5,"3"],[2.5,"5"]]},
            {"metric":{"pod":"checkout-b-1","code":"200"},"values":[[1.5,"9"]]}]}}"#,
        )
        .unwrap();
        let samples = Samples(answer.data.result);
        let series = samples.of_pods("checkout-a-");
        assert_eq!(series.len(), 1);
        assert_eq!(series[0].samples[1].at.timestamp_millis(), 2500);
        assert!((series[0].samples[1].value - 5.0).abs() < f64::EPSILON);
        assert!(samples.of_pods("checkout-c-").is_empty());
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(escaped("a{b=\"c\"}[9s]"), "a%7Bb%3D%22c%22%7D%5B9s%5D");
    }
}
