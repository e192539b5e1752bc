//! Ending a process within its grace period.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::order::{LEAST_GRACE, Order};
use super::process::{Exit, Process};

/// A killed process ends at once, unless the machine itself hangs.
const KILLED: Duration = Duration::from_secs(5);

/// Sleeps for the preStop hook, asks the process to end, waits, kills. `orders` may shorten the
/// grace meanwhile.
pub(super) async fn end(
    process: &mut Process,
    pre_stop: Duration,
    grace: Duration,
    orders: &mut watch::Receiver<Order>,
) -> Exit {
    let begun = Instant::now();
    let mut deadline = begun + grace;
    let asleep_until = begun + pre_stop;
    if let Some(exit) = wait(process, asleep_until, &mut deadline, orders).await {
        return exit;
    }
    if *orders.borrow() != Order::Halt {
        process.terminate();
        // The hook must not eat up all the time.
        deadline = deadline.max(Instant::now() + LEAST_GRACE);
        if let Some(exit) = wait(process, deadline, &mut deadline, orders).await {
            return exit;
        }
    }
    process.kill();
    let killed = timeout(KILLED, process.exited()).await;
    killed.unwrap_or_else(|_| process.killed())
}

/// Waits for the end of the process, at most until `until` and the deadline.
async fn wait(
    process: &mut Process,
    until: Instant,
    deadline: &mut Instant,
    orders: &mut watch::Receiver<Order>,
) -> Option<Exit> {
    // Ends at the deadline, which only comes nearer.
    loop {
        tokio::select! {
            exit = process.exited() => return Some(exit),
            () = sleep_until(until.min(*deadline)) => return None,
            Ok(()) = orders.changed() => {
                if let Some(grace) = orders.borrow_and_update().grace() {
                    *deadline = (*deadline).min(Instant::now() + grace);
                }
            }
        }
    }
}
