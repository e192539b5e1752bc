//! Odds of a cell being bad.

/// Shares of bad cells are kept within these, where the logarithms are sound.
const SHARE_MIN: f64 = 1e-4;
const SHARE_MAX: f64 = 0.98;

/// A share of bad cells that the formulas bear.
pub(super) fn sound_share(share: f64) -> f64 {
    share.clamp(SHARE_MIN, SHARE_MAX)
}

/// The logarithm of the odds ratio that a rate ratio `ratio` makes of the share `share` of cells
/// with at least one bad event: `a = 1-(1-p)^r` for any compound Poisson law, and
/// `ln a/(1-a) - ln p/(1-p)`.
pub(super) fn log_odds_ratio(ratio: f64, share: f64) -> f64 {
    let none = (-share).ln_1p();
    let log_none = ratio * none;
    (-log_none.exp_m1()).ln() - log_none - share.ln() + none
}

/// The mean logarithm of the ratio of two chances, the first being true (Kullback & Leibler
/// 1951); none where the second excludes what the first allows.
pub(super) fn divergence(is: f64, null: f64) -> f64 {
    let part = |is: f64, null: f64| if is > 0.0 { is * (is / null).ln() } else { 0.0 };
    let sum = part(is, null) + part(1.0 - is, 1.0 - null);
    if sum.is_finite() { sum } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{divergence, log_odds_ratio};

    #[test]
    fn worked_examples() {
        for (ratio, expect) in [(1.25, 0.236_573_730_0), (3.5, 1.389_660_766_8), (1.0, 0.0)] {
            assert!((log_odds_ratio(ratio, 0.1) - expect).abs() < 1e-10, "{ratio}");
        }
    }

    #[test]
    fn a_divergence_is_what_a_bet_grows_by() {
        assert!(divergence(0.3, 0.3).abs() < 1e-15);
        assert!((divergence(0.5, 0.25) - 0.143_841_036_2).abs() < 1e-10);
        assert!(divergence(0.5, 0.0).abs() < 1e-15);
    }
}
