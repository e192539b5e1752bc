//! The tables.

use std::fmt;

use crate::statistics::Estimate;

/// What a figure says about its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The bar is held, noise included.
    Held,
    /// The figure holds it; noise does not allow to be sure with so few runs.
    Likely,
    /// The figure misses it, but within noise.
    Unsure,
    /// It is missed by more than noise.
    Missed,
    /// There is no bar: shown for what it is worth.
    Shown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Held => "held",
            Self::Likely => "likely",
            Self::Unsure => "unsure",
            Self::Missed => "MISSED",
            Self::Shown => "",
        })
    }
}

/// Where a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// Not above this.
    AtMost(f64),
    /// Not below this.
    AtLeast(f64),
    /// Anywhere.
    Free,
}

impl Bar {
    /// What the figure says about it.
    #[must_use]
    pub fn verdict(self, found: Estimate) -> Verdict {
        let (holds, surely, missed) = match self {
            Self::AtMost(bar) => (found.value <= bar, found.high <= bar, found.low > bar),
            Self::AtLeast(bar) => (found.value >= bar, found.low >= bar, found.high < bar),
            Self::Free => return Verdict::Shown,
        };
        match (surely, holds, missed) {
            (true, ..) => Verdict::Held,
            (_, true, _) => Verdict::Likely,
            (_, _, true) => Verdict::Missed,
            // NaN: there was nothing to measure.
            _ if found.value.is_nan() => Verdict::Missed,
            _ => Verdict::Unsure,
        }
    }
}

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share of runs.
    Percent,
    /// Minutes.
    Minutes,
    /// Seconds.
    Seconds,
    /// Bad requests.
    Requests,
    /// A multiple.
    Times,
    /// Milliseconds.
    Milliseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    fn write(self, number: f64) -> String {
        match self {
            Self::Percent => format!("{:.2} %", number * 100.0),
            Self::Minutes => format!("{number:.1} min"),
            Self::Seconds => format!("{number:.0} s"),
            Self::Requests => format!("{number:.0}"),
            Self::Times => format!("{number:.2} x"),
            Self::Milliseconds => format!("{number:.1} ms"),
            Self::Nanoseconds => format!("{number:.0} ns"),
            Self::Bytes => format!("{number:.0} B"),
        }
    }
}

/// A line of the table of goals.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The goal: G1 to G14.
    pub goal: &'static str,
    /// What was measured.
    pub what: String,
    /// Where it has to be.
    pub bar: Bar,
    /// What was found.
    pub found: Estimate,
    /// How to write it.
    pub unit: Unit,
    /// What else to know.
    pub note: String,
}

impl Line {
    /// What the figure says about its bar.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.bar.verdict(self.found)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bar, bound) = match self.bar {
            Bar::AtMost(bar) => (format!("<= {}", self.unit.write(bar)), self.found.high),
            Bar::AtLeast(bar) => (format!(">= {}", self.unit.write(bar)), self.found.low),
            Bar::Free => (String::new(), self.found.high),
        };
        let (value, bound) = (self.unit.write(self.found.value), self.unit.write(bound));
        write!(
            f,
            "{:<4} {:<44} {bar:>12} {value:>11} {bound:>11}  {:<7} {}",
            self.goal,
            self.what,
            self.verdict(),
            self.note
        )
    }
}

/// The head of the table of goals.
#[must_use]
pub fn head() -> String {
    format!(
        "{:<4} {:<44} {:>12} {:>11} {:>11}  {:<7} {}",
        "goal", "what", "bar", "value", "95 % bound", "verdict", "note"
    )
}
