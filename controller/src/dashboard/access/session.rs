//! Sessions: what a browser holds instead of a token. They live in memory only.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use rustls::crypto::GetRandomFailed;
use secrecy::SecretString;

use super::{Refusal, review::fingerprint};
use crate::dashboard::reply::hex;

/// Name of the cookie.
const COOKIE: &str = "lockflight-session";
/// Header that must come with every change: a foreign page can send our cookie, not this.
pub(crate) const CSRF_HEADER: &str = "x-lockflight-csrf";
/// Longest life of a session.
const LIFE_HOURS: i64 = 8;
/// Longest life without a request.
const IDLE_MINUTES: i64 = 60;
/// Sessions held; the one that was used least recently makes room.
const SESSIONS_MAX: usize = 1_000;
/// Random bytes of an identifier.
const ID_BYTES: usize = 32;
/// Characters of a printed code: 40 bits, and ten tries a minute.
const CODE_LENGTH: usize = 8;
/// Digits and letters without those that are mistaken for one another.
const CODE_ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    key: [u8; 32],
    token: SecretString,
    csrf: String,
    began: DateTime<Utc>,
    used: Mutex<DateTime<Utc>>,
}

impl Session {
    /// What the session was begun with.
    pub(super) fn token(&self) -> &SecretString {
        &self.token
    }

    /// What has to come with every change.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    fn used(&self) -> DateTime<Utc> {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lives(&self, now: DateTime<Utc>) -> bool {
        now - self.began < TimeDelta::hours(LIFE_HOURS)
            && now - self.used() < TimeDelta::minutes(IDLE_MINUTES)
    }
}

/// All sessions, by the digest of their identifier: a dump of the memory map is no key ring.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: Mutex<BTreeMap<[u8; 32], Arc<Session>>>,
}

impl Sessions {
    /// Begins one; returns it with the value of the Set-Cookie header.
    pub(super) fn begin(
        &self,
        token: SecretString,
        now: DateTime<Utc>,
    ) -> Result<(Arc<Session>, String), Refusal> {
        let id = random(ID_BYTES).map_err(|_| Refusal::NoAnswer)?;
        let csrf = random(ID_BYTES).map_err(|_| Refusal::NoAnswer)?;
        let key = fingerprint(&SecretString::from(id.clone()));
        let session = Arc::new(Session { key, token, csrf, began: now, used: Mutex::new(now) });
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.lives(now));
        if sessions.len() >= SESSIONS_MAX {
            let idle = sessions.values().min_by_key(|session| session.used());
            let idle = idle.map(|session| session.key);
            idle.and_then(|key| sessions.remove(&key));
        }
        sessions.insert(key, Arc::clone(&session));
        Ok((session, format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Strict")))
    }

    /// The session of a cookie.
    pub(super) fn find(
        &self,
        id: Option<SecretString>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Session>, Refusal> {
        let id = id.ok_or(Refusal::NotSignedIn)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = fingerprint(&id);
        let session = sessions.get(&key).cloned().ok_or(Refusal::NotSignedIn)?;
        if !session.lives(now) {
            sessions.remove(&key);
            return Err(Refusal::NotSignedIn);
        }
        *session.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(session)
    }

    /// Ends one.
    pub(super) fn end(&self, session: &Session) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&session.key);
    }
}

/// The identifier in the Cookie header.
pub(super) fn cookie(headers: &HeaderMap) -> Option<SecretString> {
    let values = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).map(str::trim);
    let value = pairs.find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='))?;
    Some(SecretString::from(value.to_owned()))
}

fn bytes(count: usize) -> Result<Vec<u8>, GetRandomFailed> {
    let mut bytes = vec![0; count];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes)?;
    Ok(bytes)
}

fn random(count: usize) -> Result<String, GetRandomFailed> {
    Ok(hex(&bytes(count)?))
}

/// A code that a person types.
pub(super) fn code() -> Result<String, GetRandomFailed> {
    let letter = |byte: &u8| char::from(CODE_ALPHABET[usize::from(byte % 32)]);
    Ok(bytes(CODE_LENGTH)?.iter().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(cookie: &str) -> Option<SecretString> {
        let value = cookie.split(';').next()?.split_once('=')?.1;
        Some(SecretString::from(value.to_owned()))
    }

    #[test]
    fn a_session_ends_by_age_by_idleness_and_by_hand() {
        let sessions = Sessions::default();
        let now = DateTime::UNIX_EPOCH;
        let begin = || sessions.begin(SecretString::from("t".to_owned()), now).unwrap();
        let (_, cookie) = begin();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"));
        assert!(sessions.find(id(&cookie), now).is_ok());
        let later = |minutes| now + TimeDelta::minutes(minutes);
        for minutes in (50..=450).step_by(50) {
            assert!(sessions.find(id(&cookie), later(minutes)).is_ok(), "{minutes}");
        }
        assert!(sessions.find(id(&cookie), later(481)).is_err());
        let (_, cookie) = begin();
        assert!(sessions.find(id(&cookie), later(61)).is_err());
        let (session, cookie) = begin();
        sessions.end(&session);
        assert!(sessions.find(id(&cookie), now).is_err());
        assert!(sessions.find(None, now).is_err());
    }
}
