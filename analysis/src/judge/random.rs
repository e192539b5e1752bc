//! Random counts for tests, the same ones for the same seed.

/// A source of counts.
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub(super) fn uniform(&mut self) -> f64 {
        self.0.f64()
    }

    /// A standard normal number (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A Poisson number, by waiting times.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        let mut left = mean.max(0.0);
        let mut count = 0;
        loop {
            left += (1.0 - self.uniform()).ln();
            if left < 0.0 {
                return count;
            }
            count += 1;
        }
    }

    /// Poisson many geometric batches of mean `batch_mean`, `mean` bad events on average.
    pub(super) fn batches(&mut self, mean: f64, batch_mean: f64) -> u64 {
        (0..self.poisson(mean / batch_mean)).map(|_| self.geometric(batch_mean)).sum()
    }

    fn geometric(&mut self, mean: f64) -> u64 {
        let mut size = 1;
        while self.uniform() >= 1.0 / mean {
            size += 1;
        }
        size
    }
}
