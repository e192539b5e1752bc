//! Waiting for a condition, never for a time.

use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep, timeout_at};

/// Between two looks at a condition that cannot be watched.
const PAUSE: Duration = Duration::from_millis(25);

/// Calls `probe` until it succeeds. After `deadline` the error says what was waited for and what
/// the last probe saw.
pub async fn until<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let end = Instant::now() + deadline;
    let mut last = anyhow::anyhow!("the first look did not end in time");
    loop {
        match timeout_at(end, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
        if Instant::now() + PAUSE >= end {
            return Err(last).with_context(|| format!("waited {deadline:?} for {what}"));
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[tokio::test]
    async fn the_error_names_the_condition_and_the_last_look() {
        let error = super::until("tea", Duration::from_millis(60), async || {
            anyhow::bail!("still cold");
            #[expect(unreachable_code, reason = "gives the closure its type")]
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(format!("{error:#}"), "waited 60ms for tea: still cold");
    }
}
