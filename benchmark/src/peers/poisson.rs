//! A plain sequential test of counts, as a mixture of likelihood ratios: it believes errors to be
//! independent. As it is known, it watches one stream: a cluster. Pooled over the fleet it is no
//! tool that exists; it shows what pooling alone is worth.

use crate::{
    number::{float, size},
    trace::{Arms, Trace},
};

/// Rate ratios that are looked for, and the one that is tolerated.
const ALTERNATIVES: [f64; 6] = [1.6, 2.0, 3.0, 5.0, 10.0, 30.0];
const TOLERATED: f64 = 1.25;

/// The test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poisson {
    /// `ln 1/α`: the nominal chance of a false abort, of a cluster or of the fleet.
    pub bar_ln: f64,
    /// Whether the clusters' counts add up.
    pub is_pooled: bool,
}

/// `ln E` per alternative.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence([f64; ALTERNATIVES.len()]);

impl Evidence {
    fn add(&mut self, arms: Arms) {
        let ((k_c, n_c), (k_s, n_s)) = (arms.canary, arms.stable);
        if n_c == 0 || n_s == 0 || k_c + k_s == 0 {
            return;
        }
        let odds = float(n_c) / float(n_s);
        let null = TOLERATED * odds / (TOLERATED * odds + 1.0);
        for (log, ratio) in self.0.iter_mut().zip(ALTERNATIVES) {
            let share = ratio * odds / (ratio * odds + 1.0);
            *log +=
                float(k_c) * (share / null).ln() + float(k_s) * ((1.0 - share) / (1.0 - null)).ln();
        }
    }

    fn ln(&self) -> f64 {
        let largest = self.0.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.0.iter().map(|log| (log - largest).exp()).sum();
        largest + (sum / size(self.0.len())).ln()
    }
}

impl Poisson {
    pub(super) fn decide(&self, trace: &Trace) -> Option<usize> {
        let mut all = vec![Evidence::default(); trace.clusters.len()];
        for window in 0..trace.windows() {
            for (number, live) in trace.clusters.iter().enumerate() {
                let at = window.checked_sub(live.from);
                let Some(arms) = at.and_then(|at| live.arms.get(at)) else { continue };
                let place = if self.is_pooled { 0 } else { number };
                let Some(evidence) = all.get_mut(place) else { continue };
                evidence.add(*arms);
                if !self.is_pooled && evidence.ln() >= self.bar_ln {
                    return Some(window);
                }
            }
            // Pooled, it looks once a window has come in from everywhere.
            if self.is_pooled && all.first().is_some_and(|fleet| fleet.ln() >= self.bar_ln) {
                return Some(window);
            }
        }
        None
    }
}
