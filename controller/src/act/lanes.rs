//! Lanes: one write under way per object, with a deadline and a pause after failures, and no
//! member ever in another's way. Nothing here is awaited by a pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::Method;
use kube::Client;
use lockflight_planner::MemberId;
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};

use super::write::{Kind, Write};
use crate::{
    fleet::client::CALL_TIMEOUT,
    fleet::{NamespaceView, Route},
    telemetry::Metrics,
};

/// First and longest pause after a failed write. Short at the top: a cause that goes away must
/// not be outlived by its pause.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A write that is asked for again so soon after it succeeded had no effect: somebody undoes it.
const REPEAT_WINDOW: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    member: MemberId,
    kind: Kind,
    name: String,
    urgent: bool,
}

#[derive(Debug, Default)]
struct Memory {
    failures: u32,
    not_before: Option<Instant>,
    refusal: Option<String>,
    last_success: Option<(Value, Instant)>,
}

/// The lanes of one Rollout.
#[derive(Debug, Default)]
pub struct Lanes {
    tasks: JoinSet<(Lane, Value, Outcome)>,
    under_way: BTreeSet<Lane>,
    memory: BTreeMap<Lane, Memory>,
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Accepted.
    Accepted,
    /// The object had changed; it was read again.
    Conflict,
    /// Refused or unanswered; why, in a sentence.
    Failed(String),
}

impl Outcome {
    /// Name in metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Conflict => "conflict",
            Self::Failed(_) => "failed",
        }
    }
}

impl Lanes {
    /// Sends a write, unless its lane is busy or pauses. Returns at once; the time at which a
    /// pausing lane opens again, if it does.
    pub fn send(
        &mut self,
        member: &MemberId,
        client: &Client,
        view: &std::sync::Arc<NamespaceView>,
        write: Write,
        metrics: &Metrics,
    ) -> Option<Instant> {
        let lane = Lane {
            member: member.clone(),
            kind: write.kind,
            name: write.name.clone(),
            urgent: write.urgent,
        };
        if self.under_way.contains(&lane) {
            return None;
        }
        let now = Instant::now();
        let memory = self.memory.entry(lane.clone()).or_default();
        if let Some(at) = memory.not_before.filter(|at| *at > now) {
            return Some(at);
        }
        let repeated = memory
            .last_success
            .as_ref()
            .is_some_and(|(body, at)| *body == intent(&write.body) && now - *at < REPEAT_WINDOW);
        if repeated {
            let at = memory.pause(now);
            return Some(at);
        }
        log(member, &write);
        metrics.write_sent(write.kind.name());
        self.under_way.insert(lane.clone());
        let (client, view) = (client.clone(), std::sync::Arc::clone(view));
        let metrics = metrics.writes();
        self.tasks.spawn(async move {
            let begun = Instant::now();
            let outcome = perform(&client, &view, &write).await;
            let (member, kind) = (&lane.member.0, write.kind.name());
            metrics.ended(member, kind, outcome.name(), begun.elapsed());
            (lane, intent(&write.body), outcome)
        });
        None
    }

    /// Waits until a write has ended. Pending for ever while none is under way.
    pub async fn ended(&mut self) {
        let Some(joined) = self.tasks.join_next().await else {
            return std::future::pending().await;
        };
        let Ok((lane, body, outcome)) = joined else {
            // Only a panic ends a task early; its lane must not stay closed.
            self.under_way.clear();
            return;
        };
        self.under_way.remove(&lane);
        let now = Instant::now();
        let memory = self.memory.entry(lane.clone()).or_default();
        match outcome {
            Outcome::Accepted => {
                *memory = Memory { last_success: Some((body, now)), ..Memory::default() };
            }
            Outcome::Conflict => memory.conflict(now),
            Outcome::Failed(why) => {
                let (cluster, kind) = (&lane.member.0, lane.kind.name());
                tracing::warn!(cluster, kind, name = lane.name, why, "write failed");
                memory.refusal = Some(format!("{kind} {}: {why}", lane.name));
                memory.pause(now);
            }
        }
    }

