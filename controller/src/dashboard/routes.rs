//! The routes. Everything below `/api` but the sign-in passes [`identify`] first.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, Uri},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{delete, get, post},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{
    access::{Access, Caller, Refusal},
    act::{self, Command},
    assets,
    board::{Board, Cursor, Scope},
    decide,
    guard::{self, Names, meant, peer},
    reply::{json, malformed, not_found, problem, refusal},
    seen::Seen,
    sign_in::{me, sign_in, sign_out},
    stream::{self, Streams, Topic},
    view::{ActionRight, EventRow, HistoryPage, RolloutPage, Snapshot, Verb},
};
use crate::shelf::Key;

/// Longest body, in bytes: a token or a command.
const BODY_LENGTH_MAX: usize = 20 * 1024;
/// Requests that are worked on at the same time; more are turned away.
const REQUESTS_MAX: usize = 64;
/// Longest time for one request up to its answer's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Namespaces that are asked for one by one when a user may not see all.
const NAMESPACES_MAX: usize = 200;
/// Events that a page shows.
const EVENTS_MAX: usize = 500;

/// What every handler needs.
pub(super) struct Shared {
    pub(super) board: Board,
    pub(super) access: Access,
    pub(super) streams: Arc<Streams>,
    requests: Semaphore,
}

impl Shared {
    pub(super) fn new(board: Board, access: Access) -> Self {
        let requests = Semaphore::new(REQUESTS_MAX);
        Self { board, access, streams: Arc::default(), requests }
    }

    /// What a caller may see.
    pub(super) async fn scope(
        &self,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Scope, Refusal> {
        let clusters = self.access.may_see(caller, "clusters", None, now).await?;
        if self.access.may_see(caller, "rollouts", None, now).await? {
            return Ok(Scope { namespaces: None, clusters });
        }
        let mut seen = std::collections::BTreeSet::new();
        for namespace in self.board.namespaces().into_iter().take(NAMESPACES_MAX) {
            if self.access.may_see(caller, "rollouts", Some(&namespace), now).await? {
                seen.insert(namespace);
            }
        }
        Ok(Scope { namespaces: Some(seen), clusters })
    }

    pub(super) fn refuse(&self, why: &Refusal) -> Response {
        refusal(why, self.access.sign_in())
    }

    fn here(&self) -> Cursor {
        // A reader that is here has seen nothing yet: the first frame holds everything.
        Cursor { epoch: self.board.epoch.clone(), change: 0, point: 0 }
    }
}

/// All routes.
pub(super) fn router(shared: Arc<Shared>, names: Names) -> Router {
    let api = Router::new()
        .route("/me", get(me))
        .route("/session", delete(sign_out))
        .route("/snapshot", get(snapshot))
        .route("/stream", get(follow))
        .route("/rights/{namespace}", get(rights))
        .route("/rollouts/{namespace}/{name}", get(rollout))
        .route("/rollouts/{namespace}/{name}/history", get(history))
        .route("/rollouts/{namespace}/{name}/analysis/{cluster}", get(analysis))
        .route("/rollouts/{namespace}/{name}/evidence", get(decide::evidence))
        .route("/rollouts/{namespace}/{name}/plan", get(decide::plan).post(decide::plan_of))
        .route("/rollouts/{namespace}/{name}/actions", post(press))
        .layer(from_fn_with_state(Arc::clone(&shared), identify))
        // Added after the layer: signing in is for those who are not known yet.
        .route("/session", post(sign_in));
    Router::new()
        .nest("/api/v1", api)
        .route("/api/{*rest}", axum::routing::any(|| async { not_found() }))
        .fallback(get(page))
        .layer(DefaultBodyLimit::max(BODY_LENGTH_MAX))
        .layer(from_fn_with_state(Arc::clone(&shared), bound))
        .layer(from_fn_with_state(names, guard::pass))
        .with_state(shared)
}

/// Limits come before anybody is asked who they are.
async fn bound(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let busy = |why| problem(StatusCode::SERVICE_UNAVAILABLE, "Busy", why, Some("try again"));
    let Ok(_permit) = shared.requests.try_acquire() else {
        return busy("too many requests at the same time");
    };
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => busy("the request took too long"),
    }
}

async fn identify(
    State(shared): State<Arc<Shared>>,
    connection: ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let found = shared.access.caller(request.headers(), peer(connection), Utc::now()).await;
    match found {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(why) => shared.refuse(&why),
    }
}

async fn page(uri: Uri, headers: HeaderMap) -> Response {
    assets::serve(uri.path(), &headers)
}

