//! The logarithm of the standard normal distribution function.

use std::f64::consts::{PI, SQRT_2};

/// From here on downwards the continued fraction is the better form.
const TAIL: f64 = -2.0;

/// `ln Φ(x)`, to about 14 digits.
pub(super) fn log_cdf(x: f64) -> f64 {
    if x < TAIL {
        return log_tail(-x);
    }
    if x > -TAIL {
        return (-log_tail(x).exp()).ln_1p();
    }
    f64::midpoint(1.0, error_function(x / SQRT_2)).ln()
}

/// `ln (1 - Φ(x))` for x > 0: φ(x) over `x + 1/(x + 2/(x + 3/(x + …)))`.
fn log_tail(x: f64) -> f64 {
    let fraction = (1..=120_u32).rev().fold(x, |below, k| x + f64::from(k) / below);
    -0.5 * x * x - 0.5 * (2.0 * PI).ln() - fraction.ln()
}

/// The error function near 0: its Taylor series in the form of positive terms.
fn error_function(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..=60_u32 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::log_cdf;

    #[test]
    fn known_values() {
        for (x, expect) in [
            (0.0, -std::f64::consts::LN_2),
            (1.0, -0.172_753_779_023_449_9),
            (-1.0, -1.841_021_645_009_264),
            (2.5, -0.006_229_025_485_860_002),
            (-2.5, -5.081_648_277_278_69),
            (-10.0, -53.231_285_150_512_47),
            (-38.0, -726.557_216_018_821_7),
        ] {
            let found = log_cdf(x);
            assert!((found - expect).abs() <= 1e-10 * expect.abs().max(1.0), "{x}: {found}");
        }
    }
}
