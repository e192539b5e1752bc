//! One stream per tab: rows that changed, the Rollout that is open, new points of its analysis.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use chrono::Utc;
use futures::stream;
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    access::{Caller, Refusal},
    board::{Cursor, Scope},
    routes::Shared,
    view::{Frame, RolloutPage},
};
use crate::shelf::Key;

/// Silence after which the page is told that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often it is asked again who reads and what they may see.
const REVIEW: Duration = Duration::from_mins(1);
/// How often new points of evidence are looked for.
const EVIDENCE: Duration = Duration::from_secs(1);
/// Longest life of a stream; the page takes it up again where it was.
const LIFE: Duration = Duration::from_mins(30);
/// Streams in all.
const STREAMS_MAX: usize = 500;
/// Streams of one user.
const STREAMS_MAX_PER_USER: usize = 16;

/// What a page has open beside the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Topic {
    pub(super) rollout: Option<Key>,
    pub(super) cluster: Option<String>,
}

/// Streams that are open, by user.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Mutex<BTreeMap<String, usize>>,
}

/// A place among the open streams, given back when dropped.
struct Place {
    streams: Arc<Streams>,
    user: String,
}

impl Streams {
    fn take(self: &Arc<Self>, caller: &Caller, peer: IpAddr) -> Option<Place> {
        let user = match caller {
            Caller::Known { user, .. } => user.name.clone(),
            Caller::Anybody | Caller::Owner(_) => peer.to_string(),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().sum();
        let own = open.entry(user.clone()).or_default();
        if total >= STREAMS_MAX || *own >= STREAMS_MAX_PER_USER {
            return None;
        }
        *own += 1;
        Some(Place { streams: Arc::clone(self), user })
    }

    /// How many are open.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.user) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// One reader. Nothing is queued for it: the next frame is made when it has taken the last one.
struct Reader {
    shared: Arc<Shared>,
    headers: HeaderMap,
    peer: IpAddr,
    scope: Scope,
    topic: Topic,
    cursor: Cursor,
    /// Last change of the open Rollout that was sent.
    page_change: u64,
    changed: watch::Receiver<u64>,
    review: Interval,
    evidence: Interval,
    ends: Instant,
    over: bool,
    _place: Place,
}

/// Opens a stream after `cursor`.
pub(super) fn open(
    shared: Arc<Shared>,
    caller: &Caller,
    headers: HeaderMap,
    peer: IpAddr,
    scope: Scope,
    topic: Topic,
    cursor: Cursor,
) -> Result<Response, Refusal> {
    let place = shared.streams.take(caller, peer).ok_or(Refusal::TooMany)?;
    let ticking = |period| {
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let mut changed = shared.board.watch();
    // What happened before the stream is in the first frame.
    changed.mark_changed();
    let reader = Reader {
        headers,
        peer,
        scope,
        topic,
        cursor,
        page_change: 0,
        changed,
        review: ticking(REVIEW),
        evidence: ticking(EVIDENCE),
        ends: Instant::now() + LIFE,
        over: false,
        _place: place,
        shared,
    };
    let events = stream::unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that buffer would hold back what is news.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Reader {
    /// The next event; none ends the stream.
    async fn next(&mut self) -> Option<Event> {
        while !self.over {
            tokio::select! {
                () = tokio::time::sleep_until(self.ends) => return None,
                changed = self.changed.changed() => changed.ok()?,
                _ = self.evidence.tick(), if self.topic.cluster.is_some() => {}
                _ = self.review.tick() => {
                    if !self.may_go_on().await {
                        self.over = true;
                        return Some(Event::default().event("signedout").data("{}"));
                    }
                }
            }
            if let Some(event) = self.frame() {
                return Some(event);
            }
        }
        None
    }

    /// Asks again who reads. A namespace that was taken away or given makes the page start over.
    async fn may_go_on(&mut self) -> bool {
        let now = Utc::now();
        let Ok(caller) = self.shared.access.caller(&self.headers, self.peer, now).await else {
            return false;
        };
        match self.shared.scope(&caller, now).await {
            Ok(scope) if scope == self.scope => true,
            Ok(_) | Err(_) => false,
        }
    }

    fn frame(&mut self) -> Option<Event> {
        let board = &self.shared.board;
        let Some(changes) = board.since(&self.cursor, &self.scope) else {
            self.over = true;
            return Some(Event::default().event("resync").data("{}"));
        };
        let open = self.topic.rollout.as_ref().filter(|key| self.scope.sees(&key.namespace));
        let page = open.and_then(|key| board.rollout(key, self.page_change));
        let points = open.zip(self.topic.cluster.as_ref()).map(|(key, cluster)| {
            let evidence = &board.source.evidence;
            evidence.page(&key.namespace, &key.name, cluster, self.cursor.point)
        });
        let newest_point = points.as_ref().map_or(self.cursor.point, |(_, newest)| *newest);
        let analysis = points.map(|(page, _)| page).filter(|page| !page.series.is_empty());
        let frame = Frame {
            now_ms: Utc::now().timestamp_millis(),
            live: board.live(),
            rollouts: changes.rollouts.iter().map(|row| row.as_ref().clone()).collect(),
            clusters: changes.clusters.iter().map(|row| row.as_ref().clone()).collect(),
            gone_rollouts: changes.gone_rollouts,
            gone_clusters: changes.gone_clusters,
            page: page.map(|rollout| RolloutPage::from(rollout.as_ref())),
            analysis,
        };
        let is_first = self.page_change == 0 && self.topic.rollout.is_some();
        self.cursor.change = changes.change;
        self.cursor.point = newest_point;
        self.page_change = changes.change.max(1);
        if !changes.turned && !is_first && is_empty(&frame) {
            return None;
        }
        let data = serde_json::to_string(&frame).ok()?;
        Some(Event::default().event("frame").id(self.cursor.to_string()).data(data))
    }
}

fn is_empty(frame: &Frame) -> bool {
    frame.rollouts.is_empty()
        && frame.clusters.is_empty()
        && frame.gone_rollouts.is_empty()
        && frame.gone_clusters.is_empty()
        && frame.page.is_none()
        && frame.analysis.is_none()
}
