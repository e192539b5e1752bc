//! Who somebody is, and what they may do. RBAC decides both; nothing is decided here.
//!
//! A way to sign in (a token now, OIDC one day) ends in a [`session`]; everything after that is
//! the same for all of them.

mod attempts;
mod proxy;
mod review;
mod session;

use std::{net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use kube::Client;
use secrecy::SecretString;

use super::view::{SignIn, Verb};
use crate::shelf::Key;
use attempts::Attempts;
pub use proxy::{AddressRange, InvalidAddressRange};
use review::Reviews;
pub(super) use session::{CSRF_HEADER, Session};
use session::{Sessions, cookie};

/// Somebody whose name an authority has vouched for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct User {
    /// Name.
    pub(super) name: String,
    /// Identifier, where there is one.
    pub(super) uid: Option<String>,
    /// Groups.
    pub(super) groups: Vec<String>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// Not known: may look where that is allowed, and press nothing.
    Anybody,
    /// Known.
    Known {
        /// Who.
        user: User,
        /// The session, unless the request itself proves who it is.
        session: Option<Arc<Session>>,
    },
    /// The person whose kubeconfig the plugin uses: the API server decides on every call.
    Owner(Arc<Session>),
}

impl Caller {
    /// The session that a change has to be guarded by.
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Anybody => None,
            Self::Known { session, .. } => session.as_ref(),
            Self::Owner(session) => Some(session),
        }
    }
}

/// Why somebody is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody said who they are.
    NotSignedIn,
    /// What they said is not accepted.
    NotAccepted(String),
    /// They are known, and may not.
    NotAllowed(String),
    /// Too many wrong tries.
    TooMany,
    /// The authority does not answer.
    NoAnswer,
}

/// How people become known, and who decides what they may do.
pub struct Access {
    way: Way,
    client: Client,
    reviews: Reviews,
    sessions: Sessions,
    attempts: Attempts,
}

enum Way {
    Nobody,
    Token,
    Proxy(Vec<AddressRange>),
    Code(SecretString),
}

impl Access {
    fn over(client: Client, way: Way) -> Self {
        Self {
            way,
            reviews: Reviews::new(client.clone()),
            client,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
        }
    }

    /// Everybody who reaches the address may look; nobody may press. For loopback only.
    #[must_use]
    pub fn nobody(client: Client) -> Self {
        Self::over(client, Way::Nobody)
    }

    /// By bearer tokens of the API server: `TokenReview`, then `SubjectAccessReview` per action.
    #[must_use]
    pub fn token(client: Client) -> Self {
        Self::over(client, Way::Token)
    }

    /// By the headers of a proxy at these addresses, then `SubjectAccessReview` per action.
    #[must_use]
    pub fn proxy(client: Client, trusted: Vec<AddressRange>) -> Self {
        Self::over(client, Way::Proxy(trusted))
    }

    /// By a code that only the owner of the client's credential has seen.
    #[must_use]
    pub fn code(client: Client, code: SecretString) -> Self {
        Self::over(client, Way::Code(code))
    }

    /// How people become known.
    pub(super) fn sign_in(&self) -> SignIn {
        match self.way {
            Way::Nobody => SignIn::Nobody,
            Way::Token => SignIn::Token,
            Way::Proxy(_) => SignIn::Proxy,
            Way::Code(_) => SignIn::Code,
        }
    }

