//! Failed requests beyond stable's rate: the harm that a release has done.

use chrono::{DateTime, Utc};

use super::EPISODE;
use super::samples::{ClusterSamples, Delta, sum};

/// The canary's failed requests until `until`, less what stable would have failed of as many.
///
/// Rates are compared within spans of an episode, so that a disturbance that both share, and load
/// and weight that change, do not count as the canary's. Where stable has answered nothing beside
/// the canary, its rate over the whole release stands in.
pub(super) fn excess(cluster: &ClusterSamples, until: DateTime<Utc>) -> f64 {
    let (Some(begun), Some(last)) = (cluster.begun(), cluster.canary.last()) else {
        return 0.0;
    };
    let overall = rate(whole(&cluster.stable)).unwrap_or_default();
    let end = until.min(last.at);
    let mut excess = 0.0;
    // The first delta is part of the first span.
    let mut from = begun - EPISODE;
    // Ends: each round moves on by an episode.
    while from < end {
        let to = (from + EPISODE).min(end);
        let (failed, total) = sum(&cluster.canary, from, to);
        let expected = rate(sum(&cluster.stable, from, to)).unwrap_or(overall);
        excess += failed - total * expected;
        from = to;
    }
    excess
}

fn whole(deltas: &[Delta]) -> (f64, f64) {
    deltas.iter().fold((0.0, 0.0), |(failed, total), d| (failed + d.failed, total + d.total))
}

fn rate((failed, total): (f64, f64)) -> Option<f64> {
    (total > 0.0).then(|| failed / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// One delta a second from second 1 on: failed and all.
    fn arm(deltas: &[(f64, f64)]) -> Vec<Delta> {
        let numbered = (1..).zip(deltas);
        numbered.map(|(second, &(failed, total))| Delta { at: at(second), failed, total }).collect()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn stable_would_have_failed_some_too() {
        let cluster =
            ClusterSamples { canary: arm(&[(2.0, 10.0); 8]), stable: arm(&[(1.0, 20.0); 8]) };
        close(excess(&cluster, at(8)), 16.0 - 80.0 * 0.05);
        close(excess(&cluster, at(3)), 6.0 - 30.0 * 0.05);
        close(excess(&cluster, at(0)), 0.0);
        close(excess(&ClusterSamples::default(), at(8)), 0.0);
    }

    #[test]
    fn a_shared_disturbance_is_nobodys_harm() {
        // The canary is small before and large during it: rates over the whole would blame it.
        let cluster = ClusterSamples {
            canary: arm(&[[(0.0, 10.0); 4], [(50.0, 100.0); 4]].concat()),
            stable: arm(&[[(0.0, 100.0); 4], [(5.0, 10.0); 4]].concat()),
        };
        // Spans begin one episode before the first delta: 1, then 2 to 5, then 6 to 8.
        let mixed = 50.0 - 130.0 * (5.0 / 310.0);
        close(excess(&cluster, at(8)), mixed);
    }

    #[test]
    fn alone_the_canary_is_held_against_stables_rate_before() {
        let cluster = ClusterSamples {
            canary: arm(&[[(0.0, 10.0); 1], [(3.0, 30.0); 1]].concat()),
            stable: arm(&[(1.0, 10.0)]),
        };
        close(excess(&cluster, at(1)), -1.0);
        close(excess(&cluster, at(2)), 3.0 - 40.0 * 0.1);
    }
}
