//! Rate ratios to test against each other.

/// A rate ratio to test against another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratios {
    /// The edge of the null.
    pub(super) null: f64,
    /// What is looked for.
    pub(super) alternative: f64,
}

/// Rate ratios that are looked for: each finds its own size of regression soonest.
const ALTERNATIVES: [f64; 2] = [2.1, 4.0];

/// The tolerated ratio for which [`ALTERNATIVES`] are meant.
const NULL_DEFAULT: f64 = 1.25;

impl Ratios {
    /// What is looked for where this ratio is tolerated.
    pub(super) fn beyond(null: f64) -> [Self; ALTERNATIVES.len()] {
        ALTERNATIVES
            .map(|alternative| Self { null, alternative: alternative * null / NULL_DEFAULT })
    }
}