    /// The client that commands are written with.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Who asks. Checked anew on every request.
    pub(super) async fn caller(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<Caller, Refusal> {
        match &self.way {
            Way::Nobody => Ok(Caller::Anybody),
            Way::Proxy(trusted) => proxy::user(headers, peer, trusted)
                .map(|user| Caller::Known { user, session: None }),
            Way::Token => {
                if let Some(token) = bearer(headers)? {
                    self.attempts.check(peer, now)?;
                    let reviewed = self.reviews.token(&token, now).await;
                    self.attempts.note(peer, now, &reviewed);
                    return reviewed.map(|user| Caller::Known { user, session: None });
                }
                let session = self.sessions.find(cookie(headers), now)?;
                let user = self.reviews.token(session.token(), now).await;
                if matches!(user, Err(Refusal::NotAccepted(_))) {
                    self.sessions.end(&session);
                }
                user.map(|user| Caller::Known { user, session: Some(session) })
            }
            Way::Code(_) => self.sessions.find(cookie(headers), now).map(Caller::Owner),
        }
    }

    /// Begins a session for whoever proves who they are.
    pub(super) async fn begin(
        &self,
        secret: SecretString,
        peer: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<(Arc<Session>, String), Refusal> {
        self.attempts.check(peer, now)?;
        let proven = match &self.way {
            Way::Nobody | Way::Proxy(_) => {
                Err(Refusal::NotAllowed("there is nothing to sign in to".to_owned()))
            }
            Way::Token => self.reviews.token(&secret, now).await.map(|_| ()),
            Way::Code(code) => review::same(code, &secret)
                .then_some(())
                .ok_or_else(|| Refusal::NotAccepted("this is not the printed code".to_owned())),
        };
        self.attempts.note(peer, now, &proven);
        proven?;
        self.sessions.begin(secret, now)
    }

    /// Ends a session.
    pub(super) fn end(&self, session: &Session) {
        self.sessions.end(session);
    }

    /// Whether Rollouts of a namespace may be seen; without one, of all namespaces.
    pub(super) async fn may_see(
        &self,
        caller: &Caller,
        what: &'static str,
        namespace: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<bool, Refusal> {
        match caller {
            // The owner's caches hold only what the owner may list.
            Caller::Anybody | Caller::Owner(_) => Ok(true),
            Caller::Known { user, .. } => {
                self.reviews.allowed(user, "list", what, namespace, None, Some(now)).await
            }
        }
    }

    /// Whether a manifest that nobody has applied may be planned: its plan names the clusters that
    /// it would reach. Whoever may list clusters knows them; whoever may change the Rollout could
    /// learn them by that.
    pub(super) async fn may_draft(
        &self,
        caller: &Caller,
        rollout: &Key,
        now: DateTime<Utc>,
    ) -> Result<bool, Refusal> {
        if self.may_see(caller, "clusters", None, now).await? {
            return Ok(true);
        }
        let Caller::Known { user, .. } = caller else { return Ok(false) };
        let (namespace, name) = (Some(&*rollout.namespace), Some(&*rollout.name));
        self.reviews.allowed(user, "update", "rollouts", namespace, name, Some(now)).await
    }

    /// Whether a command may be given: who is signed in needs its verb. The right to patch is not
    /// enough, for the hub writes what is pressed, and no admission policy holds the hub. `fresh`
    /// never trusts an earlier answer.
    pub(super) async fn may_press(
        &self,
        caller: &Caller,
        verb: Verb,
        namespace: &str,
        name: Option<&str>,
        now: DateTime<Utc>,
        fresh: bool,
    ) -> Result<(), Refusal> {
        let cached = (!fresh).then_some(now);
        match caller {
            Caller::Anybody => Err(Refusal::NotSignedIn),
            Caller::Owner(_) => {
                let allowed = self.reviews.self_allowed("patch", namespace, cached).await?;
                permitted(allowed, "you", "patch", namespace)
            }
            Caller::Known { user, .. } => {
                let verb = verb.word();
                let answer =
                    self.reviews.allowed(user, verb, "rollouts", Some(namespace), name, cached);
                permitted(answer.await?, &user.name, verb, namespace)
            }
        }
    }
}

fn permitted(allowed: bool, who: &str, verb: &str, namespace: &str) -> Result<(), Refusal> {
    if allowed {
        return Ok(());
    }
    Err(Refusal::NotAllowed(format!(
        "{who} may not {verb} rollouts.lockflight.dev in namespace {namespace}"
    )))
}

/// The token of an Authorization header; another scheme is refused, not ignored.
fn bearer(headers: &HeaderMap) -> Result<Option<SecretString>, Refusal> {
    let Some(value) = headers.get("authorization") else {
        return Ok(None);
    };
    let not_accepted = || Refusal::NotAccepted("Authorization must be: Bearer <token>".to_owned());
    let text = value.to_str().map_err(|_| not_accepted())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(not_accepted)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(not_accepted());
    }
    Ok(Some(SecretString::from(token.trim().to_owned())))
}

/// A new code for [`Access::code`], in letters that are not mistaken for one another.
pub fn code() -> Result<SecretString, rustls::crypto::GetRandomFailed> {
    session::code().map(SecretString::from)
}
