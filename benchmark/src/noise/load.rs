//! Shapes of load, generated: a day, slow swings, bursts.

use crate::random::Random;

/// Standard deviation of the slow swings' logarithm.
const SWING_SD: f64 = 0.4;

/// Distance of the points between which swings are drawn as straight lines, seconds.
const SWING_S: f64 = 300.0;

/// Bursts per hour, their height over the load, and how fast they fade, seconds.
const BURSTS_PER_HOUR: f64 = 1.5;
const BURST_HEIGHT: (f64, f64) = (1.0, 5.0);
const BURST_FADES_S: f64 = 120.0;

/// How the load of a cluster moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A day's wave alone.
    Diurnal,
    /// A day's wave, swings of minutes, bursts.
    Bursts,
}

/// The load of one cluster over time, 1 on average.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    shape: Shape,
    phase_h: f64,
    from: f64,
    to: f64,
    into_s: f64,
    burst: f64,
}

impl Load {
    pub(crate) fn new(shape: Shape, random: &mut Random) -> Self {
        let phase_h = random.between(0.0, 24.0);
        let (from, to) = (swing(random), swing(random));
        Self { shape, phase_h, from, to, into_s: random.between(0.0, SWING_S), burst: 0.0 }
    }

    /// Moves on by a window and gives its load.
    pub(crate) fn step(&mut self, window_s: f64, random: &mut Random) -> f64 {
        self.phase_h += window_s / 3600.0;
        let day = 1.0 + 0.6 * (std::f64::consts::TAU * self.phase_h / 24.0).sin();
        if self.shape == Shape::Diurnal {
            return day;
        }
        self.into_s += window_s;
        if self.into_s >= SWING_S {
            self.into_s -= SWING_S;
            self.from = self.to;
            self.to = swing(random);
        }
        self.burst *= (-window_s / BURST_FADES_S).exp();
        if random.chance(BURSTS_PER_HOUR * window_s / 3600.0) {
            self.burst += random.between(BURST_HEIGHT.0, BURST_HEIGHT.1);
        }
        let part = self.into_s / SWING_S;
        let swing = self.from + (self.to - self.from) * part;
        let mean_burst = BURSTS_PER_HOUR / 3600.0 * BURST_FADES_S * f64::midpoint(1.0, 5.0);
        (day * swing * (1.0 + self.burst) / (1.0 + mean_burst)).clamp(0.05, 12.0)
    }
}

fn swing(random: &mut Random) -> f64 {
    (SWING_SD * random.normal() - SWING_SD * SWING_SD / 2.0).exp()
}

#[cfg(test)]
mod tests {
    use super::{Load, Shape};
    use crate::random::Random;

    #[test]
    fn the_mean_is_one() {
        for shape in [Shape::Diurnal, Shape::Bursts] {
            let mut sum = 0.0;
            for run in 0..400 {
                let mut random = Random::of(&[run]);
                let mut load = Load::new(shape, &mut random);
                sum += (0..200).map(|_| load.step(15.0, &mut random)).sum::<f64>();
            }
            let mean = sum / 80_000.0;
            assert!((mean - 1.0).abs() < 0.06, "{shape:?}: {mean}");
        }
    }
}
