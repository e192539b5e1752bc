//! What a query for raw samples returned.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::native::NativeHistogram;
use crate::series::Sample;

/// One reading of a native histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSample {
    /// When it was read, on the provider's clock.
    pub at: DateTime<Utc>,
    /// What was read.
    pub histogram: NativeHistogram,
}

/// One series with its samples, in any order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawSeries {
    /// Every label, the name of the metric (`__name__`) included.
    pub labels: BTreeMap<String, String>,
    /// Samples that are plain numbers.
    pub floats: Vec<Sample>,
    /// Samples that are native histograms.
    pub histograms: Vec<HistogramSample>,
}

/// The answer to one range selector.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The provider's time at which the query was evaluated, as the request named it: a guess
    /// could make a series whose older samples lie just outside of the range look new.
    pub evaluated_at: DateTime<Utc>,
    /// The range of the selector.
    pub range: TimeDelta,
    /// The series that it selected.
    pub series: Vec<RawSeries>,
}

/// What was asked for one metric in one cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// Counters of bad events and of all events.
    Counters {
        /// Bad events. None at all means no bad event: many programs export a counter only
        /// after its first event.
        bad: Answer,
        /// All events, bad ones included.
        total: Answer,
    },
    /// A latency histogram: its classic buckets, its native form, or both.
    Histogram(Answer),
    /// A gauge of each pod; several series of one pod are added up.
    Gauge(Answer),
}

impl Answers {
    pub(super) fn parts(&self) -> Vec<&Answer> {
        match self {
            Self::Counters { bad, total } => vec![bad, total],
            Self::Histogram(answer) | Self::Gauge(answer) => vec![answer],
        }
    }

    /// The span that every part covers: samples after the first and up to the second time, in
    /// ms. A scrape that lands between two requests is in one of the answers only.
    pub(super) fn covered(&self) -> (i64, i64) {
        let parts = self.parts();
        let from = parts.iter().map(|a| ms(a.evaluated_at) - a.range.num_milliseconds()).max();
        let to = parts.iter().map(|a| ms(a.evaluated_at)).min();
        (from.unwrap_or(i64::MAX), to.unwrap_or(i64::MIN))
    }

    pub(super) fn are_gauges(&self) -> bool {
        matches!(self, Self::Gauge(_))
    }

    /// The field that names what every pod has to have.
    pub(super) fn field(&self) -> &'static str {
        match self {
            Self::Counters { .. } => "total",
            Self::Histogram(_) => "histogram",
            Self::Gauge(_) => "gauge",
        }
    }

    /// Number of series and of samples.
    pub(super) fn size(&self) -> (usize, usize) {
        let series = self.parts().into_iter().flat_map(|answer| &answer.series);
        series.fold((0, 0), |(n, samples), one| {
            let buckets: usize = one.histograms.iter().map(|h| 1 + h.histogram.buckets.len()).sum();
            (n + 1, samples + one.floats.len() + buckets)
        })
    }
}

/// A time in ms.
pub(super) fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// The time that is so many ms; the earliest one if there is none such.
pub(super) fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}
