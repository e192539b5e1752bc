//! Gauges without pods: processor, memory, queues, as the logarithm of the ratio of two means.
//!
//! Where pods can be told apart a gauge is reduced to cells instead. Here `x = ln(mean canary /
//! mean stable) - ln ρ` per block of a minute, and a half-normal mixture over a drift upwards:
//! `ln E = ln 2 - ½ ln v + S² s²/(2v) + ln Φ(S s/√v)`, `S = Σ x`, `v = 1 + V s²`. With `V = Σ x²`
//! it holds for symmetric noise of any tail (de la Peña 1999; Howard et al., arXiv:1810.08240);
//! with `V = t (1.5 sd)²` for noise that is sub-Gaussian at the scale of stable against itself.
//! The mean of both holds wherever either does.

use serde::{Deserialize, Serialize};

use super::change_point::log_mean;
use super::normal::log_cdf;

/// How much wider than stable against itself the noise is taken to be.
const NOISE_FACTOR: f64 = 1.5;

/// What the blocks of a gauge have come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    blocks: u32,
    sum: f64,
    squares: f64,
}

impl Gauge {
    /// Takes in the means of a block. A block in which a mean is not above 0 tells nothing.
    pub fn observe(&mut self, canary_mean: f64, stable_mean: f64, tolerated_ratio: f64) {
        self.add((canary_mean / stable_mean).ln() - tolerated_ratio.ln());
    }

    fn add(&mut self, deviation: f64) {
        if deviation.is_finite() {
            self.blocks = self.blocks.saturating_add(1);
            self.sum += deviation;
            self.squares += deviation * deviation;
        }
    }

    /// `ln E` that the canary's mean is beyond what is tolerated. `scale` is 1 over the drift
    /// that is looked for; `stable_sd` the standard deviation of the blocks of stable against
    /// itself, where it is known.
    #[must_use]
    pub fn log_evidence(&self, scale: f64, stable_sd: Option<f64>) -> f64 {
        let symmetric = self.mixture(scale, self.squares);
        let Some(sd) = stable_sd.filter(|sd| sd.is_finite() && *sd > 0.0) else {
            return symmetric;
        };
        let variance = f64::from(self.blocks) * (NOISE_FACTOR * sd).powi(2);
        log_mean([symmetric, self.mixture(scale, variance)]).unwrap_or(symmetric)
    }

    fn mixture(&self, scale: f64, variance: f64) -> f64 {
        let v = 1.0 + variance * scale * scale;
        let z = self.sum * scale / v.sqrt();
        if self.blocks == 0 || !z.is_finite() {
            return 0.0;
        }
        std::f64::consts::LN_2 - 0.5 * v.ln() + z * z / 2.0 + log_cdf(z)
    }
}

#[cfg(test)]
mod tests {
    use super::Gauge;

    #[test]
    fn worked_example() {
        let mut gauge = Gauge::default();
        for x in [0.3, 0.5, -0.1, 0.4, 0.6, 0.2] {
            gauge.add(x);
        }
        let ln = gauge.log_evidence(2.0, None);
        assert!((ln - 1.442_192_307_3).abs() < 1e-10, "{ln}");
    }

    #[test]
    fn what_tells_nothing_changes_nothing() {
        let mut gauge = Gauge::default();
        for (canary, stable) in [(0.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (-1.0, 1.0)] {
            gauge.observe(canary, stable, 1.25);
        }
        assert_eq!(gauge, Gauge::default());
        assert!(gauge.log_evidence(2.0, Some(0.1)).abs() < 1e-12);
    }

    #[test]
    fn symmetric_noise_of_any_tail_is_no_evidence() {
        // Of 2000 series of 60 blocks, signs by chance, sizes of very different order, at most
        // 5 % may ever reach 20.
        let mut random = fastrand::Rng::with_seed(7);
        let crossed = (0..2000).filter(|_| {
            let mut gauge = Gauge::default();
            (0..60).any(|_| {
                let size = (random.f64() * 8.0 - 4.0).exp();
                gauge.add(if random.bool() { size } else { -size });
                gauge.log_evidence(2.0, None) >= 20.0_f64.ln()
            })
        });
        let crossed = crossed.count();
        assert!(crossed <= 100, "{crossed}");
    }
}
