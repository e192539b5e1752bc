//! HTTP to the dashboard, from an address of choice: wrong tries are counted per address.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use lockflight_e2e::addresses::HUB_DASHBOARD;
use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// An answer of the dashboard: ten times what it needs.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest line of a stream: the whole fleet of a test is far smaller.
const EVENT_BYTES_MAX: usize = 4 << 20;

static NEXT_ADDRESS: AtomicU16 = AtomicU16::new(0);

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

/// An answer; streams are only looked at as far as their head.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }
}

/// Sends a request from an address that nobody has used before.
pub(crate) async fn send(ask: Ask<'_>) -> anyhow::Result<Answer> {
    let exchange = async {
        let (response, _connection) = open(ask).await?;
        let status = response.status().as_u16();
        let is_stream = response
            .headers()
            .get(hyper::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if is_stream {
            return anyhow::Ok(Answer { status, body: String::new() });
        }
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body: String::from_utf8(bytes.to_vec())? })
    };
    let told = || format!("{} {}", ask.method, ask.path);
    timeout(ANSWER, exchange).await.with_context(told)?.with_context(told)
}

/// GETs JSON with a token.
pub(crate) async fn get(path: &str, token: &str) -> anyhow::Result<Value> {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let answer = send(Ask { method: "GET", path, headers: &headers, body: "" }).await?;
    anyhow::ensure!(answer.status == 200, "GET {path} was answered with {answer:?}");
    answer.json()
}

async fn open(ask: Ask<'_>) -> anyhow::Result<(Response<Incoming>, JoinSet<()>)> {
    let number = NEXT_ADDRESS.fetch_add(1, Ordering::Relaxed);
    let [high, low] = number.to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(10, 200, 200_u8.saturating_add(high), low), 0).into())?;
    let stream = socket.connect(HUB_DASHBOARD.into()).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with whoever reads the answer.
    let mut task = JoinSet::new();
    task.spawn(async move {
        connection.await.ok();
    });
    let mut request = Request::builder()
        .method(ask.method)
        .uri(ask.path)
        .header(hyper::header::HOST, HUB_DASHBOARD.to_string());
    for (name, value) in ask.headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(ask.body.to_owned())))?;
    Ok((sender.send_request(request).await?, task))
}

/// A stream of frames.
pub(crate) struct Frames {
    response: Response<Incoming>,
    read: String,
    _connection: JoinSet<()>,
}

impl Frames {
    /// Opens the stream with what a page has open.
    pub(crate) async fn open(query: &str, token: &str) -> anyhow::Result<Self> {
        let bearer = format!("Bearer {token}");
        let path = format!("/api/v1/stream{query}");
        let headers = [("authorization", bearer.as_str())];
        let ask = Ask { method: "GET", path: &path, headers: &headers, body: "" };
        let (response, connection) = timeout(ANSWER, open(ask)).await??;
        anyhow::ensure!(response.status() == 200, "the stream was refused: {}", response.status());
        Ok(Self { response, read: String::new(), _connection: connection })
    }

    /// Reads frames until `look` is satisfied.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        deadline: Duration,
        mut look: impl FnMut(&Value) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + deadline;
        loop {
            let frame = timeout_at(end, self.next())
                .await
                .with_context(|| format!("waited {deadline:?} on the stream for {what}"))??;
            if look(&frame) {
                return Ok(());
            }
        }
    }

    /// The next frame.
    async fn next(&mut self) -> anyhow::Result<Value> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                match (field("event: "), field("data: ")) {
                    (Some("frame"), Some(data)) => return Ok(serde_json::from_str(data)?),
                    (Some(other), _) => bail!("the stream said {other}"),
                    // A comment keeps the connection alive.
                    (None, _) => continue,
                }
            }
            let piece = self.response.body_mut().frame().await.context("the stream ended")??;
            if let Ok(bytes) = piece.into_data() {
                self.read += std::str::from_utf8(&bytes)?;
            }
            anyhow::ensure!(self.read.len() < EVENT_BYTES_MAX, "an event without an end");
        }
    }
}
