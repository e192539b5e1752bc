//! A histogram of latencies with a fixed size and a bounded error.

use std::time::Duration;

/// Buckets per doubling: a quantile is at most 1/16 (6 %) too high.
const STEPS: u32 = 16;
/// 2^40 microseconds are twelve days.
const DOUBLINGS: u32 = 40;
const BUCKETS: usize = ((DOUBLINGS + 1) * STEPS) as usize;

/// Counts of latencies, in buckets that grow with the latency.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let last = BUCKETS - 1;
        if let Some(count) = self.counts.get_mut(bucket(micros).min(last)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// The latency that `percent` of all are not above; zero if there are none.
    pub(super) fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper_bound(index));
            }
        }
        Duration::ZERO
    }
}

/// Values below 16 have a bucket each; above, each doubling has 16 of equal width.
fn bucket(micros: u64) -> usize {
    let doubling = micros.max(1).ilog2();
    let Some(shift) = doubling.checked_sub(STEPS.ilog2()) else {
        return usize::try_from(micros).unwrap_or(0);
    };
    let step = (micros >> shift) - u64::from(STEPS);
    usize::try_from(u64::from((shift + 1) * STEPS) + step).unwrap_or(BUCKETS)
}

/// The greatest value of a bucket.
fn upper_bound(bucket: usize) -> u64 {
    let steps = u64::from(STEPS);
    let bucket = u64::try_from(bucket).unwrap_or(0);
    let (row, step) = (bucket / steps, bucket % steps);
    match row.checked_sub(1) {
        None => step,
        Some(shift) => ((steps + step + 1) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_its_bucket() {
        let mut below = 0;
        for index in 0..BUCKETS {
            let bound = upper_bound(index);
            assert_eq!(bucket(bound), index);
            assert!(index == 0 || bucket(below + 1) == index);
            below = bound;
        }
    }

    #[test]
    fn percentiles_are_near() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), Duration::ZERO);
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        for (percent, exact) in [(50, 500.0), (99, 990.0)] {
            let found = histogram.percentile(percent).as_secs_f64() * 1000.0;
            assert!((exact..exact * 1.07).contains(&found), "p{percent} is {found}");
        }
        histogram.record(Duration::MAX);
    }
}
