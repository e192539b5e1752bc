//! Raw counter samples and the events they stand for.

use chrono::{DateTime, TimeDelta, Utc};

use crate::figures::seconds;

/// One reading of a counter, at the time the source itself gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was read, on the provider's clock.
    pub at: DateTime<Utc>,
    /// The counter's value: events since the counter was born.
    pub value: f64,
}

/// The raw samples of one counter.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What was scraped: the pod, or the proxy that counts for many. The counters of one source
    /// are read in the same scrape and carry the same timestamps.
    pub source: String,
    /// Which counter of the source: its labels.
    pub key: String,
    /// Its samples, in any order; of several with one timestamp the last one counts.
    pub samples: Vec<Sample>,
}

/// What the first value of a counter without an earlier sample stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birth {
    /// The counter began after the evidence opened: its first value is events from zero. A
    /// rate would lose these, and the canary's pods are always the new ones.
    FromZero,
    /// Nobody knows since when it counts: its first value is only the base of what follows.
    Unknown,
}

/// Why there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDataReason {
    /// A sample is NaN or infinite.
    #[error("counter {key} has the value {value}, which is no number")]
    NotANumber {
        /// The counter.
        key: String,
        /// Its value.
        value: String,
    },
    /// A sample is negative, so it is no counter.
    #[error("counter {key} is negative ({value}): name a counter, not a gauge")]
    Negative {
        /// The counter.
        key: String,
        /// Its value.
        value: String,
    },
    /// The source has no counter of all events.
    #[error("no series of the {arm}'s total: check the selector and that its pods are scraped")]
    Absent {
        /// Which arm: canary or stable.
        arm: &'static str,
    },
    /// The newest sample is too old.
    #[error("stale: the {arm}'s newest sample is {} old, more than {}", seconds(*age), seconds(*limit))]
    Stale {
        /// Which arm: canary or stable.
        arm: &'static str,
        /// Age of the newest sample.
        age: TimeDelta,
        /// Age up to which it would count.
        limit: TimeDelta,
    },
}

/// The events that a counter saw between samples a < b with b after `opened_at`. The base is the
/// last sample at or before `opened_at`; where there is none, `birth` says what the first value
/// means. A value below the one before it is a restart from zero.
pub fn events_since(
    series: &Series,
    opened_at: DateTime<Utc>,
    birth: Birth,
) -> Result<f64, NoDataReason> {
    let samples = in_order(series)?;
    let mut last = samples.iter().rev().find(|sample| sample.at <= opened_at).map(|s| s.value);
    let mut events = 0.0;
    for sample in samples.iter().filter(|sample| sample.at > opened_at) {
        events += match (last, birth) {
            (Some(before), _) if sample.value >= before => sample.value - before,
            (Some(_), _) | (None, Birth::FromZero) => sample.value,
            (None, Birth::Unknown) => 0.0,
        };
        last = Some(sample.value);
    }
    Ok(events)
}

/// The time of the newest sample of several series.
pub fn newest_sample<'a>(series: impl IntoIterator<Item = &'a Series>) -> Option<DateTime<Utc>> {
    series.into_iter().flat_map(|series| &series.samples).map(|sample| sample.at).max()
}

/// Time from one scrape to the next: the median over all pairs of neighbouring samples, so that
/// a missed scrape does not change it. None without two samples of one series.
pub fn scrape_interval<'a>(series: impl IntoIterator<Item = &'a Series>) -> Option<TimeDelta> {
    let mut gaps = Vec::new();
    for series in series {
        let mut times: Vec<_> = series.samples.iter().map(|sample| sample.at).collect();
        times.sort_unstable();
        times.dedup();
        gaps.extend(times.windows(2).filter_map(|pair| match pair {
            [a, b] => Some(*b - *a),
            _ => None,
        }));
    }
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied()
}

/// The samples by time, one per timestamp, every one of them a number a counter may have.
fn in_order(series: &Series) -> Result<Vec<Sample>, NoDataReason> {
    let mut samples: Vec<Sample> = Vec::with_capacity(series.samples.len());
    for sample in &series.samples {
        let key = || series.key.clone();
        if !sample.value.is_finite() {
            return Err(NoDataReason::NotANumber { key: key(), value: sample.value.to_string() });
        }
        if sample.value < 0.0 {
            return Err(NoDataReason::Negative { key: key(), value: sample.value.to_string() });
        }
        samples.push(*sample);
    }
    samples.sort_by_key(|sample| sample.at);
    // dedup_by_key would keep the first of a timestamp; of two readings the later one counts.
    samples.reverse();
    samples.dedup_by_key(|sample| sample.at);
    samples.reverse();
    Ok(samples)
}

#[cfg(test)]
mod tests;
