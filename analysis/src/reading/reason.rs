//! Why something was not counted.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::{
    figures::{seconds, short},
    judge::Arm,
    verdict::Verdict,
};

/// Why a round has nothing new to judge although something was due.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Gap {
    /// Too few scrapes yet to know their rhythm.
    #[error("waits for three scrapes of {arm}")]
    FewScrapes {
        /// Which arm.
        arm: &'static str,
    },
    /// Everything new is left out for a reason that passes by itself.
    #[error("waits for a window with both revisions: {0}")]
    AllLeftOut(String),
    /// Too few events to choose the bounds of slow requests.
    #[error("waits for {needed} requests of stable to choose bounds, has {seen}")]
    FewEvents {
        /// How many there are.
        seen: u64,
        /// How many it takes.
        needed: u64,
    },
    /// Too few values to say what is high.
    #[error("waits for {needed} values of stable to choose the level, has {seen}")]
    FewValues {
        /// How many there are.
        seen: usize,
        /// How many it takes.
        needed: usize,
    },
    /// An arm has no series of what is counted or measured.
    #[error("no series of {field} for {arm}: check its selector and that the pods are scraped")]
    Absent {
        /// Which arm.
        arm: &'static str,
        /// Where the selector stands.
        field: &'static str,
    },
    /// No series has the label that tells the arms apart.
    #[error("no series has the label {label}: name another one under `by`")]
    Unlabelled {
        /// The label.
        label: String,
    },
    /// No series is one of this rollout's pods.
    #[error("no series belongs to a pod of either revision: check the selector and label {label}")]
    Strangers {
        /// The label.
        label: String,
    },
    /// No sample for so long that the source must be broken.
    #[error("stale: the newest sample of {arm} is {} old, more than {}; check its scrapes", seconds(*age), seconds(*limit))]
    Stale {
        /// Which arm.
        arm: &'static str,
        /// Age of the newest sample.
        age: TimeDelta,
        /// Age up to which it would do.
        limit: TimeDelta,
    },
    /// Nobody can tell what happened before what.
    #[error("clock skew: clocks differ by {}, more than 5 s; synchronise them", seconds(*skew))]
    ClockSkew {
        /// How much.
        skew: TimeDelta,
    },
    /// A sample is NaN or infinite.
    #[error("{series} has the value {value}, which is no number; correct the source")]
    NotANumber {
        /// The series.
        series: String,
        /// The value.
        value: String,
    },
    /// A counter is negative.
    #[error("{series} is negative ({}): name a counter, or compare it as a gauge", short(*value))]
    Negative {
        /// The series.
        series: String,
        /// The value.
        value: f64,
    },
    /// More bad events than events.
    #[error("{arm} has {bad} bad of {events} events: total must count the bad ones too")]
    Contradiction {
        /// Which arm.
        arm: &'static str,
        /// Bad events.
        bad: u64,
        /// All events.
        events: u64,
    },
    /// A histogram where a counter was asked for. Read as a number it would be 0.
    #[error("{series} is a native histogram: name it under `histogram` instead")]
    NativeHistogram {
        /// The series.
        series: String,
    },
    /// A number where a histogram was asked for.
    #[error("{series} is no histogram: it has neither a label le nor native samples")]
    NoHistogram {
        /// The series.
        series: String,
    },
    /// The arms do not have the bounds that were chosen.
    #[error(
        "bucket layout changed: {arm} has no bound {bound}; use equal bounds in both revisions"
    )]
    LayoutChanged {
        /// Which arm.
        arm: &'static str,
        /// The missing bound, in the metric's unit.
        bound: String,
    },
    /// There is no bound that both arms have above any of stable's quantiles.
    #[error("no bucket bound that both revisions have lies above stable's median; add buckets")]
    NoBounds,
    /// The answer is larger than anything that can be judged.
    #[error("{count} {what}, more than {limit}: narrow the selector")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many would do.
        limit: usize,
    },
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(&'static str),
}

