//! Spans of time as people say them.

use chrono::TimeDelta;

/// `42s`, `4m12s`, `3h05m` or `2d4h`; a negative span is `0s`.
pub(crate) fn span(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{}h", hours % 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_well() {
        for (seconds, text) in
            [(-5, "0s"), (59, "59s"), (252, "4m12s"), (11_100, "3h05m"), (187_200, "2d4h")]
        {
            assert_eq!(span(TimeDelta::seconds(seconds)), text);
        }
    }
}
