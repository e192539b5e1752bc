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
    /// It is missed by more than noise, as it is known to be: see [`Bar::AtLeastSoFar`].
    Short,
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
            Self::Short => "short",
            Self::Missed => "MISSED",
            Self::Shown => "",
        })
    }
}

impl Verdict {
    /// A miss that does not go beyond the guard falls short only.
    fn no_worse_than(self, guard: Bar, found: Estimate) -> Self {
        match (self, guard.verdict(found)) {
            (Self::Missed, Self::Missed) => Self::Missed,
            (Self::Missed, _) => Self::Short,
            (other, _) => other,
        }
    }
}

/// Where a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// Not above this.
    AtMost(f64),
    /// Not below this.
    AtLeast(f64),
    /// Not below `bar`, which is not reached yet; until it is, not below `guard`.
    AtLeastSoFar {
        /// The goal.
        bar: f64,
        /// What has been reached, with room for noise.
        guard: f64,
    },
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
            Self::AtLeastSoFar { bar, guard } => {
                return Self::AtLeast(bar)
                    .verdict(found)
                    .no_worse_than(Self::AtLeast(guard), found);
            }
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
            Bar::AtLeast(bar) | Bar::AtLeastSoFar { bar, .. } => {
                (format!(">= {}", self.unit.write(bar)), self.found.low)
            }
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

#[cfg(test)]
mod tests {
    use super::{Bar, Verdict};
    use crate::statistics::Estimate;

    #[test]
    fn a_bar_that_is_not_reached_yet_is_guarded() {
        let found = |low, value, high| Estimate { value, low, high };
        let bar = Bar::AtLeastSoFar { bar: 3.5, guard: 2.0 };
        let cases = [
            (found(3.6, 3.8, 4.0), Verdict::Held),
            (found(3.0, 3.4, 3.8), Verdict::Unsure),
            (found(2.5, 2.9, 3.3), Verdict::Short),
            (found(1.8, 2.1, 2.4), Verdict::Short),
            (found(1.5, 1.7, 1.9), Verdict::Missed),
            (found(f64::NAN, f64::NAN, f64::NAN), Verdict::Missed),
        ];
        for (found, expect) in cases {
            assert_eq!(bar.verdict(found), expect, "{found:?}");
        }
        assert_eq!(bar.verdict(found(1.0, 1.5, 1.9)), Verdict::Missed);
    }
}
