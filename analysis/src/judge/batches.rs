//! Bad events that come in batches: geometric, of mean b ≥ 1. Errors are not Poisson: one broken
//! connection fails many requests. A likelihood ratio that believes them to be independent
//! aborts healthy releases; raised to a power η < 1 it stays an e-value.

/// Steps of the bisection of a power: 2^-16 below the largest one costs less than a thousandth of
/// the evidence, and every smaller power is as safe.
const BISECTIONS: u32 = 16;

/// The probability generating function of a geometric batch of mean `mean`; infinite from
/// `mean/(mean-1)` on.
pub(super) fn generating(x: f64, mean: f64) -> f64 {
    let denominator = mean - (mean - 1.0) * x;
    if denominator > 1e-12 { x / denominator } else { f64::INFINITY }
}

/// The largest η in 0..=1 for which `holds`, from below. What holds for an η must hold for every
/// smaller one.
pub(super) fn largest(holds: impl Fn(f64) -> bool) -> f64 {
    bisect(BISECTIONS, holds)
}

/// [`largest`] to 12 digits, for what is worked out once.
#[cfg(test)]
pub(super) fn exactly_largest(holds: impl Fn(f64) -> bool) -> f64 {
    bisect(45, holds)
}

fn bisect(steps: u32, holds: impl Fn(f64) -> bool) -> f64 {
    if holds(1.0) {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..steps {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
