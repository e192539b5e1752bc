//! The metrics page of the demo application.

use std::fmt::Write as _;
use std::time::Duration;

use super::memory::resident_bytes;

/// The upper bounds of the latency histogram, in seconds as they are printed and in microseconds.
const BOUNDS: [(&str, u64); 11] = [
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.005", 5_000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.05", 50_000),
    ("0.1", 100_000),
    ("0.25", 250_000),
    ("0.5", 500_000),
    ("1", 1_000_000),
    ("2.5", 2_500_000),
];

/// What the application has answered so far on `/`.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    ok: u64,
    failed: u64,
    /// Per bound of [`BOUNDS`], the requests that fall between it and the bound before.
    buckets: [u64; BOUNDS.len()],
    total: Duration,
}

impl Metrics {
    /// Counts one answer.
    pub(super) fn record(&mut self, failed: bool, took: Duration) {
        let counter = if failed { &mut self.failed } else { &mut self.ok };
        *counter += 1;
        self.total += took;
        let bucket = BOUNDS.iter().position(|(_, bound)| took.as_micros() <= u128::from(*bound));
        // Slower than the last bound: only the bucket `+Inf`, which is the count, has it.
        if let Some(count) = bucket.and_then(|index| self.buckets.get_mut(index)) {
            *count += 1;
        }
    }

    /// The page. Both codes are there from the start, so that a rate over the first error is
    /// right: a counter that appears with the value 1 has, for Prometheus, never increased.
    pub(super) fn render(&self) -> String {
        let mut page = String::with_capacity(1024);
        // Writing to a String cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "# HELP http_requests_total Requests on / by status code.")?;
        writeln!(page, "# TYPE http_requests_total counter")?;
        writeln!(page, "http_requests_total{{code=\"200\"}} {}", self.ok)?;
        writeln!(page, "http_requests_total{{code=\"500\"}} {}", self.failed)?;
        let name = "http_request_duration_seconds";
        writeln!(page, "# HELP {name} Time to answer a request on /.")?;
        writeln!(page, "# TYPE {name} histogram")?;
        let mut below = 0;
        for ((bound, _), count) in BOUNDS.iter().zip(self.buckets) {
            below += count;
            writeln!(page, "{name}_bucket{{le=\"{bound}\"}} {below}")?;
        }
        let count = self.ok + self.failed;
        writeln!(page, "{name}_bucket{{le=\"+Inf\"}} {count}")?;
        writeln!(page, "{name}_sum {}", self.total.as_secs_f64())?;
        writeln!(page, "{name}_count {count}")?;
        // Where the system does not say how much it is, there is no sample.
        if let Ok(bytes) = resident_bytes() {
            let name = "process_resident_memory_bytes";
            writeln!(page, "# HELP {name} Memory in use.")?;
            writeln!(page, "# TYPE {name} gauge")?;
            writeln!(page, "{name} {bytes}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_codes_are_there_from_the_start() {
        let page = Metrics::default().render();
        assert!(page.contains("http_requests_total{code=\"200\"} 0\n"));
        assert!(page.contains("http_requests_total{code=\"500\"} 0\n"));
        assert!(page.contains("http_request_duration_seconds_bucket{le=\"+Inf\"} 0\n"));
    }

    #[test]
    fn buckets_are_cumulative_and_end_with_the_count() {
        let mut metrics = Metrics::default();
        metrics.record(false, Duration::from_millis(1));
        metrics.record(true, Duration::from_millis(40));
        metrics.record(false, Duration::from_secs(9));
        let page = metrics.render();
        for line in [
            "http_requests_total{code=\"200\"} 2",
            "http_requests_total{code=\"500\"} 1",
            "http_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "http_request_duration_seconds_bucket{le=\"0.025\"} 1",
            "http_request_duration_seconds_bucket{le=\"0.05\"} 2",
            "http_request_duration_seconds_bucket{le=\"2.5\"} 2",
            "http_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "http_request_duration_seconds_sum 9.041",
            "http_request_duration_seconds_count 3",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }
}
