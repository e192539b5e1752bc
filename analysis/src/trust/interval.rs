//! How sure a share of trials is.

/// A share and where the true one is, with a chance of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The share found, from 0 to 1.
    pub share: f64,
    /// Not below.
    pub low: f64,
    /// Not above.
    pub high: f64,
}

/// The two-sided 95 % point of the standard normal law.
const QUANTILE: f64 = 1.96;

impl Interval {
    /// Of `hits` in trials, of which only `independent` are worth counting as such: those that
    /// overlap in time repeat each other. The interval is Wilson's (1927).
    #[must_use]
    pub fn of(hits: usize, trials: usize, independent: f64) -> Self {
        if trials == 0 || independent.is_nan() || independent <= 0.0 {
            return Self { share: 0.0, low: 0.0, high: 1.0 };
        }
        #[expect(clippy::cast_precision_loss, reason = "trials are thousands at most")]
        let (share, trials) = (hits as f64 / trials as f64, trials as f64);
        let count = independent.min(trials).max(1.0);
        let squared = QUANTILE * QUANTILE / count;
        let middle = (share + squared / 2.0) / (1.0 + squared);
        let half = QUANTILE / (1.0 + squared)
            * (share * (1.0 - share) / count + squared / (4.0 * count)).sqrt();
        Self { share, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
    }
}
