//! Bounds of what was measured: no figure is shown without how far it can be trusted.

use crate::number::{float, size};

/// The one-sided 95 % point of the standard normal law.
const ONE_SIDED: f64 = 1.645;

/// A figure with one-sided 95 % bounds on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// It is not below this.
    pub low: f64,
    /// It is not above this.
    pub high: f64,
}

impl Estimate {
    /// A share: so many of so many (Clopper and Pearson).
    #[must_use]
    pub fn share(hits: u64, runs: u64) -> Self {
        let value = float(hits) / float(runs.max(1));
        // P(X <= hits) falls as the share grows.
        let high = if hits >= runs { 1.0 } else { falls_to(0.05, |p| at_most(hits, runs, p)) };
        let low = match hits.checked_sub(1) {
            None => 0.0,
            Some(below) => falls_to(0.95, |p| at_most(below, runs, p)),
        };
        Self { value, low, high }
    }

    /// The mean of these numbers.
    #[must_use]
    pub fn mean(numbers: &[f64]) -> Self {
        let count = size(numbers.len().max(1));
        let value = numbers.iter().sum::<f64>() / count;
        let squares = numbers.iter().map(|number| (number - value).powi(2)).sum::<f64>();
        let error = ONE_SIDED * (squares / (count - 1.0).max(1.0) / count).sqrt();
        Self { value, low: value - error, high: value + error }
    }

    /// The median of these numbers, which must be in order (by order statistics).
    #[must_use]
    pub fn median(sorted: &[f64]) -> Self {
        let count = size(sorted.len());
        let at = |place: f64| {
            let last = sorted.len().saturating_sub(1);
            let place = crate::number::index(place.max(0.0)).min(last);
            sorted.get(place).copied().unwrap_or(f64::NAN)
        };
        let spread = ONE_SIDED * count.sqrt() / 2.0;
        let middle = count / 2.0;
        Self { value: at(middle), low: at(middle - spread), high: at(middle + spread) }
    }

    /// The ratio of the means of two paired lists (delta method).
    #[must_use]
    pub fn ratio(above: &[f64], below: &[f64]) -> Self {
        let (top, bottom) = (Self::mean(above).value, Self::mean(below).value);
        let value = top / bottom;
        let residuals: Vec<f64> =
            above.iter().zip(below).map(|(a, b)| (a - value * b) / bottom).collect();
        let error = Self::mean(&residuals);
        Self { value, low: value + error.low, high: value + error.high }
    }
}

/// Where a falling function of a share reaches `level`.
fn falls_to(level: f64, function: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if function(middle) > level {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// `P(X <= hits)` of a binomial law.
fn at_most(hits: u64, runs: u64, share: f64) -> f64 {
    if share <= 0.0 {
        return 1.0;
    }
    if share >= 1.0 {
        return if hits >= runs { 1.0 } else { 0.0 };
    }
    let odds_ln = (share / (1.0 - share)).ln();
    let mut term_ln = float(runs) * (-share).ln_1p();
    let mut sum = term_ln.exp();
    for hit in 0..hits {
        term_ln += (float(runs - hit) / float(hit + 1)).ln() + odds_ln;
        sum += term_ln.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::Estimate;

    #[test]
    fn bounds_of_shares() {
        // Of exact tables: 12 of 2000 is at most 0.97 %, 0 of 299 at most 1 %.
        let cases = [(12, 2000, 0.003_4, 0.009_7), (0, 299, 0.0, 0.009_97), (10, 10, 0.741, 1.0)];
        for (hits, runs, low, high) in cases {
            let found = Estimate::share(hits, runs);
            assert!((found.low - low).abs() < 1e-3, "{hits}/{runs}: {found:?}");
            assert!((found.high - high).abs() < 1e-3, "{hits}/{runs}: {found:?}");
        }
    }

    #[test]
    fn means_medians_and_ratios() {
        let numbers: Vec<f64> = (0..=100).map(f64::from).collect();
        let mean = Estimate::mean(&numbers);
        assert!((mean.value - 50.0).abs() < 1e-9 && (mean.high - 54.8).abs() < 0.1, "{mean:?}");
        let median = Estimate::median(&numbers);
        assert!((median.value - 50.0).abs() < 1e-9 && median.high > 57.0, "{median:?}");
        let twice: Vec<f64> = numbers.iter().map(|number| 2.0 * number).collect();
        let ratio = Estimate::ratio(&twice, &numbers);
        assert!((ratio.value - 2.0).abs() < 1e-9 && (ratio.high - 2.0).abs() < 1e-9, "{ratio:?}");
    }
}
