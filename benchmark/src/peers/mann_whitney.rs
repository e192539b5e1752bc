//! The Mann-Whitney test's confidence interval of a shift, with the Hodges-Lehmann estimate:
//! the shifts at which the rank sum, in normal approximation with ties and continuity
//! corrected, passes the quantiles.

use crate::number::size;

/// An interval of the shift between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    /// Lower end.
    pub(super) low: f64,
    /// Upper end.
    pub(super) high: f64,
    /// The estimate.
    pub(super) estimate: f64,
}

/// Halvings of the interval of possible shifts: to 1e-5 of it.
const HALVINGS: u32 = 17;

impl Interval {
    /// Of `x` over `y`, neither of which may be empty. None where all values are the same or
    /// both samples are.
    pub(super) fn of_shift(x: &[f64], y: &[f64], confidence: f64) -> Option<Self> {
        let (x, y) = (sorted(x), sorted(y));
        let (x_min, x_max) = (x.first()?, x.last()?);
        let (y_min, y_max) = (y.first()?, y.last()?);
        if x == y || (x_min.total_cmp(y_max).is_eq() && x_max.total_cmp(y_min).is_eq()) {
            return None;
        }
        let (least, most) = (x_min - y_max, x_max - y_min);
        let z = normal_quantile(f64::midpoint(1.0, confidence));
        let root = |z: f64| {
            let distance = |shift: f64| deviation(&x, &y, shift).map(|found| found - z);
            let (mut low, mut high) = (least, most);
            if distance(low)? <= 0.0 {
                return Some(low);
            }
            if distance(high)? >= 0.0 {
                return Some(high);
            }
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(low, high);
                if distance(middle)? > 0.0 {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            Some(f64::midpoint(low, high))
        };
        Some(Self { low: root(z)?, high: root(-z)?, estimate: hodges_lehmann(&x, &y) })
    }
}

/// The median of all differences. (Where the rank sum crosses zero it is flat: a root of it would
/// be any shift of a whole interval.)
fn hodges_lehmann(x: &[f64], y: &[f64]) -> f64 {
    let all: Vec<f64> = x.iter().flat_map(|x| y.iter().map(move |y| x - y)).collect();
    let all = sorted(&all);
    let at = |index: usize| all.get(index).copied().unwrap_or_default();
    let middle = all.len() / 2;
    if all.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle - 1), at(middle)) }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// How many standard deviations the rank sum of `x - shift` lies above its mean; none where all
/// values are the same. Both samples are sorted.
fn deviation(x: &[f64], y: &[f64], shift: f64) -> Option<f64> {
    let (n_x, n_y) = (size(x.len()), size(y.len()));
    let all = n_x + n_y;
    let (mut i, mut j, mut rank, mut sum, mut ties) = (0, 0, 0.0, 0.0, 0.0);
    while i < x.len() || j < y.len() {
        let next_x = x.get(i).map_or(f64::INFINITY, |value| value - shift);
        let value = next_x.min(y.get(j).copied().unwrap_or(f64::INFINITY));
        let (i_from, j_from) = (i, j);
        while x.get(i).is_some_and(|next| next - shift <= value) {
            i += 1;
        }
        while y.get(j).is_some_and(|next| *next <= value) {
            j += 1;
        }
        let (own, equal) = (size(i - i_from), size(i - i_from + j - j_from));
        sum += own * (rank + f64::midpoint(1.0, equal));
        rank += equal;
        ties += equal.powi(3) - equal;
    }
    let centred = sum - n_x * (n_x + 1.0) / 2.0 - n_x * n_y / 2.0;
    let variance = n_x * n_y / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    let correction = if centred.abs() > 0.0 { 0.5 * centred.signum() } else { 0.0 };
    (variance > 0.0).then(|| (centred - correction) / variance.sqrt())
}

/// Quantile of the standard normal law, by bisection of its distribution function.
fn normal_quantile(level: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_below(middle) < level { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// Distribution function of the standard normal law (Marsaglia's series; for |x| < 8).
fn normal_below(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-17 && n < 400.0 {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{HALVINGS, Interval, deviation, hodges_lehmann, normal_quantile};

    #[test]
    fn interval_of_the_documented_example() {
        let x = [10.0, 20.0, 30.0, 40.0, 50.0];
        let y = [1.0, 2.0, 3.0, 4.0, 5.0];
        let found = Interval::of_shift(&x, &y, 0.98).unwrap();
        assert!((found.low - 5.0).abs() < 0.01, "{found:?}");
        assert!((found.high - 49.0).abs() < 0.01, "{found:?}");
        assert!((found.estimate - 27.0).abs() < 0.5, "{found:?}");
    }

    /// Worked example 8 to ten digits. The rank sum jumps past its quantile where 10 and 5, or 50
    /// and 1, are shifted on each other, so the interval is from 5 to 49.
    #[test]
    fn worked_example() {
        const NEAR: f64 = 1e-10;
        let x = [10.0, 20.0, 30.0, 40.0, 50.0];
        let y = [1.0, 2.0, 3.0, 4.0, 5.0];
        let z = normal_quantile(0.99);
        assert!((z - 2.326_347_874_0).abs() < NEAR, "{z}");
        let at = |shift: f64| deviation(&x, &y, shift).unwrap();
        // With one pair of ties, and with none.
        for (shift, expect) in
            [(5.0, 2.409_584_520_4), (5.0 + NEAR, 2.297_825_058_6), (27.0, 0.0), (26.5, 0.0)]
        {
            for (shift, expect) in [(shift, expect), (54.0 - shift, -expect)] {
                let found = at(shift);
                assert!((found - expect).abs() < NEAR, "{shift}: {found}");
            }
        }
        assert!(at(5.0) > z && at(5.0 + NEAR) < z, "the lower end is 5");
        assert!(at(49.0) < -z && at(49.0 - NEAR) > -z, "the upper end is 49");
        assert!((hodges_lehmann(&x, &y) - 27.0).abs() < NEAR);
        // Root finders stop at a tolerance of theirs: ours is a part of the range of shifts, and
        // the example's figures are half of a ten-thousandth of it inside.
        let found = Interval::of_shift(&x, &y, 0.98).unwrap();
        let within = 44.0 / f64::from(1 << HALVINGS);
        assert!((0.0..=within).contains(&(found.low - 5.0)), "{found:?}");
        assert!((0.0..=within).contains(&(49.0 - found.high)), "{found:?}");
        for (end, example) in [(5.0_f64, 5.002_2), (49.0, 48.997_8)] {
            assert!((example - end).abs() - 0.5e-4 * 44.0 < NEAR, "{example}");
        }
        // What decides is the same for all three: far below a quarter of the estimate.
        assert!(found.low.max(5.002_2) < 0.25 * found.estimate, "{found:?}");
    }

    #[test]
    fn quantiles() {
        for (level, expect) in [(0.5, 0.0), (0.975, 1.959_964), (0.99, 2.326_348)] {
            assert!((normal_quantile(level) - expect).abs() < 1e-5, "{level}");
        }
    }
}
