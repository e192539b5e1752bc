//! One evidence process: a mixture over the moment at which a regression may begin.
//!
//! `M_0 = 0.7`; per window `M ← (M + w) e`, and `E = M + what is left of the weights`. A
//! regression that begins late (a leak, a cache, load) costs its weight, not a restart (an
//! e-detector made an e-process, Shin, Ramdas & Rinaldo, arXiv:2203.03532).

use serde::{Deserialize, Serialize};

/// Weight of "from the start".
pub(super) const FROM_THE_START: f64 = 0.7;

/// Weight of all later moments: `w_t = 0.3/(t(t+1))`, so that `0.3/(t+1)` is left after t.
const LATER: f64 = 0.3;

/// A process, as logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) log_mixture: f64,
}

impl Default for Process {
    fn default() -> Self {
        Self { log_mixture: FROM_THE_START.ln() }
    }
}

impl Process {
    /// Takes in `ln e` of a window, after the moment of this weight has passed.
    pub(super) fn step(&mut self, weight: f64, log_increment: f64) {
        if weight > 0.0 {
            self.log_mixture = log_add(self.log_mixture, weight.ln());
        }
        self.log_mixture += log_increment;
    }

    pub(super) fn is_sound(self) -> bool {
        self.log_mixture.is_finite()
    }

    /// `ln E` while this much of the weights is left.
    pub(super) fn log_evidence(self, left: f64) -> f64 {
        log_add(self.log_mixture, left.ln())
    }
}

/// The weight of the moments after `before` window lengths, up to `now`.
pub(super) fn weight(before: u32, now: u32) -> f64 {
    left(before) - left(now)
}

/// The weight of the moments that are still to come after `now` window lengths.
pub(super) fn left(now: u32) -> f64 {
    LATER / (f64::from(now) + 1.0)
}

/// `ln(e^a + e^b)`.
pub(super) fn log_add(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if large == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

/// `ln` of the mean of exponentials; none of nothing.
pub(super) fn log_mean(logs: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = logs
        .into_iter()
        .fold((f64::NEG_INFINITY, 0_u32), |(sum, count), log| (log_add(sum, log), count + 1));
    (count > 0).then(|| sum - f64::from(count).ln())
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn worked_example() {
        let increments = [-0.2, -0.2, 1.0, 1.0, 1.0];
        let expect =
            [-0.148_226_991_8, -0.303_043_348_1, 0.588_586_152_8, 1.567_307_514, 2.567_307_514];
        let (mut process, mut left) = (Process::default(), 0.3_f64);
        for (increment, expect) in increments.into_iter().zip(expect) {
            process.step(0.06, increment);
            left = (left - 0.06).max(0.0);
            let ln = process.log_evidence(left);
            assert!((ln - expect).abs() < 5e-10, "{ln} {expect}");
        }
    }
}
