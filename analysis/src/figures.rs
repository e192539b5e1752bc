//! Numbers as people read them.

use chrono::TimeDelta;

/// A share as a percentage with as many digits as matter: `0.04 %`, `7.3 %`, `100 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0))
}

/// A number with two digits after the first that is not zero, without trailing zeros.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if !(1e-6..1e9).contains(&size) {
        return format!("{number}");
    }
    let text = match size {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        0.1.. => format!("{number:.2}"),
        0.001.. => format!("{number:.4}"),
        _ => format!("{number:.7}"),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A span in seconds: `12 s`, `0.4 s`.
pub(crate) fn seconds(span: TimeDelta) -> String {
    let tenths = span.num_milliseconds() / 100;
    if tenths % 10 == 0 || tenths > 100 {
        format!("{} s", tenths / 10)
    } else {
        format!("{}.{} s", tenths / 10, (tenths % 10).abs())
    }
}

/// The whole events in a count. Counters are floats; anything unusable counts as none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as saturates: a negative count or NaN gives 0, infinity the largest number"
)]
pub(crate) fn whole(count: f64) -> u64 {
    count.floor() as u64
}

/// A number of events as a float. Exact up to 2^53, far above any count here.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{percent, seconds, short, whole};
    use chrono::TimeDelta;

    #[test]
    fn figures_are_short() {
        for (share, expect) in [
            (0.0, "0 %"),
            (0.073, "7.3 %"),
            (0.004, "0.4 %"),
            (0.0004, "0.04 %"),
            (0.999_9, "100 %"),
            (1.0, "100 %"),
            (0.5, "50 %"),
        ] {
            assert_eq!(percent(share), expect);
        }
        for (number, expect) in [(0.8, "0.8"), (1234.0, "1234"), (-2.5, "-2.5"), (f64::NAN, "NaN")]
        {
            assert_eq!(short(number), expect);
        }
        assert_eq!(seconds(TimeDelta::milliseconds(12_000)), "12 s");
        assert_eq!(seconds(TimeDelta::milliseconds(450)), "0.4 s");
        assert_eq!(whole(f64::NAN), 0);
        assert_eq!(whole(99.9), 99);
    }
}
