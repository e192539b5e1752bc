//! How the rate of a load changes with time. Still open loop: the schedule is fixed beforehand.

use std::f64::consts::TAU;
use std::time::Duration;

use anyhow::ensure;

/// A sine that never gets near to no requests at all.
const AMPLITUDE_MAX: f64 = 0.95;
/// Halvings of an hour down to less than a nanosecond.
const HALVINGS: u32 = 64;

/// The rate over time, around the rate that the load is given. The default is constant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shape {
    /// A day and a night.
    pub diurnal: Option<Diurnal>,
    /// Short peaks on top.
    pub bursts: Option<Bursts>,
}

/// A sine around the mean rate; it starts at the mean and rises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diurnal {
    /// How far the rate swings, as a share of the mean: from 0 to 0.95.
    pub amplitude: f64,
    /// From one noon to the next: a day, compressed.
    pub period: Duration,
}

/// Regular peaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// From the beginning of one to that of the next; the first begins at once.
    pub every: Duration,
    /// How long each lasts.
    pub length: Duration,
    /// Requests per second that it adds.
    pub extra_rps: u32,
}

impl Shape {
    /// Fails with a sentence if there is no such load.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(Diurnal { amplitude, period }) = self.diurnal {
            ensure!(
                (0.0..=AMPLITUDE_MAX).contains(&amplitude),
                "a load's amplitude must be from 0 to {AMPLITUDE_MAX}, not {amplitude}"
            );
            ensure!(!period.is_zero(), "a load's period must be longer than 0 s");
        }
        if let Some(Bursts { every, length, extra_rps }) = self.bursts {
            ensure!(
                !length.is_zero() && length <= every,
                "a load's bursts must last longer than 0 s and at most from one to the next \
                 ({every:?}), not {length:?}"
            );
            ensure!(extra_rps <= 100_000, "a burst of {extra_rps} requests/s is not possible");
        }
        Ok(())
    }

    /// When request `number` is due, from the start.
    pub(super) fn due(&self, rps: u32, number: u64) -> Duration {
        if self.diurnal.is_none() && self.bursts.is_none() {
            // Whole nanoseconds of the exact time, so that the schedule does not drift.
            let nanos = u128::from(number) * 1_000_000_000 / u128::from(rps);
            return Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
        #[expect(clippy::cast_precision_loss, reason = "no load sends 2^53 requests")]
        let number = number as f64;
        let swing = self.diurnal.map_or(0.0, |diurnal| diurnal.amplitude);
        // The slowest that it can be; what is due lies between this and the start.
        let (mut early, mut late) = (0.0, number / (f64::from(rps) * (1.0 - swing)));
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(early, late);
            if self.expected(rps, middle) < number {
                early = middle;
            } else {
                late = middle;
            }
        }
        Duration::try_from_secs_f64(late).unwrap_or(Duration::MAX)
    }

    /// Requests due by `seconds` from the start: the integral of the rate.
    fn expected(&self, rps: u32, seconds: f64) -> f64 {
        let mut expected = f64::from(rps) * seconds;
        if let Some(Diurnal { amplitude, period }) = self.diurnal {
            let turn = TAU / period.as_secs_f64();
            expected += f64::from(rps) * amplitude / turn * (1.0 - (turn * seconds).cos());
        }
        if let Some(Bursts { every, length, extra_rps }) = self.bursts {
            let (every, length) = (every.as_secs_f64(), length.as_secs_f64());
            let whole = (seconds / every).floor();
            let busy = whole * length + (seconds - whole * every).min(length);
            expected += f64::from(extra_rps) * busy;
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINE: Diurnal = Diurnal { amplitude: 0.5, period: Duration::from_mins(2) };
    const PEAKS: Bursts =
        Bursts { every: Duration::from_secs(30), length: Duration::from_secs(3), extra_rps: 200 };

    /// Requests due in each span, from the start on.
    fn counts(shape: Shape, span: Duration, spans: usize) -> Vec<u32> {
        let mut counts = vec![0; spans];
        for number in 0.. {
            let index = shape.due(100, number).as_nanos() / span.as_nanos();
            match counts.get_mut(usize::try_from(index).unwrap()) {
                Some(count) => *count += 1,
                None => return counts,
            }
        }
        counts
    }

    #[test]
    fn requests_are_due_as_the_shape_says() {
        let flat = Shape::default();
        assert_eq!(counts(flat, Duration::from_secs(1), 3), [100, 100, 100]);

        // Half a period is 6000 requests, more or less 100 * 0.5 * 120 / pi = 1910.
        let day = Shape { diurnal: Some(SINE), ..flat };
        for (count, expected) in
            counts(day, Duration::from_mins(1), 4).into_iter().zip([7910, 4090, 7910, 4090])
        {
            assert!(count.abs_diff(expected) <= 1, "{count}, not {expected}");
        }

        let peaks = Shape { bursts: Some(PEAKS), ..flat };
        let seen = counts(peaks, Duration::from_secs(3), 20);
        for (index, count) in seen.into_iter().enumerate() {
            let expected = if index % 10 == 0 { 900 } else { 300_u32 };
            assert!(count.abs_diff(expected) <= 1, "{index}: {count}, not {expected}");
        }

        let both = Shape { diurnal: Some(SINE), bursts: Some(PEAKS) };
        let count = counts(both, Duration::from_mins(2), 1)[0];
        assert!(count.abs_diff(12_000 + 4 * 600) <= 1, "{count}");
    }

    #[test]
    fn the_schedule_never_goes_back() {
        let both = Shape { diurnal: Some(SINE), bursts: Some(PEAKS) };
        let due: Vec<Duration> = (0..20_000).map(|number| both.due(100, number)).collect();
        assert!(due.is_sorted());
        assert_eq!(due[0], Duration::ZERO);
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let flat = Shape::default();
        let zero = Duration::ZERO;
        for shape in [
            Shape { diurnal: Some(Diurnal { amplitude: 1.0, ..SINE }), ..flat },
            Shape { diurnal: Some(Diurnal { amplitude: f64::NAN, ..SINE }), ..flat },
            Shape { diurnal: Some(Diurnal { period: zero, ..SINE }), ..flat },
            Shape { bursts: Some(Bursts { length: zero, ..PEAKS }), ..flat },
            Shape { bursts: Some(Bursts { every: Duration::from_secs(1), ..PEAKS }), ..flat },
            Shape { bursts: Some(Bursts { extra_rps: 100_001, ..PEAKS }), ..flat },
        ] {
            assert!(shape.check().is_err(), "{shape:?}");
        }
        assert!(Shape { diurnal: Some(SINE), bursts: Some(PEAKS) }.check().is_ok());
    }
}
