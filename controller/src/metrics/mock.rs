//! A Prometheus for tests: answers from a closure, on loopback, and remembers what it was asked.

use std::{
    cell::Cell,
    collections::BTreeMap,
    future,
    sync::{Arc, Mutex},
};

use axum::{Router, http::StatusCode, http::header::CONTENT_TYPE, routing::post};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use super::{Egress, Provider, Surroundings};

/// How the server answers a query.
pub(super) enum Reply {
    /// This result, as `(resultType, result)`.
    Result(&'static str, String),
    /// This status and body.
    Status(u16, String),
    /// Never.
    Silence,
}

pub(super) struct Mock {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// The server; it ends with the mock.
    _server: JoinSet<std::io::Result<()>>,
}

impl Mock {
    /// Serves `reply` to every query but `time()`, which gets the test's time plus `ahead`.
    pub(super) async fn start(
        ahead: TimeDelta,
        reply: impl Fn(&str) -> Reply + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/base", listener.local_addr().expect("its address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let handler = move |body: String| {
            let form = decode(&body);
            let query = form.get("query").cloned().unwrap_or_default();
            assert_eq!(form.get("time"), None, "the hub must not say what time it is");
            log.lock().expect("the log").push(query.clone());
            let reply = if query == "time()" {
                let now = seconds(now() + ahead);
                Reply::Result("scalar", format!("[{now},\"{now}\"]"))
            } else {
                reply(&query)
            };
            async move {
                let (status, body) = match reply {
                    Reply::Result(kind, result) => {
                        let data = format!(r#"{{"resultType":"{kind}","result":{result}}}"#);
                        (200, format!(r#"{{"status":"success","data":{data}}}"#))
                    }
                    Reply::Status(status, body) => (status, body),
                    Reply::Silence => future::pending().await,
                };
                let status = StatusCode::from_u16(status).expect("a status");
                (status, [(CONTENT_TYPE, "application/json")], body)
            }
        };
        let app = Router::new().route("/base/api/v1/query", post(handler));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await });
        Self { address, asked, _server: server }
    }

    pub(super) fn provider(&self, timeout: &str) -> Provider {
        provider(&self.address, timeout)
    }

    /// The queries since the last call, sorted: they are asked at once.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().expect("the log"));
        asked.sort();
        asked
    }
}

pub(super) fn provider(address: &str, timeout: &str) -> Provider {
    let spec = json!({"prometheus": {"address": address, "timeout": timeout}});
    let spec = serde_json::from_value(spec).expect("a provider");
    let surroundings = Surroundings { egress: Egress::to_loopback(), ..Surroundings::default() };
    Provider::new(&spec, &surroundings).expect("a provider")
}

thread_local! {
    /// The time of each test. It stands still and is the same in every run, so that a slow machine
    /// asks and waits for the same as a fast one, and the samples of one scrape have one timestamp,
    /// however many requests read them.
    static NOW: Cell<DateTime<Utc>> =
        const { Cell::new(DateTime::from_timestamp_secs(1_790_000_000).expect("a time")) };
}

/// Moves the time of this test on.
pub(super) fn pass(time: TimeDelta) {
    NOW.set(now() + time);
}

/// When samples of age 0 were taken, and what time it is: the same for a whole test.
pub(super) fn now() -> DateTime<Utc> {
    NOW.get()
}

/// One series of a range: labels, and samples as (age in seconds, value).
pub(super) fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> String {
    let labels: BTreeMap<_, _> = labels.iter().copied().collect();
    let metric = serde_json::to_string(&labels).expect("labels");
    let values: Vec<_> = samples
        .iter()
        .map(|(age, value)| {
            let at = seconds(now() - TimeDelta::seconds(*age));
            format!("[{at},\"{value}\"]")
        })
        .collect();
    format!(r#"{{"metric":{metric},"values":[{}]}}"#, values.join(","))
}

fn seconds(at: DateTime<Utc>) -> String {
    let ms = at.timestamp_millis();
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The fields of a form.
fn decode(body: &str) -> BTreeMap<String, String> {
    let text = |encoded: &str| {
        let mut bytes = Vec::new();
        let mut rest = encoded.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits =
                        [rest.next(), rest.next()].map(|d| char::from(d.expect("a digit")));
                    let digits: String = digits.iter().collect();
                    u8::from_str_radix(&digits, 16).expect("hexadecimal")
                }
                other => other,
            });
        }
        String::from_utf8(bytes).expect("UTF-8")
    };
    body.split('&')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}
