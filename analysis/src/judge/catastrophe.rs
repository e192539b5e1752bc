//! What needs no statistics: most of the canary's requests fail, and hardly any of stable's.
//!
//! It looks at the last minute as it is, before warm-up and watermark, and stays outside of the
//! cap on an episode: a total outage of the canary must not wait for evidence to add up.

use super::increments::float;
use super::window::ArmCounts;

/// Bad events of the canary below which nothing is a catastrophe.
const BAD_MIN: u64 = 20;

/// Bad share of the canary from which on it is one.
const SHARE_MIN: f64 = 0.5;

/// Stable may at most fail this part of the canary's share, by its upper bound.
const STABLE_PART: f64 = 0.25;

/// The one-sided 95 % point of the standard normal law.
const QUANTILE: f64 = 1.645;

/// What the last minute looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Catastrophe {
    /// Nothing out of the ordinary.
    None,
    /// The canary fails, stable does not.
    Canary,
    /// Both fail, or stable is too quiet to tell: nobody can say whose fault it is.
    Both,
}

impl Catastrophe {
    /// Looks at the events of the last minute.
    #[must_use]
    pub fn look(canary: ArmCounts, stable: ArmCounts) -> Self {
        // More bad events than events are a broken source, not a broken release.
        let contradictory = canary.bad > canary.events || stable.bad > stable.events;
        let share = float(canary.bad) / float(canary.events.max(1));
        if contradictory || canary.bad < BAD_MIN || share < SHARE_MIN {
            return Self::None;
        }
        if upper_bound(stable) <= STABLE_PART * share { Self::Canary } else { Self::Both }
    }
}

/// Wilson's upper bound of a share; 1 of nothing.
fn upper_bound(counts: ArmCounts) -> f64 {
    if counts.events == 0 {
        return 1.0;
    }
    let n = float(counts.events);
    let share = float(counts.bad.min(counts.events)) / n;
    let z2 = QUANTILE * QUANTILE;
    let spread = (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    (share + z2 / (2.0 * n) + QUANTILE * spread) / (1.0 + z2 / n)
}

#[cfg(test)]
mod tests {
    use super::{ArmCounts, Catastrophe};

    #[test]
    fn only_a_canary_that_fails_alone_is_one() {
        use Catastrophe::{Both, Canary, None};
        let cases = [
            ((19, 20), (0, 1000), None, "too few bad events"),
            ((20, 41), (0, 1000), None, "less than half"),
            ((20, 40), (0, 1000), Canary, "half of them, and stable is fine"),
            ((20, 20), (1, 20), Canary, "few requests of stable, one of them bad"),
            ((20, 40), (4, 20), Both, "stable fails too"),
            ((500, 500), (500, 500), Both, "a shared outage"),
            ((50, 49), (0, 1000), None, "counters that contradict each other"),
            ((50, 50), (0, 0), Both, "nothing to compare with"),
            ((50, 50), (0, 5), Both, "too little to compare with"),
        ];
        for (canary, stable, expect, what) in cases {
            let counts = |(bad, events)| ArmCounts { bad, events };
            assert_eq!(Catastrophe::look(counts(canary), counts(stable)), expect, "{what}");
        }
    }
}
