//! When to ask again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Never more often than this, whatever a template asks for.
pub(super) const ROUND_MIN: Duration = Duration::from_millis(100);

/// Never more rarely: an abort by a metric should not wait for a long scrape interval that was
/// learned from one odd gap.
pub(super) const ROUND_MAX: Duration = Duration::from_secs(15);

/// From a sample's timestamp, which is the start of its scrape, until queries see it.
const VISIBLE_AFTER: TimeDelta = TimeDelta::milliseconds(20);

/// Wait after the first round in which the provider was silent; doubles with each further one.
const SILENT_ROUND_BASE: Duration = Duration::from_secs(1);

/// Looks per interval for a source's first sample.
const FIRST_LOOKS: i64 = 4;

/// Wait while nothing is known about the scrapes.
const UNKNOWN_SCRAPES: Duration = Duration::from_secs(1);

/// Wait until the next scrape of any of the sources is visible. `newest` are the times of each
/// source's newest sample. A source that is overdue by up to half an interval is asked for
/// again at once; one that is further behind is expected at its next turn, so that a dead pod
/// does not make the gate spin. The first sample of a source may come at any time, so it is asked
/// for several times in an interval: what is bad from its first request on must not wait.
pub(super) fn until_next_scrape(
    newest: impl IntoIterator<Item = DateTime<Utc>>,
    interval: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Duration {
    let Some(interval_ms) = interval.map(|i| i.num_milliseconds()).filter(|ms| *ms > 0) else {
        return UNKNOWN_SCRAPES;
    };
    newest
        .into_iter()
        .map(|at| {
            let late_ms = (now - at - VISIBLE_AFTER).num_milliseconds().saturating_sub(interval_ms);
            let wait_ms = if late_ms > interval_ms / 2 {
                interval_ms - late_ms % interval_ms
            } else {
                -late_ms
            };
            Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))
        })
        .min()
        .unwrap_or_else(|| {
            Duration::from_millis(u64::try_from(interval_ms / FIRST_LOOKS).unwrap_or(0))
        })
        .clamp(ROUND_MIN, ROUND_MAX)
}

/// Wait after so many rounds in a row without a usable answer.
pub(super) fn after_silence(rounds: u32) -> Duration {
    let doublings = rounds.saturating_sub(1).min(10);
    SILENT_ROUND_BASE.saturating_mul(1 << doublings).min(ROUND_MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};

    use super::{after_silence, until_next_scrape};

    #[test]
    fn rounds_follow_the_scrapes() {
        // Scrapes every 5 s; each case: ages of the newest samples in ms, wait in ms.
        let cases: [(&[i64], u64); 8] = [
            (&[0], 5_020),
            (&[3_000], 2_020),
            (&[3_000, 4_000], 1_020),
            (&[5_020], 100),
            (&[7_000], 100),
            (&[8_000], 2_020),
            (&[60_000, 4_000], 100),
            (&[], 1_250),
        ];
        let now = DateTime::UNIX_EPOCH;
        for (ages, wait_ms) in cases {
            let newest = ages.iter().map(|ms| now - TimeDelta::milliseconds(*ms));
            let wait = until_next_scrape(newest, Some(TimeDelta::seconds(5)), now);
            assert_eq!(wait, Duration::from_millis(wait_ms), "{ages:?}");
        }
        assert_eq!(until_next_scrape([now], None, now), Duration::from_secs(1));
        assert_eq!(
            until_next_scrape([now], Some(TimeDelta::hours(1)), now),
            Duration::from_secs(15)
        );
    }

    #[test]
    fn silence_backs_off() {
        let waits: Vec<_> = [1, 2, 3, 4, 5, 1000].map(|n| after_silence(n).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
    }
}
