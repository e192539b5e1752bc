//! The conditional likelihood ratio of a 2x2 table: Fisher's non-central hypergeometric law.
//!
//! Of P cells, m of them the canary's, X are bad, and x of these are the canary's. Given X, the
//! common probability of a bad cell cancels, whatever it was: shared bursts, diurnal load and
//! outages of both arms leave no trace. (The conditional e-value of `savi2x2` in CRAN's
//! safestats; Turner & Grünwald, arXiv:2302.11401.)

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    /// Cells.
    pub(super) cells: u32,
    /// The canary's cells.
    pub(super) canary: u32,
    /// Bad cells.
    pub(super) bad: u32,
    /// The canary's bad cells.
    pub(super) canary_bad: u32,
}

/// Sums are scaled down when they grow beyond this.
const SCALE: f64 = 1e200;

impl Table {
    /// The share of bad cells, both arms together.
    pub(super) fn share(&self) -> f64 {
        f64::from(self.bad) / f64::from(self.cells.max(1))
    }

    /// The same, a standard deviation higher.
    pub(super) fn share_upper(&self) -> f64 {
        upper(self.share(), self.cells)
    }

    /// Stable's share if all bad cells were stable's, a standard deviation higher: where canary
    /// pods have little load, the share of all cells says too little about stable's.
    pub(super) fn stable_share_upper(&self) -> f64 {
        let stable = self.cells.saturating_sub(self.canary);
        upper((f64::from(self.bad) / f64::from(stable.max(1))).min(1.0), stable)
    }

    fn fewest(&self) -> u32 {
        (self.bad + self.canary).saturating_sub(self.cells)
    }

    /// Whether the counts fit together and the table can say anything: with no bad cell, or none
    /// but bad ones, x is what it must be.
    fn tells(&self) -> bool {
        let fits = self.canary <= self.cells
            && self.bad <= self.cells
            && self.canary_bad <= self.bad.min(self.canary)
            && self.canary_bad >= self.fewest();
        fits && self.fewest() < self.bad.min(self.canary)
    }

    /// `ln e` of the odds ratio `exp(alternative)` against `exp(null)`.
    pub(super) fn log_ratio(&self, null: f64, alternative: f64) -> f64 {
        if !self.tells() {
            return 0.0;
        }
        let above = f64::from(self.canary_bad - self.fewest());
        above * (alternative - null) + self.log_sum(null) - self.log_sum(alternative)
    }

    /// The logarithm of `Σ_j C(m,j) C(P-m,X-j) w^j`, relative to its first term.
    fn log_sum(&self, log_weight: f64) -> f64 {
        let weight = log_weight.exp();
        let (cells, canary, bad) =
            (f64::from(self.cells), f64::from(self.canary), f64::from(self.bad));
        let (mut term, mut sum, mut scaled) = (1.0_f64, 1.0_f64, 0.0_f64);
        for j in self.fewest()..self.bad.min(self.canary) {
            let j = f64::from(j);
            let next = (canary - j) * (bad - j) / ((j + 1.0) * (cells - canary - bad + j + 1.0));
            term *= next * weight;
            sum += term;
            if sum > SCALE {
                term /= SCALE;
                sum /= SCALE;
                scaled += SCALE.ln();
            }
        }
        sum.ln() + scaled
    }
}

fn upper(share: f64, cells: u32) -> f64 {
    share + (share * (1.0 - share) / f64::from(cells.max(1))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::odds::log_odds_ratio;
    use super::Table;

    #[test]
    fn worked_examples() {
        let (null, alternative) = (log_odds_ratio(1.25, 0.1), log_odds_ratio(3.5, 0.1));
        let cases = [
            (1, 3, 1, 0.819_383_615_1),
            (1, 3, 0, -0.333_703_421_6),
            (5, 5, 3, 1.259_357_864_2),
            (5, 0, 0, 0.0),
        ];
        for (canary, bad, canary_bad, expect) in cases {
            let table = Table { cells: 20, canary, bad, canary_bad };
            let ln = table.log_ratio(null, alternative);
            assert!((ln - expect).abs() < 1e-10, "{table:?}: {ln}");
        }
    }

    #[test]
    fn large_tables_stay_finite() {
        let table = Table { cells: 4000, canary: 2000, bad: 2000, canary_bad: 1900 };
        assert!(table.log_ratio(-3.0, 7.9).is_finite());
    }
}
