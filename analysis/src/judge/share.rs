//! The share engine: sums per arm, for sources that do not tell pods apart.
//!
//! With π₀ the canary's share of bad events at the edge of what is tolerated and q the share
//! under the alternative, `ln e = η [k_c ln q/π₀ + k_s ln (1-q)/(1-π₀)]`. For η = 1 it is exact
//! for Poisson and conservative for binomial counts (the safe logrank test with requests as risk
//! sets); η < 1 makes it safe for batches.

use super::batches::{generating, largest};
use super::increments::float;
use super::odds::divergence;
use super::ratios::Ratios;
use super::window::ArmCounts;

impl Ratios {
    /// `ln q/π₀` and `ln (1-q)/(1-π₀)`.
    fn logs(self, odds: f64) -> (f64, f64) {
        // q/π₀ and (1-q)/(1-π₀) without the difference from 1, which would be lost at large odds.
        let down = (self.null * odds + 1.0) / (self.alternative * odds + 1.0);
        ((self.alternative / self.null * down).ln(), down.ln())
    }

    /// Whether a power keeps it an e-value for batches of this mean: whether
    /// `A (1 + shared B) ≤ B`, `A = ρ n_c (G(x_c)-1)`, `B = n_s (1-G(x_s))`. `odds` is `n_c/n_s`.
    /// `shared` is the variance of a window's common rate times the stable batches in it.
    fn is_safe(self, odds: f64, batch_mean: f64, shared: f64) -> impl Fn(f64) -> bool {
        let (canary, stable) = self.logs(odds);
        move |eta| {
            let up = self.null * odds * (generating((eta * canary).exp(), batch_mean) - 1.0);
            let down = 1.0 - generating((eta * stable).exp(), batch_mean);
            up * (1.0 + shared * down) <= down * (1.0 + 1e-12)
        }
    }

    /// `ln e` of these counts.
    pub(super) fn log_ratio(self, canary: ArmCounts, stable: ArmCounts, batch_mean: f64) -> f64 {
        if canary.events == 0 || stable.events == 0 || (canary.bad == 0 && stable.bad == 0) {
            return 0.0;
        }
        let odds = float(canary.events) / float(stable.events);
        let (of_canary, of_stable) = self.logs(odds);
        let plain = float(canary.bad) * of_canary + float(stable.bad) * of_stable;
        largest(self.is_safe(odds, batch_mean, 0.0)) * plain
    }

    /// How much such a bet is expected to grow when what is looked for is true and stable's share
    /// is this, in nats: bad events times what each tells about whose it is, over the dispersion
    /// `2b - 1`, which the power is near to. Good for choosing a bet, not for counting one.
    pub(super) fn growth(
        self,
        (canary, stable): (ArmCounts, ArmCounts),
        share: f64,
        batch_mean: f64,
    ) -> f64 {
        let (canary, stable) = (float(canary.events), float(stable.events));
        let of = |ratio: f64| ratio * canary / (ratio * canary + stable);
        let bad = share * (stable + self.alternative * canary);
        bad * divergence(of(self.alternative), of(self.null)) / (2.0 * batch_mean - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batches::exactly_largest;
    use super::{ArmCounts, Ratios};

    #[test]
    fn worked_examples() {
        let ratios = Ratios { null: 1.25, alternative: 3.0 };
        let counts = |bad, events| ArmCounts { bad, events };
        let ln = ratios.log_ratio(counts(4, 1000), counts(9, 9000), 1.0);
        assert!((ln - 1.452_698_674_8).abs() < 1e-10, "{ln}");
        let cases: [(f64, f64, [f64; 3]); 5] = [
            (1.0, 0.0, [1.0, 1.0, 1.0]),
            (2.0, 0.0, [0.316_281_593_0, 0.298_070_570_0, 0.273_588_960_5]),
            (2.5, 0.0, [0.236_583_447_5, 0.222_396_880_0, 0.203_515_293_2]),
            (5.0, 0.0, [0.104_863_349_5, 0.098_323_458_95, 0.089_705_666_35]),
            (2.5, 1.0, [0.205_117_495_6, 0.192_664_801_0, 0.176_142_360_0]),
        ];
        for (mean, shared, expect) in cases {
            for (alternative, expect) in [2.0, 3.5, 10.0].into_iter().zip(expect) {
                let ratios = Ratios { null: 1.25, alternative };
                let eta = exactly_largest(ratios.is_safe(1.0 / 9.0, mean, shared));
                assert!((eta - expect).abs() < 1e-10, "b {mean} r {alternative}: {eta}");
            }
        }
    }
}
