//! Random numbers that are the same on every machine, in every version of every dependency.
//!
//! `SplitMix64` (Steele, Lea & Flood 2014): one addition and three multiplications, seeded by a
//! key. Every run of every scenario has a key of its own, so that a result depends neither on
//! the number of threads nor on which other scenarios are run.

use std::f64::consts::{PI, TAU};

use crate::number::{float, whole};

/// The golden ratio's odd 64-bit part: the step of `SplitMix64`.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// From this mean on a Poisson count is drawn by rejection instead of by inversion.
const INVERSION_MAX: f64 = 10.0;

/// A source of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
    spare: Option<f64>,
}

impl Random {
    /// The source of this key.
    pub(crate) fn of(key: &[u64]) -> Self {
        let state = key.iter().fold(STEP, |state, part| mix(state ^ part).wrapping_add(STEP));
        Self { state, spare: None }
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// Uniform between 0 and 1, both excluded.
    pub(crate) fn uniform(&mut self) -> f64 {
        (float(self.bits() >> 11) + 0.5) / 9_007_199_254_740_992.0
    }

    /// Uniform between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Whether something of this chance happens.
    pub(crate) fn chance(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.uniform() < chance
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sine, cosine) = (TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// Poisson.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            0
        } else if mean < INVERSION_MAX {
            self.poisson_by_inversion(mean)
        } else {
            self.poisson_by_rejection(mean)
        }
    }

    fn poisson_by_inversion(&mut self, mean: f64) -> u64 {
        let (mut left, mut term, mut count) = (self.uniform(), (-mean).exp(), 0_u64);
        // A mean below 10 never needs a hundred steps; rounding must not make it endless.
        while left > term && count < 100 {
            left -= term;
            count += 1;
            term *= mean / float(count);
        }
        count
    }

    /// PTRS of Hörmann, "The transformed rejection method for generating Poisson random
    /// variables" (1993).
    fn poisson_by_rejection(&mut self, mean: f64) -> u64 {
        let slope = 0.931 + 2.53 * mean.sqrt();
        let curve = -0.059 + 0.024_83 * slope;
        let inverse_alpha = 1.1239 + 1.1328 / (slope - 3.4);
        let sure = 0.9277 - 3.6224 / (slope - 2.0);
        loop {
            let (place, height) = (self.uniform() - 0.5, self.uniform());
            let edge = 0.5 - place.abs();
            let count = ((2.0 * curve / edge + slope) * place + mean + 0.43).floor();
            if edge >= 0.07 && height <= sure {
                return whole(count);
            }
            if count < 0.0 || (edge < 0.013 && height > edge) {
                continue;
            }
            let bound = (height * inverse_alpha / (curve / (edge * edge) + slope)).ln();
            if bound <= count * mean.ln() - mean - ln_factorial(count) {
                return whole(count);
            }
        }
    }

    /// Events that come in geometric batches of this mean, from 1.
    pub(crate) fn batches(&mut self, mean: f64, batch_mean: f64) -> u64 {
        if batch_mean <= 1.0 {
            return self.poisson(mean);
        }
        let batches = self.poisson(mean / batch_mean);
        let log_more = (1.0 - 1.0 / batch_mean).ln();
        (0..batches).map(|_| 1 + whole(self.uniform().ln() / log_more)).sum()
    }
}

/// The finaliser of `SplitMix64`.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// `ln k!` of a whole number, by Stirling's series; exact to 1e-8 from 5 on, a sum below.
fn ln_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return (2..=whole(k)).map(|n| float(n).ln()).sum();
    }
    let inverse = 1.0 / k;
    (k + 0.5) * k.ln() - k
        + 0.5 * (2.0 * PI).ln()
        + inverse / 12.0 * (1.0 - inverse * inverse / 30.0)
}

#[cfg(test)]
mod tests {
    use super::{Random, float, ln_factorial};

    const DRAWS: u32 = 40_000;

    /// Mean and variance of many draws.
    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(DRAWS);
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(DRAWS);
        (mean, variance)
    }

    #[test]
    fn laws_have_their_moments() {
        for mean in [0.01, 0.4, 3.0, 9.9, 10.1, 37.5, 375.0, 8000.0] {
            let mut random = Random::of(&[7]);
            let (found, variance) = moments(|| float(random.poisson(mean)));
            let noise = 5.0 * (mean / f64::from(DRAWS)).sqrt();
            assert!((found - mean).abs() < noise, "mean of {mean}: {found}");
            assert!((variance / mean - 1.0).abs() < 0.06 + noise / mean, "{mean}: {variance}");
        }
        for batch_mean in [1.0, 2.5, 5.0] {
            let mut random = Random::of(&[8]);
            let (found, variance) = moments(|| float(random.batches(2.0, batch_mean)));
            let dispersion = 2.0 * batch_mean - 1.0;
            assert!((found - 2.0).abs() < 0.1, "batches of {batch_mean}: {found}");
            assert!((variance / 2.0 / dispersion - 1.0).abs() < 0.1, "{batch_mean}: {variance}");
        }
        let mut random = Random::of(&[9]);
        let (mean, variance) = moments(|| random.normal());
        assert!(mean.abs() < 0.025 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }

    #[test]
    fn a_key_gives_the_same_numbers_always() {
        let mut random = Random::of(&[1, 2, 3]);
        let first = random.bits();
        assert_eq!(first, Random::of(&[1, 2, 3]).bits());
        assert_ne!(first, Random::of(&[1, 3, 2]).bits());
    }

    #[test]
    fn factorials() {
        for (k, expect) in [(0.0, 0.0), (5.0, 120.0_f64.ln()), (20.0, 42.335_616_460_753_485)] {
            assert!((ln_factorial(k) - expect).abs() < 1e-7, "{k}");
        }
    }
}
