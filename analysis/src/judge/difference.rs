//! Evidence that the canary's share of bad events exceeds stable's by more than a difference.
//!
//! Where stable hardly fails, a ratio means nothing: this is what finds the outage of a service
//! that never had an error. The null `p_c ≤ p_s + d` is a convex set; the e-value is the
//! likelihood ratio against the projection of the alternative on its edge.

use super::batches::{generating, largest};
use super::window::ArmCounts;

/// Bad shares that are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alternative {
    /// The canary's.
    pub(super) canary: f64,
    /// Stable's.
    pub(super) stable: f64,
}

/// The point of the null's edge that is nearest to the alternative: canary, stable.
fn project(of: Alternative, canary_events: f64, stable_events: f64, difference: f64) -> (f64, f64) {
    let events = canary_events + stable_events;
    let linear = events * difference - canary_events * of.canary - stable_events * of.stable;
    let constant = -stable_events * of.stable * difference;
    let root = (linear * linear - 4.0 * events * constant).sqrt();
    // The form without cancellation of the positive root.
    let stable = if linear > 0.0 {
        -2.0 * constant / (linear + root)
    } else {
        (root - linear) / (2.0 * events)
    };
    (stable + difference, stable)
}

/// `ln e` of these counts, safe for batches of this mean. Zero where the alternative lies within
/// the null.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn log_ratio(
    of: Alternative,
    difference: f64,
    (canary, stable): (ArmCounts, ArmCounts),
    batch_mean: f64,
) -> f64 {
    let (n_c, n_s) = (canary.events as f64, stable.events as f64);
    let possible = of.canary > of.stable + difference && of.canary < 1.0 && of.stable > 0.0;
    if canary.events == 0 || stable.events == 0 || !possible {
        return 0.0;
    }
    let (c, s) = project(of, n_c, n_s, difference);
    if !(c > 0.0 && s > 0.0) {
        return 0.0;
    }
    let (up, down) = ((of.canary / c).ln(), (of.stable / s).ln());
    let drift = n_c * (of.canary - c) + n_s * (of.stable - s);
    // Two conditions: one for every stable share, one for the difference itself.
    let eta = largest(|eta| {
        let gain = generating((eta * up).exp(), batch_mean) - 1.0;
        let loss = 1.0 - generating((eta * down).exp(), batch_mean);
        n_c * gain <= n_s * loss * (1.0 + 1e-12)
            && n_c * difference / batch_mean * gain <= eta * drift * (1.0 + 1e-12)
    });
    eta * (canary.bad as f64 * up + stable.bad as f64 * down - drift)
}

#[cfg(test)]
mod tests {
    use super::{Alternative, ArmCounts, log_ratio, project};

    #[test]
    fn worked_example() {
        let of = Alternative { canary: 0.006, stable: 0.002 };
        let (c, s) = project(of, 1000.0, 9000.0, 0.001);
        assert!((c - 0.003_213_274_6).abs() < 1e-10 && (s - 0.002_213_274_6).abs() < 1e-10);
        let counts = |bad, events| ArmCounts { bad, events };
        let ln = log_ratio(of, 0.001, (counts(7, 1000), counts(16, 9000)), 1.0);
        assert!((ln - 1.882_813_165_0).abs() < 1e-10, "{ln}");
    }
}