impl Gap {
    /// What follows: wait, hold, or have somebody repair it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::FewScrapes { .. }
            | Self::AllLeftOut(_)
            | Self::FewEvents { .. }
            | Self::FewValues { .. } => Verdict::Watch,
            Self::Absent { .. }
            | Self::Unlabelled { .. }
            | Self::Strangers { .. }
            | Self::Stale { .. }
            | Self::ClockSkew { .. }
            | Self::NotANumber { .. } => Verdict::NoData,
            Self::Negative { .. }
            | Self::Contradiction { .. }
            | Self::NativeHistogram { .. }
            | Self::NoHistogram { .. }
            | Self::LayoutChanged { .. }
            | Self::NoBounds
            | Self::TooMany { .. }
            | Self::Settings(_) => Verdict::Error,
        }
    }
}

/// Why one pod, or one scraped target, does not count in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// A scrape at an edge of the window is missing.
    MissingScrape,
    /// The pod is younger than the warm-up.
    WarmUp,
    /// The pod is ending.
    Terminating,
    /// The window began before the evidence opened.
    BeforeOpening,
    /// Part of it has been counted already, before the target was scraped by somebody else.
    Counted,
    /// Its first value may be older than the window.
    NoBase,
    /// Some of its counters are missing in a scrape that has others.
    PartialScrape,
    /// Its process started again, and it cannot be told which counters began anew.
    Restart,
    /// A sample is not a number that a counter can have.
    NotANumber,
    /// Different values at one time.
    Conflict,
    /// More bad events than events.
    Contradiction,
    /// It lacks a bucket bound.
    Layout,
    /// A sample lies in the future.
    Future,
}

impl LeftOut {
    /// In words, for messages.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::MissingScrape => "missing scrape",
            Self::WarmUp => "warming up",
            Self::Terminating => "terminating",
            Self::BeforeOpening => "began before the step",
            Self::Counted => "counted already",
            Self::NoBase => "no earlier sample",
            Self::PartialScrape => "partial scrape",
            Self::Restart => "restarted",
            Self::NotANumber => "not a number",
            Self::Conflict => "two values at one time",
            Self::Contradiction => "more bad events than events",
            Self::Layout => "bucket bound missing",
            Self::Future => "sample from the future",
        }
    }
}

/// What was left out of a round, and what else is worth knowing about its quality.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Number of cells that were left out, by arm and reason. Sources that do not tell pods
    /// apart are noted under the canary.
    pub left_out: BTreeMap<(Arm, LeftOut), u64>,
    /// Targets that are scraped more than once; only one reading of them counts.
    pub duplicate_targets: u64,
    /// Series of pods that belong to neither arm.
    pub stranger_series: u64,
    /// Windows that were due so long ago that they were passed over.
    pub skipped_windows: u64,
    /// The first cell with more bad events than events: its arm and both.
    pub(super) contradiction: Option<(Arm, u64, u64)>,
}

impl Notes {
    pub(super) fn add(&mut self, arm: Arm, reason: LeftOut) {
        *self.left_out.entry((arm, reason)).or_default() += 1;
    }

    /// The commonest reasons, most frequent first: `warming up (6), missing scrape (1)`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut by_reason: BTreeMap<LeftOut, u64> = BTreeMap::new();
        for ((_, reason), count) in &self.left_out {
            *by_reason.entry(*reason).or_default() += count;
        }
        let mut sorted: Vec<_> = by_reason.into_iter().collect();
        sorted.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        let parts: Vec<_> =
            sorted.iter().map(|(reason, n)| format!("{} ({n})", reason.text())).collect();
        parts.join(", ")
    }
}

/// The arm in words.
pub(super) fn name(arm: Arm) -> &'static str {
    match arm {
        Arm::Canary => "the canary",
        Arm::Stable => "stable",
    }
}
