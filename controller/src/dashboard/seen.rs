//! The Rollout that a request is about, for whoever may see it.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{FromRequestParts, Path},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use lockflight_crds::Rollout;
use serde::Deserialize;

use super::{access::Caller, reply::not_found, routes::Shared};
use crate::shelf::Key;

/// The Rollout of the path. Handlers that take it run only for callers who may see its namespace;
/// for everybody else it does not exist.
pub(super) struct Seen {
    /// Which one.
    pub(super) key: Key,
    /// As the cache has it.
    pub(super) rollout: Arc<Rollout>,
}

/// What the paths of all routes about a Rollout have in common.
#[derive(Deserialize)]
struct Place {
    namespace: String,
    name: String,
}

impl FromRequestParts<Arc<Shared>> for Seen {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        let Extension(caller) = Extension::<Caller>::from_request_parts(parts, shared)
            .await
            .map_err(IntoResponse::into_response)?;
        let Path(Place { namespace, name }) =
            Path::from_request_parts(parts, shared).await.map_err(IntoResponse::into_response)?;
        let (access, now) = (&shared.access, Utc::now());
        for place in [None, Some(namespace.as_str())] {
            match access.may_see(&caller, "rollouts", place, now).await {
                Ok(true) => {
                    let key = Key::new(&namespace, &name);
                    let rollout = shared.board.rollout(&key, 0).ok_or_else(not_found)?;
                    return Ok(Self { key, rollout });
                }
                Ok(false) => {}
                Err(why) => return Err(shared.refuse(&why)),
            }
        }
        Err(not_found())
    }
}
