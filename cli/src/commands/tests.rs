//! The commands against an API server of a few lines.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use lockflight_crds::Rollout;
use serde_json::{Value, json};

use super::{annotate, get, promote, status};
use crate::{
    Exit, Failure,
    arguments::{Abort, Get, GetOutput, Promote, Status, Until},
    session::Session,
    testing,
};

/// What the API server was asked.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    method: Method,
    query: String,
    body: Value,
}

/// An API server that holds one rollout. A patch of annotations meets a hub that handles it at
/// once; `conflicts` patches are refused before.
#[derive(Clone)]
pub(super) struct Hub {
    state: Arc<Mutex<(Rollout, VecDeque<Asked>)>>,
    conflicts: Arc<Mutex<usize>>,
}

impl Hub {
    pub(super) fn with(rollout: Rollout) -> Self {
        Self {
            state: Arc::new(Mutex::new((rollout, VecDeque::new()))),
            conflicts: Arc::new(Mutex::new(0)),
        }
    }

    pub(super) fn session(&self) -> Session {
        let hub = self.clone();
        let service = tower::service_fn(move |request| {
            let hub = hub.clone();
            async move { Ok::<_, std::convert::Infallible>(hub.answer(request).await) }
        });
        Session::over(Client::new(service, "shop"))
    }

    fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().1.iter().cloned().collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        let asked = Asked { method: parts.method.clone(), query: query.clone(), body };
        if parts.method == Method::PATCH {
            let mut conflicts = self.conflicts.lock().unwrap();
            if *conflicts > 0 {
                *conflicts -= 1;
                state.1.push_back(asked);
                return failure(409, "the object has been modified");
            }
            handle(&mut state.0, &asked.body);
        }
        state.1.push_back(asked);
        if !query.contains("fieldSelector") {
            return answer(200, &json!(state.0));
        }
        let list = json!({
            "apiVersion": "lockflight.dev/v1alpha1", "kind": "RolloutList",
            "metadata": {"resourceVersion": "71"}, "items": [state.0],
        });
        answer(200, &list)
    }
}

/// What the real hub would do with the annotations of a patch.
fn handle(rollout: &mut Rollout, patch: &Value) {
    let annotations = &patch["metadata"]["annotations"];
    let handled = &mut rollout.status.as_mut().unwrap().handled;
    if let Some(tokens) = annotations["lockflight.dev/promote"].as_str() {
        handled.promote = Some(tokens.to_owned());
    }
    if let Some(number) = annotations["lockflight.dev/retry"].as_str() {
        handled.retry = Some(number.to_owned());
    }
}

fn answer(code: u16, body: &Value) -> Response<Body> {
    Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
}

fn failure(code: u16, message: &str) -> Response<Body> {
    answer(
        code,
        &json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "reason": "Conflict", "message": message,
        }),
    )
}

fn gates(cluster: Option<&str>, token: Option<&str>, all: bool) -> Promote {
    let owned = |text: &str| text.to_owned();
    Promote {
        name: "checkout".to_owned(),
        cluster: cluster.map(owned),
        token: token.map(owned),
        all,
    }
}

fn annotated(asked: &[Asked], annotation: &str) -> Vec<Value> {
    let patches = asked.iter().filter(|asked| asked.method == Method::PATCH);
    patches.map(|patch| patch.body["metadata"]["annotations"][annotation].clone()).collect()
}

#[tokio::test]
async fn get_is_one_request() {
    let hub = Hub::with(testing::progressing());
    let get = Get { name: "checkout".to_owned(), watch: false, output: GetOutput::Tree };
    assert_eq!(get::run(&hub.session(), &get).await.unwrap(), Exit::Ok);
    assert_eq!(hub.asked().len(), 1);
}

#[tokio::test]
async fn promote_refuses_to_guess_and_writes_nothing() {
    let hub = Hub::with(testing::awaiting_approval());
    let failure = promote::run(&hub.session(), &gates(None, None, false)).await.unwrap_err();
    assert!(matches!(&failure, Failure::Gates(text) if text.contains("--token 3-rest-9f2c")));
    assert_eq!(failure.exit(), Exit::Usage);
    let stale = gates(None, Some("2-rest-0000"), false);
    assert!(promote::run(&hub.session(), &stale).await.is_err());
    assert_eq!(annotated(&hub.asked(), "lockflight.dev/promote"), Vec::<Value>::new());
}

#[tokio::test]
async fn promote_sends_exactly_the_tokens_that_are_meant() {
    let table = [
        (gates(None, Some("3-rest-9f2c"), false), "3-rest-9f2c"),
        (gates(Some("us-east-1"), None, false), "3-us-east-1-77ab"),
        (gates(None, None, true), "3-rest-9f2c,3-us-east-1-77ab"),
    ];
    for (promote, value) in table {
        let hub = Hub::with(testing::awaiting_approval());
        assert_eq!(promote::run(&hub.session(), &promote).await.unwrap(), Exit::Ok);
        assert_eq!(annotated(&hub.asked(), "lockflight.dev/promote"), [json!(value)]);
        let patch = hub.asked().into_iter().find(|asked| asked.method == Method::PATCH).unwrap();
        assert!(patch.query.contains("fieldManager=kubectl-lockflight"), "{}", patch.query);
        assert_eq!(patch.body["metadata"]["resourceVersion"], json!("70"));
    }
}

