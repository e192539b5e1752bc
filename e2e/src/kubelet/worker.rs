//! The life of one pod, in one task.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::board::Board;
use super::manifest::{Manifest, Refusal};
use super::node::Host;
use super::order::{self, Order};
use super::probe;
use super::process::{Exit, Process};
use super::report::Reporter;
use super::termination;

/// The back-off of a crashing program: much shorter than the 10 s to 5 min of a real kubelet.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);
/// A program that ran for so long begins with the shortest back-off again.
const STABLE: Duration = Duration::from_mins(1);
/// Before `ErrImagePull` becomes `ImagePullBackOff`.
const PULL: Duration = Duration::from_secs(1);

/// Runs a pod until it is gone from the API or the kubelet stops; gives its UID.
pub(super) async fn run(host: Arc<Host>, pod: Pod, orders: watch::Receiver<Order>) -> String {
    let pod = Manifest::of(&pod, &host.programs);
    let reporter = Reporter::new(host.client.clone(), &pod);
    let (sender, statuses) = watch::channel(PodStatus::default());
    let board = Board::new(&pod, host.address, sender);
    let silenced = order::silenced(orders.clone());
    let uid = pod.uid.clone();

    // The board is dropped at the end of the life, which ends the reports after the last one.
    let life = Life { host, pod, board, orders }.live();
    let reports = async {
        tokio::select! {
            () = reporter.report(statuses) => true,
            () = silenced => false,
        }
    };
    let (orders, told) = tokio::join!(life, reports);
    if told {
        tokio::select! {
            () = reporter.delete() => {}
            () = order::silenced(orders) => {}
        }
    }
    uid
}

struct Life {
    host: Arc<Host>,
    pod: Manifest,
    board: Board,
    orders: watch::Receiver<Order>,
}

/// How one run of the process came to its end.
enum End {
    /// By itself, or because of a probe: the restart policy decides what follows.
    Exited(Exit),
    /// By order.
    Ordered(Exit),
}

impl Life {
    /// Returns when the process has ended for good and by order.
    async fn live(mut self) -> watch::Receiver<Order> {
        let last = match self.pod.program.clone() {
            _ if *self.orders.borrow() != Order::Run => None,
            Ok(program) => self.run(&program).await,
            Err(refusal) => {
                self.refuse(refusal).await;
                None
            }
        };
        // The last phase is told before the pod is deleted: Jobs count on it.
        self.board.finished(last);
        self.orders
    }

    async fn refuse(&mut self, refusal: Refusal) {
        self.board.refused(&refusal);
        if refusal.reason == "ErrImagePull" {
            tokio::select! {
                () = order::ended(&mut self.orders) => return,
                () = sleep(PULL) => {}
            }
            let message = format!("Back-off pulling image: {}", refusal.message);
            self.board.refused(&Refusal { reason: "ImagePullBackOff", message });
        }
        order::ended(&mut self.orders).await;
    }

    /// Runs the program again and again, as its restart policy says, until it is ordered to end.
    async fn run(&mut self, program: &Path) -> Option<Exit> {
        // Held until this function returns, when no process of this pod is left.
        let lease = tokio::select! {
            lease = self.host.addresses.lease(self.pod.address_before()) => lease,
            () = order::ended(&mut self.orders) => return None,
        };
        let mut again = self.pod.restarts_before().is_some();
        let mut back_off = FIRST_BACK_OFF;
        // Ends by order, or when the restart policy has no further run.
        loop {
            let begun = Instant::now();
            let exit = match self.run_once(program, lease.address(), again).await {
                End::Exited(exit) => exit,
                End::Ordered(exit) => return Some(exit),
            };
            if !self.pod.restart.after(exit.code) {
                self.board.finished(Some(exit.clone()));
                order::ended(&mut self.orders).await;
                return Some(exit);
            }
            if begun.elapsed() >= STABLE {
                back_off = FIRST_BACK_OFF;
            }
            let name = &self.pod.container;
            let message = format!("back-off {back_off:?} restarting failed container={name}");
            self.board.crashed(exit.clone(), message);
            tokio::select! {
                () = sleep(back_off) => {}
                () = order::ended(&mut self.orders) => return Some(exit),
            }
            back_off = (back_off * 2).min(LONGEST_BACK_OFF);
            again = true;
        }
    }

    async fn run_once(&mut self, program: &Path, address: Ipv4Addr, again: bool) -> End {
        let mut process = match Process::launch(program, &self.pod, address) {
            Ok(process) => process,
            Err(error) => return End::Exited(not_started(program, &error)),
        };
        let (health, mut verdicts) = watch::channel(self.pod.probes.at_start());
        self.board.running(&process, address, again, &health.borrow());
        let reason = {
            let mut probing = std::pin::pin!(probe::observe(&self.pod.probes, address, &health));
            let mut over = false;
            // Ends with the process, by order, or when a probe calls it dead.
            loop {
                tokio::select! {
                    exit = process.exited() => return End::Exited(exit),
                    () = order::ended(&mut self.orders) => break None,
                    () = &mut probing, if !over => over = true,
                    Ok(()) = verdicts.changed() => {
                        let health = verdicts.borrow_and_update().clone();
                        self.board.health(&health);
                        if health.dead.is_some() {
                            break health.dead;
                        }
                    }
                }
            }
        };
        self.board.stopping();
        let order = *self.orders.borrow_and_update();
        let grace = order.grace().unwrap_or(self.pod.grace);
        let pre_stop = if order == Order::Halt { Duration::ZERO } else { self.pod.pre_stop };
        let mut exit = termination::end(&mut process, pre_stop, grace, &mut self.orders).await;
        match reason {
            Some(reason) if *self.orders.borrow() == Order::Run => {
                exit.message = Some(reason);
                End::Exited(exit)
            }
            _ => End::Ordered(exit),
        }
    }
}

/// A program that cannot be started counts as one that ended at once, as in a real kubelet.
fn not_started(program: &Path, error: &std::io::Error) -> Exit {
    let now = Timestamp::now();
    let message = Some(format!("{} cannot be started: {error}", program.display()));
    Exit { code: 128, signal: None, started: now, finished: now, message }
}