async fn snapshot(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let scope = match shared.scope(&caller, Utc::now()).await {
        Ok(scope) => scope,
        Err(why) => return shared.refuse(&why),
    };
    let mut cursor = shared.here();
    let changes = shared.board.since(&cursor, &scope).unwrap_or_default();
    cursor.change = changes.change;
    let snapshot = Snapshot {
        cursor: cursor.to_string(),
        now_ms: Utc::now().timestamp_millis(),
        live: shared.board.live(),
        rollouts: changes.rollouts.iter().map(|row| row.as_ref().clone()).collect(),
        clusters: changes.clusters.iter().map(|row| row.as_ref().clone()).collect(),
    };
    json(&headers, &snapshot)
}

/// What the page has open.
#[derive(Deserialize)]
struct Open {
    rollout: Option<String>,
    cluster: Option<String>,
}

async fn follow(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    connection: ConnectInfo<SocketAddr>,
    Query(open): Query<Open>,
    headers: HeaderMap,
) -> Response {
    let scope = match shared.scope(&caller, Utc::now()).await {
        Ok(scope) => scope,
        Err(why) => return shared.refuse(&why),
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let mut cursor = last.and_then(|text| text.parse().ok()).unwrap_or_else(|| shared.here());
    // Points of another cluster say nothing of this one: a page that opens an analysis asks for
    // all of it first, and repeats are told apart by their time.
    if open.cluster.is_none() {
        cursor.point = 0;
    }
    let rollout = open.rollout.as_deref().and_then(|text| text.split_once('/'));
    let topic = Topic {
        rollout: rollout.map(|(namespace, name)| Key::new(namespace, name)),
        cluster: open.cluster,
    };
    let peer: IpAddr = peer(connection);
    match stream::open(Arc::clone(&shared), &caller, headers, peer, scope, topic, cursor) {
        Ok(response) => response,
        Err(why) => shared.refuse(&why),
    }
}

async fn rights(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(namespace): Path<String>,
    headers: HeaderMap,
) -> Response {
    let now = Utc::now();
    let mut rights = Vec::new();
    for verb in Verb::ALL {
        let pressed = shared.access.may_press(&caller, verb, &namespace, None, now, false).await;
        let why = match pressed {
            Ok(()) => None,
            Err(Refusal::NotAllowed(why)) => Some(why),
            Err(Refusal::NotSignedIn) => Some("nobody is signed in here".to_owned()),
            Err(why) => return shared.refuse(&why),
        };
        rights.push(ActionRight { verb, allowed: why.is_none(), why });
    }
    json(&headers, &rights)
}

async fn rollout(seen: Seen, headers: HeaderMap) -> Response {
    json(&headers, &RolloutPage::from(seen.rollout.as_ref()))
}

async fn history(State(shared): State<Arc<Shared>>, seen: Seen, headers: HeaderMap) -> Response {
    let Key { namespace, name } = &seen.key;
    let source = &shared.board.source;
    let about = source.events.select(|event| {
        let object = &event.involved_object;
        object.name.as_ref() == Some(name)
            && object.namespace.as_ref().unwrap_or(namespace) == namespace
    });
    let mut events: Vec<EventRow> = about.iter().map(|e| EventRow::from(e.as_ref())).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events.truncate(EVENTS_MAX);
    let (kept_since, attempts) = shared.board.attempts(&seen.key);
    let events_missing = (!source.events.synced()).then(|| {
        "Events cannot be read: list and watch on events are missing, or still being listed"
            .to_owned()
    });
    json(&headers, &HistoryPage { kept_since, attempts, events, events_missing })
}

async fn analysis(
    State(shared): State<Arc<Shared>>,
    seen: Seen,
    Path((_, _, cluster)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let Key { namespace, name } = &seen.key;
    let (page, _) = shared.board.source.evidence.page(namespace, name, &cluster, 0);
    json(&headers, &page)
}

async fn press(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(why) = meant(&caller, &headers) {
        return shared.refuse(&why);
    }
    let command: Command = match serde_json::from_slice(&body) {
        Ok(command) => command,
        Err(error) => {
            let why = format!("the body is no command: {error}");
            return malformed(&why, "send for example {\"verb\": \"Abort\", \"reason\": \"...\"}");
        }
    };
    let (verb, now) = (command.verb(), Utc::now());
    let pressed = shared.access.may_press(&caller, verb, &namespace, Some(&name), now, true).await;
    if let Err(why) = pressed {
        return shared.refuse(&why);
    }
    let user = match &caller {
        Caller::Known { user, .. } => Some(user.name.as_str()),
        Caller::Anybody | Caller::Owner(_) => None,
    };
    tracing::info!(
        namespace,
        rollout = name,
        verb = verb.word(),
        user,
        "command from the dashboard"
    );
    let key = Key::new(&namespace, &name);
    let rollouts = &shared.board.source.rollouts;
    match act::act(shared.access.client(), rollouts, &key, &command, user).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(why) => why.into_response(),
    }
}
