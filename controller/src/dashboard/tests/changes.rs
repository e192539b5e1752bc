//! The stream.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    http::Response,
};
use chrono::Utc;
use futures::StreamExt as _;
use lockflight_crds::VerdictState;
use serde_json::Value;

use super::harness::{Bed, bed, value};
use crate::dashboard::{
    Access, AgainstBar, Arm, Balance, EvidencePoint, Seen, SeriesFacts, SeriesKey,
    view::testing::progressing,
};

/// Longest wait for something that has to come.
const PATIENCE: Duration = Duration::from_mins(1);

struct Reader {
    data: BodyDataStream,
}

impl Reader {
    fn of(response: Response<Body>) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { data: response.into_body().into_data_stream() }
    }

    /// The next event: its kind, its cursor, its data.
    async fn next(&mut self) -> (String, String, Value) {
        let piece = tokio::time::timeout(PATIENCE, self.data.next()).await.unwrap();
        let text = String::from_utf8(piece.unwrap().unwrap().to_vec()).unwrap();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim_start_matches(':').trim().to_owned()).unwrap_or_default()
        };
        let data = serde_json::from_str(&field("data")).unwrap();
        (field("event"), field("id"), data)
    }

    async fn ends(mut self) -> bool {
        tokio::time::timeout(PATIENCE, self.data.next()).await.unwrap().is_none()
    }
}

async fn open(bed: &Bed, token: &str, query: &str, cursor: &str) -> Reader {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("last-event-id", cursor)];
    Reader::of(bed.send("GET", &format!("/api/v1/stream{query}"), &headers, "").await)
}

async fn cursor(bed: &Bed) -> String {
    let headers = [("authorization", "Bearer viewer")];
    let snapshot = value(bed.send("GET", "/api/v1/snapshot", &headers, "").await).await;
    snapshot["cursor"].as_str().unwrap().to_owned()
}

fn change(bed: &Bed, version: &str) {
    let mut rollout = progressing();
    rollout.metadata.resource_version = Some(version.to_owned());
    bed.rollouts.put(rollout);
    bed.refresh();
}

fn names(frame: &Value) -> Vec<&str> {
    let rows = frame["rollouts"].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_reader_gets_what_changed_after_its_cursor_and_resumes() {
    let bed = bed(Access::token);
    let start = cursor(&bed).await;
    let mut reader = open(&bed, "viewer", "", &start).await;
    change(&bed, "71");
    let (kind, first, frame) = reader.next().await;
    assert_eq!((kind.as_str(), names(&frame)), ("frame", vec!["checkout"]));
    drop(reader);
    // Missed changes come as one, in their newest form.
    change(&bed, "72");
    change(&bed, "73");
    let mut reader = open(&bed, "viewer", "", &first).await;
    let (_, second, frame) = reader.next().await;
    assert_eq!(names(&frame), ["checkout"]);
    assert_ne!(first, second);
    bed.live.store(false, Ordering::Relaxed);
    bed.refresh();
    let (_, _, frame) = reader.next().await;
    assert_eq!((frame["live"].as_bool(), names(&frame).len()), (Some(false), 0));
}

#[tokio::test]
async fn deletions_are_told_once_and_a_strange_cursor_starts_over() {
    let bed = bed(Access::token);
    let start = cursor(&bed).await;
    bed.rollouts.remove(&progressing());
    bed.refresh();
    let mut reader = open(&bed, "viewer", "", &start).await;
    let (_, _, frame) = reader.next().await;
    assert_eq!(frame["goneRollouts"], serde_json::json!(["shop/checkout"]));
    for strange in ["deadbeef-1-0", &format!("{}9-0", start.trim_end_matches("-0"))] {
        let mut reader = open(&bed, "viewer", "", strange).await;
        assert_eq!(reader.next().await.0, "resync", "{strange}");
        assert!(reader.ends().await);
    }
}

#[tokio::test]
async fn a_stream_tells_nothing_of_other_namespaces() {
    let bed = bed(Access::token);
    let mut reader = open(&bed, "shopper", "?rollout=bank/ledger", "").await;
    let (_, _, frame) = reader.next().await;
    assert_eq!(names(&frame), ["checkout"]);
    assert!(frame.get("page").is_none() && frame.get("clusters").is_none());
}

#[tokio::test]
async fn the_open_rollout_and_its_evidence_come_on_the_same_stream() {
    let bed = bed(Access::token);
    let start = cursor(&bed).await;
    let query = "?rollout=shop/checkout&cluster=us-east-1";
    let mut reader = open(&bed, "viewer", query, &start).await;
    let (_, _, frame) = reader.next().await;
    assert_eq!(frame["page"]["why"]["sentence"], "us-east-1: step 2 bakes for 30s.");
    assert!(names(&frame).is_empty());
    let key = SeriesKey {
        namespace: "shop".to_owned(),
        rollout: "checkout".to_owned(),
        cluster: "us-east-1".to_owned(),
        metric: "errors".to_owned(),
    };
    let point = EvidencePoint {
        at: Utc::now(),
        step: 2,
        verdict: VerdictState::Pass,
        seen: Seen::Compared {
            canary: Arm { bad: 1.0, total: 50.0 },
            stable: Arm { bad: 2.0, total: 100.0 },
            balance: Balance {
                abort: Some(AgainstBar { ln_e: 0.5, bar: 4.6 }),
                promote: Some(AgainstBar { ln_e: 0.1, bar: 3.0 }),
            },
        },
    };
    let facts = SeriesFacts { attempt: 3, ..SeriesFacts::default() };
    bed.evidence.push(key.clone(), facts.clone(), Some(point));
    let (_, _, frame) = reader.next().await;
    assert_eq!(frame["analysis"]["series"][0]["canaryTotal"], serde_json::json!([50.0]));
    bed.evidence.push(key, facts, Some(EvidencePoint { step: 3, ..point }));
    let (_, _, frame) = reader.next().await;
    assert_eq!(frame["analysis"]["series"][0]["atMs"].as_array().unwrap().len(), 1);
    assert_eq!(frame["analysis"]["whole"], false);
}

#[tokio::test]
async fn streams_of_one_user_are_bounded_and_given_back() {
    let bed = bed(Access::token);
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(open(&bed, "viewer", "", "").await);
    }
    let headers = [("authorization", "Bearer viewer")];
    let refused = bed.send("GET", "/api/v1/stream", &headers, "").await;
    assert_eq!(refused.status().as_u16(), 429);
    assert_eq!(bed.dashboard.shared().streams.count(), 16);
    drop(readers);
    assert_eq!(bed.dashboard.shared().streams.count(), 0);
    open(&bed, "viewer", "", "").await;
}
