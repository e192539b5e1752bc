//! The API server's answers to "who is this" and "may they", kept for a minute at most.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec},
    authorization::v1::{
        ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
        SubjectAccessReview, SubjectAccessReviewSpec,
    },
};
use kube::{Api, Client, api::PostParams};
use lockflight_crds::GROUP;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use super::{Refusal, User};
use crate::fleet::client::CALL_TIMEOUT;

/// How long an answer is believed.
const KEPT_SECONDS: i64 = 60;
/// Answers kept; at the limit all are forgotten.
const KEPT_MAX: usize = 10_000;
/// Longest token that is sent on. Tokens of Kubernetes and of OIDC providers are far shorter.
const TOKEN_LENGTH_MAX: usize = 16 * 1024;

type Fingerprint = [u8; 32];

/// Answers of the API server.
pub(super) struct Reviews {
    client: Client,
    tokens: Mutex<BTreeMap<Fingerprint, (DateTime<Utc>, User)>>,
    rights: Mutex<BTreeMap<Question, (DateTime<Utc>, bool)>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    user: Option<User>,
    verb: String,
    resource: &'static str,
    namespace: Option<String>,
    name: Option<String>,
}

/// A secret's stand-in as a key.
pub(super) fn fingerprint(secret: &SecretString) -> Fingerprint {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}

/// Whether two secrets are the same. Their digests are compared: the time that takes says
/// nothing about the secrets.
pub(super) fn same(one: &SecretString, other: &SecretString) -> bool {
    fingerprint(one) == fingerprint(other)
}

impl Reviews {
    pub(super) fn new(client: Client) -> Self {
        Self { client, tokens: Mutex::default(), rights: Mutex::default() }
    }

    /// Who a token belongs to.
    pub(super) async fn token(
        &self,
        token: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<User, Refusal> {
        if token.expose_secret().len() > TOKEN_LENGTH_MAX {
            return Err(Refusal::NotAccepted("this is too long for a token".to_owned()));
        }
        let key = fingerprint(token);
        if let Some(user) = kept(&self.tokens, &key, now) {
            return Ok(user);
        }
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.expose_secret().to_owned(),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let status = self.ask(Api::all(self.client.clone()), review).await?.status;
        let status = status.unwrap_or_default();
        let name = status.user.as_ref().and_then(|user| user.username.clone());
        // A token for another audience is accepted by its API server, and not for us.
        match name.filter(|name| status.authenticated == Some(true) && !name.is_empty()) {
            Some(name) => {
                let info = status.user.unwrap_or_default();
                let user = User { name, uid: info.uid, groups: info.groups.unwrap_or_default() };
                keep(&self.tokens, key, user.clone(), now);
                Ok(user)
            }
            None => Err(Refusal::NotAccepted(
                "the hub's API server does not accept this token".to_owned(),
            )),
        }
    }

    /// Whether a user may do something. With `now` an answer of the last minute will do.
    pub(super) async fn allowed(
        &self,
        user: &User,
        verb: &str,
        resource: &'static str,
        namespace: Option<&str>,
        name: Option<&str>,
        now: Option<DateTime<Utc>>,
    ) -> Result<bool, Refusal> {
        let question = Question {
            user: Some(user.clone()),
            verb: verb.to_owned(),
            resource,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        if let Some(answer) = now.and_then(|now| kept(&self.rights, &question, now)) {
            return Ok(answer);
        }
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(user.name.clone()),
                uid: user.uid.clone(),
                groups: Some(user.groups.clone()),
                resource_attributes: Some(attributes(&question)),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let status = self.ask(Api::all(self.client.clone()), review).await?.status;
        let allowed = status.is_some_and(|s| s.allowed && s.denied != Some(true));
        if let Some(now) = now {
            keep(&self.rights, question, allowed, now);
        }
        Ok(allowed)
    }

    /// Whether the owner of the client may do something.
    pub(super) async fn self_allowed(
        &self,
        verb: &str,
        namespace: &str,
        now: Option<DateTime<Utc>>,
    ) -> Result<bool, Refusal> {
        let question = Question {
            user: None,
            verb: verb.to_owned(),
            resource: "rollouts",
            namespace: Some(namespace.to_owned()),
            name: None,
        };
        if let Some(answer) = now.and_then(|now| kept(&self.rights, &question, now)) {
            return Ok(answer);
        }
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes(&question)),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let status = self.ask(Api::all(self.client.clone()), review).await?.status;
        let allowed = status.is_some_and(|s| s.allowed && s.denied != Some(true));
        if let Some(now) = now {
            keep(&self.rights, question, allowed, now);
        }
        Ok(allowed)
    }

    /// Asks; no answer is never taken for a yes or a no.
    async fn ask<K>(&self, api: Api<K>, review: K) -> Result<K, Refusal>
    where
        K: Clone + serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        let asked = tokio::time::timeout(CALL_TIMEOUT, async {
            api.create(&PostParams::default(), &review).await
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let why = crate::fleet::sentence(&error);
                tracing::warn!(why, "the API server did not review a credential or a right");
                Err(Refusal::NoAnswer)
            }
            Err(_) => Err(Refusal::NoAnswer),
        }
    }
}

fn attributes(question: &Question) -> ResourceAttributes {
    ResourceAttributes {
        group: Some(GROUP.to_owned()),
        resource: Some(question.resource.to_owned()),
        verb: Some(question.verb.clone()),
        namespace: question.namespace.clone(),
        name: question.name.clone(),
        ..ResourceAttributes::default()
    }
}

fn kept<K: Ord, V: Clone>(
    cache: &Mutex<BTreeMap<K, (DateTime<Utc>, V)>>,
    key: &K,
    now: DateTime<Utc>,
) -> Option<V> {
    let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    let (at, value) = cache.get(key)?;
    (now - *at < TimeDelta::seconds(KEPT_SECONDS)).then(|| value.clone())
}

fn keep<K: Ord, V>(
    cache: &Mutex<BTreeMap<K, (DateTime<Utc>, V)>>,
    key: K,
    value: V,
    now: DateTime<Utc>,
) {
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= KEPT_MAX {
        cache.clear();
    }
    cache.insert(key, (now, value));
}
