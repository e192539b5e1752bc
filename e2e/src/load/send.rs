//! Sending requests on a schedule.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::report::{LoadReport, Recorder};
use super::shape::Shape;

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

/// A connection that has been idle for so long is not used again. Contour's Envoy closes one after
/// 60 s (its `connection-idle-timeout`); a request that leaves at that moment is lost on any
/// client, whatever is released, so a client has to be the first to let go.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A load as the sender needs it.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) uri: Uri,
    pub(super) host: HeaderValue,
    pub(super) rps: u32,
    pub(super) shape: Shape,
    pub(super) keep_alive: bool,
    pub(super) max_in_flight: usize,
    pub(super) max_duration: Duration,
}

impl Schedule {
    /// Sends until it is stopped or its longest duration is over; then waits for what is in
    /// flight.
    pub(super) async fn run(self, recorder: Arc<Recorder>, mut stopped: watch::Receiver<bool>) {
        let client = self.client();
        let permits = Arc::new(Semaphore::new(self.max_in_flight));
        let mut in_flight = JoinSet::new();
        let start = Instant::now();
        let end = start + self.max_duration;
        let mut number = 0_u64;
        // Ends by the stop signal or at the end of the longest duration.
        loop {
            let due = start + self.shape.due(self.rps, number);
            if due >= end {
                break;
            }
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                // A time that has passed is ready at once: a late schedule catches up.
                () = sleep_until(due) => {}
            }
            number += 1;
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                recorder.overrun();
                continue;
            };
            recorder.sent();
            let at = Due { at: due, after: due - start };
            let exchange = exchange(client.clone(), self.request(), at, Arc::clone(&recorder));
            in_flight.spawn(async move {
                exchange.await;
                drop(permit);
            });
            while in_flight.try_join_next().is_some() {}
        }
        // Each has its own timeout.
        while in_flight.join_next().await.is_some() {}
    }

    fn client(&self) -> HttpClient {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(LoadReport::TIMEOUT));
        let mut builder = Client::builder(TokioExecutor::new());
        // hyper would send a request again if its connection was closed before it left. A
        // gateway that closes connections on a user is a finding, not something to hide.
        builder.retry_canceled_requests(false);
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX);
        if !self.keep_alive {
            builder.pool_max_idle_per_host(0);
        }
        builder.build(connector)
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        if !self.keep_alive {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        request
    }
}

/// When a request has to leave: as an instant, and since the load began.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    after: Duration,
}

/// One request and its answer, read to the end.
async fn exchange(
    client: HttpClient,
    request: Request<Empty<Bytes>>,
    due: Due,
    recorder: Arc<Recorder>,
) {
    let whole = async {
        let response = client.request(request).await.map_err(|error| chain(&error))?;
        let (head, body) = response.into_parts();
        body.collect().await.map_err(|error| chain(&error))?;
        Ok::<_, String>(head)
    };
    let lost = |reason: &str| {
        recorder.lost(format!("{reason}, {:.1} s after the load began", due.after.as_secs_f64()));
    };
    match timeout_at(due.at + LoadReport::TIMEOUT, whole).await {
        Ok(Ok(head)) => {
            let version = head.headers.get("x-version").and_then(|value| value.to_str().ok());
            recorder.answered(version, head.status, due.at.elapsed());
        }
        Ok(Err(reason)) => lost(&reason),
        Err(_) => lost(&format!("no answer within {:?}", LoadReport::TIMEOUT)),
    }
}

/// An error with its causes: hyper's own text is only "client error (Connect)".
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
