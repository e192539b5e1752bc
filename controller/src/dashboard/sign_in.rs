//! Who am I, signing in, signing out.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::Utc;
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    access::Caller,
    guard::{meant, peer, same_origin},
    reply::{json, malformed},
    routes::Shared,
    view::{Me, SignIn},
};

pub(super) async fn me(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let sign_in = shared.access.sign_in();
    let me = Me {
        user: match &caller {
            Caller::Known { user, .. } => Some(user.name.clone()),
            Caller::Anybody | Caller::Owner(_) => None,
        },
        sign_in,
        session: caller.session().is_some(),
        csrf: caller.session().map(|session| session.csrf().to_owned()),
        read_only: (sign_in == SignIn::Nobody).then(|| {
            "nobody is signed in here; use kubectl lockflight, or a dashboard with sign-in"
                .to_owned()
        }),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hub: shared.board.source.hub.clone(),
    };
    json(&headers, &me)
}

/// What proves who somebody is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    secret: String,
}

pub(super) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    connection: ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(why) = same_origin(&headers) {
        return shared.refuse(&why);
    }
    let Ok(proof) = serde_json::from_slice::<Proof>(&body) else {
        return malformed("the body is no secret to sign in with", "send {\"secret\": \"...\"}");
    };
    let secret = SecretString::from(proof.secret.trim().to_owned());
    match shared.access.begin(secret, peer(connection), Utc::now()).await {
        Ok((_, mut cookie)) => {
            if headers.get("x-forwarded-proto").is_some_and(|protocol| protocol == "https") {
                cookie.push_str("; Secure");
            }
            let mut response = StatusCode::NO_CONTENT.into_response();
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, value);
            }
            response
        }
        Err(why) => shared.refuse(&why),
    }
}

pub(super) async fn sign_out(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    if let Err(why) = meant(&caller, &headers) {
        return shared.refuse(&why);
    }
    if let Some(session) = caller.session() {
        shared.access.end(session);
    }
    StatusCode::NO_CONTENT.into_response()
}
