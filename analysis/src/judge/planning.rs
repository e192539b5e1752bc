//! How fast a judge can be: what `plan` tells before a rollout begins.
//!
//! `w` is the canary's part of the requests, `b` the mean batch of bad events, `L` the nats that
//! an abort needs. Sequential tests need `L / (information per event)` on average (Wald 1947).

use super::attempts;
use super::change_point::FROM_THE_START;
use super::increments::{BELOW, WEIGHTS, absolute_drift};
use super::standing::TOGETHER;

/// Nats that the first attempt's abort needs: the chance of error, the weight of the component that
/// finds it, "from the start" and "all clusters together" are each paid once, and so is the
/// metric's weight.
#[must_use]
pub fn nats_to_abort(false_abort: f64, metric_weight: f64) -> f64 {
    let [component, ..] = WEIGHTS;
    let parts = [component, FROM_THE_START, TOGETHER, metric_weight];
    -(false_abort * attempts::part(1)).ln() - parts.into_iter().map(f64::ln).sum::<f64>()
}

/// Nats per bad event of a pool that fails at stable's rate, when the canary is `actual` times
/// worse and `null` times is tolerated: `w r ln(q/π₀) + (1-w) ln((1-q)/(1-π₀))`.
#[must_use]
pub fn information(canary_share: f64, actual: f64, null: f64) -> f64 {
    let of = |ratio: f64| ratio * canary_share / (ratio * canary_share + 1.0 - canary_share);
    let (at_null, at_actual) = (of(null), of(actual));
    canary_share * actual * (at_actual / at_null).ln()
        + (1.0 - canary_share) * ((1.0 - at_actual) / (1.0 - at_null)).ln()
}

/// Bad requests beyond stable's before an abort, on average: independent of traffic and of the
/// rate of errors.
#[must_use]
pub fn harm(canary_share: f64, actual: f64, null: f64, batch_mean: f64, nats: f64) -> f64 {
    batch_mean * (actual - 1.0) * canary_share * nats / information(canary_share, actual, null)
}

/// Seconds to an abort on average, at this many requests per second of both arms together, of
/// which stable fails this share.
#[must_use]
pub fn seconds_to_abort(
    information: f64,
    batch_mean: f64,
    nats: f64,
    requests_per_second: f64,
    bad_share: f64,
) -> f64 {
    batch_mean * nats / (bad_share * requests_per_second * information)
}

/// Batches of bad events of an equally good canary that rule out a ratio.
#[must_use]
pub fn canary_bad_to_promote(canary_share: f64, ruled_out: f64, missed: f64) -> f64 {
    -missed.ln() * canary_share / information(canary_share, 1.0, ruled_out)
}

/// Requests of a canary with this bad share that promote it by their volume alone; none where no
/// volume does, for the share is too near to the difference.
#[must_use]
pub fn requests_to_promote(
    bad_share: f64,
    difference: f64,
    batch_mean: f64,
    missed: f64,
) -> Option<f64> {
    let drifts =
        BELOW.map(|below| absolute_drift(difference, below, batch_mean) + bad_share * below.ln());
    let best = drifts.into_iter().fold(0.0, f64::max);
    (best > 0.0).then(|| -missed.ln() / best)
}

/// The difference that this many canary requests without a bad one can rule out at a chance of a
/// miss of 5 %: `δ* = b ln 20 / (0.91 N)`.
#[must_use]
pub fn difference_ruled_out(canary_requests: f64, batch_mean: f64) -> f64 {
    batch_mean * 20.0_f64.ln() / (0.91 * canary_requests)
}

#[cfg(test)]
mod tests {
    use super::{
        canary_bad_to_promote, difference_ruled_out, harm, information, nats_to_abort,
        requests_to_promote,
    };

    fn near(found: f64, expect: f64, within: f64) {
        assert!((found - expect).abs() <= within, "{found} {expect}");
    }

    #[test]
    fn an_abort_has_its_price() {
        near(nats_to_abort(0.05, 1.0), 4.37, 0.01);
        near(nats_to_abort(0.01, 1.0), 5.98, 0.01);
        near(nats_to_abort(0.05, 0.5), 4.37 + 2.0_f64.ln(), 0.01);
    }

    #[test]
    fn harm_is_that_of_the_table() {
        let table = [
            (0.05, [143.5, 35.7, 15.7, 8.8, 5.5]),
            (0.25, [193.6, 49.4, 22.6, 13.5, 9.1]),
            (0.5, [312.5, 81.9, 38.8, 24.1, 17.0]),
        ];
        for (share, row) in table {
            for (actual, expect) in [1.5, 2.0, 3.0, 5.0, 10.0].into_iter().zip(row) {
                near(harm(share, actual, 1.25, 1.0, 6.3), expect, 0.06);
            }
        }
        near(information(0.25, 10.0, 1.25), 1.565_01, 1e-5);
    }

    #[test]
    fn promotion_needs_what_the_table_says() {
        let table =
            [(0.05, [33.9, 10.6, 3.7]), (0.25, [45.7, 15.0, 5.7]), (0.5, [73.5, 25.5, 10.4])];
        for (share, row) in table {
            for (ruled_out, expect) in [1.5, 2.0, 3.0].into_iter().zip(row) {
                near(canary_bad_to_promote(share, ruled_out, (-3.0_f64).exp()), expect, 0.06);
            }
        }
        near(requests_to_promote(1e-4, 0.001, 2.5, 0.05).unwrap_or(0.0), 13_844.0, 1.0);
        near(requests_to_promote(0.0, 0.001, 2.5, 0.05).unwrap_or(0.0), 8_239.0, 1.0);
        assert_eq!(requests_to_promote(0.001, 0.001, 2.5, 0.05), None);
        near(difference_ruled_out(2400.0, 2.5), 0.003_43, 0.000_01);
    }
}