    /// Members with a write to a route under way: what their routes say may change any moment.
    #[must_use]
    pub fn routes_under_way(&self) -> BTreeSet<MemberId> {
        let routes = self.under_way.iter().filter(|lane| lane.kind == Kind::Route);
        routes.map(|lane| lane.member.clone()).collect()
    }

    /// Writes that members refused and that have not succeeded since.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<MemberId, Vec<String>> {
        let mut refusals: BTreeMap<MemberId, Vec<String>> = BTreeMap::new();
        for (lane, memory) in &self.memory {
            if let Some(refusal) = &memory.refusal {
                refusals.entry(lane.member.clone()).or_default().push(refusal.clone());
            }
        }
        refusals
    }

    /// Forgets pauses and refusals: the direction has changed, or the member is back.
    pub fn reset(&mut self) {
        self.memory.clear();
    }
}

impl Memory {
    fn pause(&mut self, now: Instant) -> Instant {
        let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(10)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        let at = now + pause;
        self.not_before = Some(at);
        at
    }

    /// A conflict is part of normal life (other controllers write status); only a row of them
    /// is slowed down.
    fn conflict(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = (self.failures > 5).then(|| now + PAUSE_MIN);
    }
}

/// Bodies of routes are logged, they are weights; a pod template may hold what no log should.
fn log(member: &MemberId, write: &Write) {
    let (cluster, kind, name) = (&member.0, write.kind.name(), &write.name);
    match write.kind {
        Kind::Route => tracing::info!(cluster, kind, name, body = %write.body, "write"),
        Kind::Deployment | Kind::Service => {
            tracing::info!(cluster, kind, name, method = %write.method, "write");
        }
    }
}

/// A body without its precondition: what is wanted, whatever the version.
fn intent(body: &Value) -> Value {
    let mut body = body.clone();
    match &mut body {
        Value::Array(patch) => patch.retain(|op| op.get("op") != Some(&Value::from("test"))),
        Value::Object(object) => {
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("resourceVersion");
            }
        }
        _ => {}
    }
    body
}

async fn perform(client: &Client, view: &NamespaceView, write: &Write) -> Outcome {
    let body = serde_json::to_vec(&write.body).unwrap_or_default();
    let request = http::Request::builder()
        .method(write.method.clone())
        .uri(write.path())
        .header(http::header::CONTENT_TYPE, write.content_type)
        .body(body);
    let Ok(request) = request else {
        return Outcome::Failed("the request cannot be built".to_owned());
    };
    match tokio::time::timeout(CALL_TIMEOUT, client.request::<Value>(request)).await {
        Ok(Ok(object)) => {
            if write.method != Method::DELETE {
                land(view, write.kind, object);
            }
            Outcome::Accepted
        }
        // 422 is also what a failed "test" of a JSON patch is answered with; whether it was that
        // or a true refusal shows when the object is read again.
        Ok(Err(kube::Error::Api(status)))
            if status.code == 409 || (status.code == 422 && write.kind == Kind::Route) =>
        {
            if read_again(client, view, write).await {
                Outcome::Conflict
            } else {
                Outcome::Failed(crate::fleet::sentence(&kube::Error::Api(status)))
            }
        }
        Ok(Err(error)) => Outcome::Failed(crate::fleet::sentence(&error)),
        Err(_) => Outcome::Failed(format!("no answer within {} s", CALL_TIMEOUT.as_secs())),
    }
}

async fn read_again(client: &Client, view: &NamespaceView, write: &Write) -> bool {
    let Ok(request) = http::Request::get(write.object_path()).body(Vec::new()) else {
        return false;
    };
    match tokio::time::timeout(CALL_TIMEOUT, client.request::<Value>(request)).await {
        Ok(Ok(object)) => {
            land(view, write.kind, object);
            true
        }
        Ok(Err(_)) | Err(_) => false,
    }
}

/// Puts an answer where the next look finds it: our own writes are seen at once.
fn land(view: &NamespaceView, kind: Kind, object: Value) {
    match kind {
        Kind::Deployment => drop(serde_json::from_value(object).map(|o| view.deployments.put(o))),
        Kind::Service => drop(serde_json::from_value(object).map(|o| view.services.put(o))),
        Kind::Route => drop(serde_json::from_value::<Route>(object).map(|o| view.routes.put(o))),
    }
}
