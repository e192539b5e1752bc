//! Wrong tries are counted per address, before anything is asked of the API server.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::Refusal;

/// Wrong tries from one address within [`WINDOW_SECONDS`].
const WRONG_MAX: usize = 10;
/// Length of the window.
const WINDOW_SECONDS: i64 = 60;
/// Addresses that are remembered; with more, all are one.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Attempts {
    wrong: Mutex<BTreeMap<IpAddr, Vec<DateTime<Utc>>>>,
}

impl Attempts {
    /// Refuses an address that was wrong too often.
    pub(super) fn check(&self, peer: IpAddr, now: DateTime<Utc>) -> Result<(), Refusal> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let start = now - TimeDelta::seconds(WINDOW_SECONDS);
        wrong.retain(|_, times| {
            times.retain(|time| *time > start);
            !times.is_empty()
        });
        let too_many = wrong.get(&peer).is_some_and(|times| times.len() >= WRONG_MAX);
        if too_many || wrong.len() >= ADDRESSES_MAX { Err(Refusal::TooMany) } else { Ok(()) }
    }

    /// Notes how a try went.
    pub(super) fn note<T>(&self, peer: IpAddr, now: DateTime<Utc>, tried: &Result<T, Refusal>) {
        if matches!(tried, Err(Refusal::NotAccepted(_))) {
            let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
            wrong.entry(peer).or_default().push(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_that_is_wrong_too_often_waits() {
        let attempts = Attempts::default();
        let (peer, other) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::BROADCAST));
        let now = DateTime::UNIX_EPOCH;
        let wrong: Result<(), Refusal> = Err(Refusal::NotAccepted(String::new()));
        for _ in 0..WRONG_MAX {
            assert_eq!(attempts.check(peer, now), Ok(()));
            attempts.note(peer, now, &wrong);
        }
        assert_eq!(attempts.check(peer, now), Err(Refusal::TooMany));
        assert_eq!(attempts.check(other, now), Ok(()));
        let later = now + TimeDelta::seconds(WINDOW_SECONDS + 1);
        assert_eq!(attempts.check(peer, later), Ok(()));
    }
}
