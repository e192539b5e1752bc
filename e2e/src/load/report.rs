//! What a load has counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;

use super::latency::Histogram;

/// Enough error texts to see what goes on, few enough to read.
const ERROR_TEXTS: usize = 5;

/// The counts of a load. After [`super::Load::stop`], `sent` is `answered` plus `lost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that got an answer of any kind.
    pub answered: u64,
    /// Answers of the application, per value of `x-version` and status. The version is empty for
    /// an answer below 400 that names none.
    pub by_version: BTreeMap<String, BTreeMap<u16, u64>>,
    /// Requests without an answer: connection refused or reset, timed out.
    pub lost: u64,
    /// The first five reasons for a loss.
    pub lost_errors: Vec<String>,
    /// Answers from 400 upwards without `x-version`: they are the gateway's own, such as 503
    /// without an endpoint, 504 after a timeout or 404 without a route.
    pub gateway_errors: u64,
    /// The gateway errors per status.
    pub gateway_statuses: BTreeMap<u16, u64>,
    /// Requests that the schedule would have sent, but too many were in flight. If it is not
    /// zero, the load was less than asked for.
    pub overrun: u64,
    /// The latency of the answers per version.
    pub latency: BTreeMap<String, Latency>,
    /// When each version was seen.
    pub seen: BTreeMap<String, Seen>,
}

/// Latencies of one version, at most 6 % above the true value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Half of the answers took no longer.
    pub p50: Duration,
    /// 99 of 100 answers took no longer.
    pub p99: Duration,
}

/// The time in which a version was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its first answer.
    pub first: Instant,
    /// Its latest answer.
    pub last: Instant,
}

impl LoadReport {
    /// The timeout of each request, from the moment it was scheduled to the end of its body.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// Requests that a user would have seen fail through no fault of the application: lost ones
    /// and the gateway's errors. What the application itself answers is in `by_version`.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.lost + self.gateway_errors
    }

    /// The answers of one version, whatever their status.
    #[must_use]
    pub fn of_version(&self, version: &str) -> u64 {
        self.by_version.get(version).map_or(0, |statuses| statuses.values().sum())
    }
}

/// Counts while a load runs.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    report: LoadReport,
    latencies: BTreeMap<String, Histogram>,
}

impl Recorder {
    pub(super) fn sent(&self) {
        self.counts().report.sent += 1;
    }

    pub(super) fn overrun(&self) {
        self.counts().report.overrun += 1;
    }

    pub(super) fn lost(&self, reason: String) {
        let report = &mut self.counts().report;
        report.lost += 1;
        if report.lost_errors.len() < ERROR_TEXTS {
            report.lost_errors.push(reason);
        }
    }

    pub(super) fn answered(&self, version: Option<&str>, status: StatusCode, latency: Duration) {
        let now = Instant::now();
        let mut counts = self.counts();
        let Counts { report, latencies } = &mut *counts;
        report.answered += 1;
        let status_code = status.as_u16();
        if version.is_none() && (status.is_client_error() || status.is_server_error()) {
            report.gateway_errors += 1;
            *report.gateway_statuses.entry(status_code).or_default() += 1;
            return;
        }
        let version = version.unwrap_or_default();
        let statuses = report.by_version.entry(version.to_owned()).or_default();
        *statuses.entry(status_code).or_default() += 1;
        let seen = Seen { first: now, last: now };
        report.seen.entry(version.to_owned()).or_insert(seen).last = now;
        latencies.entry(version.to_owned()).or_default().record(latency);
    }

    pub(super) fn report(&self) -> LoadReport {
        let counts = self.counts();
        let latency = counts.latencies.iter().map(|(version, histogram)| {
            let p50 = histogram.percentile(50);
            let p99 = histogram.percentile(99);
            (version.clone(), Latency { p50, p99 })
        });
        LoadReport { latency: latency.collect(), ..counts.report.clone() }
    }

    /// Nothing that holds the lock can panic, so its content is good even if a task ended badly.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