#[tokio::test]
async fn promote_reads_again_when_another_writer_was_faster() {
    let hub = Hub::with(testing::awaiting_approval());
    *hub.conflicts.lock().unwrap() = 2;
    let exit = promote::run(&hub.session(), &gates(None, None, true)).await.unwrap();
    assert_eq!(exit, Exit::Ok);
    assert_eq!(annotated(&hub.asked(), "lockflight.dev/promote").len(), 3);
}

#[tokio::test]
async fn promote_keeps_what_another_person_has_just_approved() {
    let mut rollout = testing::awaiting_approval();
    let standing = ("lockflight.dev/promote".to_owned(), "3-other-1111".to_owned());
    rollout.metadata.annotations = Some([standing].into());
    let hub = Hub::with(rollout);
    let exit = promote::run(&hub.session(), &gates(None, Some("3-rest-9f2c"), false)).await;
    assert_eq!(exit.unwrap(), Exit::Ok);
    let expected = json!("3-other-1111,3-rest-9f2c");
    assert_eq!(annotated(&hub.asked(), "lockflight.dev/promote"), [expected]);
}

#[tokio::test]
async fn promote_sends_many_gates_in_parts_that_the_hub_reads() {
    let mut rollout = testing::awaiting_approval();
    let waiting = &mut rollout.status.as_mut().unwrap().waiting;
    let gate = waiting[1].clone();
    waiting.extend((0..98).map(|number| lockflight_crds::WaitingStatus {
        token: Some(format!("token-{number}")),
        ..gate.clone()
    }));
    let hub = Hub::with(rollout);
    let exit = promote::run(&hub.session(), &gates(None, None, true)).await.unwrap();
    assert_eq!(exit, Exit::Ok);
    let values = annotated(&hub.asked(), "lockflight.dev/promote");
    let counts: Vec<_> = values.iter().map(|v| v.as_str().unwrap().split(',').count()).collect();
    assert_eq!(counts, [64, 36]);
}

#[tokio::test]
async fn what_the_hub_has_seen_before_is_sent_as_something_new() {
    let mut rollout = testing::aborted();
    rollout.status.as_mut().unwrap().handled.retry = Some("3".to_owned());
    let hub = Hub::with(rollout);
    assert_eq!(annotate::retry(&hub.session(), "checkout").await.unwrap(), Exit::Ok);
    assert_eq!(annotated(&hub.asked(), "lockflight.dev/retry"), [json!("3 ")]);
    let mut rollout = testing::awaiting_approval();
    rollout.status.as_mut().unwrap().handled.promote = Some("3-rest-9f2c".to_owned());
    let hub = Hub::with(rollout);
    let promote = gates(None, Some("3-rest-9f2c"), false);
    assert_eq!(promote::run(&hub.session(), &promote).await.unwrap(), Exit::Ok);
    assert_eq!(annotated(&hub.asked(), "lockflight.dev/promote"), [json!("3-rest-9f2c,")]);
}

#[tokio::test]
async fn abort_is_sent_whatever_the_state_looks_like() {
    for rollout in [testing::progressing(), testing::completed()] {
        let hub = Hub::with(rollout);
        let abort = Abort { name: "checkout".to_owned(), reason: "latency".to_owned() };
        assert_eq!(annotate::abort(&hub.session(), &abort).await.unwrap(), Exit::Ok);
        assert_eq!(annotated(&hub.asked(), "lockflight.dev/abort"), [json!("latency")]);
    }
}

#[tokio::test]
async fn retry_names_the_attempt_and_needs_an_aborted_one() {
    let hub = Hub::with(testing::aborted());
    assert_eq!(annotate::retry(&hub.session(), "checkout").await.unwrap(), Exit::Ok);
    assert_eq!(annotated(&hub.asked(), "lockflight.dev/retry"), [json!("3")]);
    let hub = Hub::with(testing::progressing());
    let failure = annotate::retry(&hub.session(), "checkout").await.unwrap_err();
    assert!(failure.to_string().contains("attempt 3"), "{failure}");
    assert_eq!(annotated(&hub.asked(), "lockflight.dev/retry"), Vec::<Value>::new());
}

#[tokio::test]
async fn pause_and_resume_set_and_remove() {
    let hub = Hub::with(testing::progressing());
    annotate::pause(&hub.session(), "checkout").await.unwrap();
    annotate::resume(&hub.session(), "checkout").await.unwrap();
    let values = annotated(&hub.asked(), "lockflight.dev/pause");
    assert_eq!(values, [json!("paused with kubectl lockflight"), Value::Null]);
    let resume = &hub.asked().pop().unwrap().body;
    let annotations = resume["metadata"]["annotations"].as_object().unwrap();
    assert!(annotations.contains_key("lockflight.dev/pause"), "null removes: {resume}");
}

#[tokio::test]
async fn status_answers_by_its_exit_code() {
    const HOUR: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(50);
    let table = [
        (testing::completed(), None, HOUR, Exit::Ok),
        (testing::progressing(), None, HOUR, Exit::Ok),
        (testing::aborted(), Some(Until::Completed), HOUR, Exit::Aborted),
        (testing::awaiting_approval(), None, HOUR, Exit::Waiting),
        (testing::awaiting_approval(), Some(Until::Paused), HOUR, Exit::Ok),
        (testing::progressing(), Some(Until::Any), SHORT, Exit::Timeout),
    ];
    for (rollout, until, timeout, exit) in table {
        let hub = Hub::with(rollout);
        let status =
            Status { name: "checkout".to_owned(), watch: false, until, timeout, output: None };
        assert_eq!(status::run(&hub.session(), &status).await.unwrap(), exit, "{until:?}");
    }
}
