//! Probing one process from its start to its end.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::track::Track;
use super::{Probe, Probes};

/// How often a probe asks before its first success.
///
/// A real kubelet, too, probes as soon as the container has started and not one period later; it
/// then waits for a whole period (ten seconds unless told), which here would only make every
/// test slower.
const EAGER: Duration = Duration::from_millis(100);
/// So long at most: a pod that never becomes ready is not asked ten times a second for ever.
const EAGER_FOR: Duration = Duration::from_secs(30);

/// What the probes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Health {
    /// The startup probe has succeeded, or there is none.
    pub(in super::super) started: bool,
    /// It may get requests.
    pub(in super::super) ready: bool,
    /// Why it must be started again.
    pub(in super::super) dead: Option<String>,
}

/// Probes until the container is dead; never returns otherwise. The process has just started.
pub(in super::super) async fn observe(
    probes: &Probes,
    address: Ipv4Addr,
    health: &watch::Sender<Health>,
) {
    let begun = Instant::now();
    if let Some(probe) = &probes.startup {
        if let Err(reason) = start_up(probe, address, begun).await {
            health.send_modify(|health| health.dead = Some(reason));
            return;
        }
        let ready = probes.readiness.is_none();
        health.send_modify(|health| (health.started, health.ready) = (true, ready));
    }
    let readiness = async {
        match &probes.readiness {
            Some(probe) => readiness(probe, address, begun, health).await,
            None => std::future::pending().await,
        }
    };
    let liveness = async {
        match &probes.liveness {
            Some(probe) => liveness(probe, address, begun).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = readiness => {}
        reason = liveness => health.send_modify(|health| health.dead = Some(reason)),
    }
}

/// Waits for the first success, for as long as the probe's failures may take.
async fn start_up(probe: &Probe, address: Ipv4Addr, begun: Instant) -> Result<(), String> {
    let mut schedule = Schedule::new(probe, begun, true);
    let patience = probe.initial_delay + probe.period * probe.failures;
    let mut track = Track::new(false, 1, probe.successes);
    // Ends with the patience.
    loop {
        schedule.next().await;
        let answer = probe.ask(address).await;
        if track.answer(answer.is_ok()) == Some(true) {
            return Ok(());
        }
        match answer {
            Ok(()) => schedule.calm(),
            Err(reason) if begun.elapsed() >= patience => {
                return Err(format!("Startup probe failed: {reason}"));
            }
            Err(_) => {}
        }
    }
}

async fn readiness(
    probe: &Probe,
    address: Ipv4Addr,
    begun: Instant,
    health: &watch::Sender<Health>,
) {
    let mut schedule = Schedule::new(probe, begun, true);
    let mut track = Track::new(false, probe.failures, probe.successes);
    // Ends with the process, which the caller watches.
    loop {
        schedule.next().await;
        let answer = probe.ask(address).await;
        if answer.is_ok() {
            schedule.calm();
        }
        if let Some(ready) = track.answer(answer.is_ok()) {
            health.send_modify(|health| health.ready = ready);
        }
    }
}

/// Returns the reason when the container is dead.
async fn liveness(probe: &Probe, address: Ipv4Addr, begun: Instant) -> String {
    let mut schedule = Schedule::new(probe, begun, false);
    let mut track = Track::new(true, probe.failures, probe.successes);
    // Ends with the process, which the caller watches.
    loop {
        schedule.next().await;
        let answer = probe.ask(address).await;
        let verdict = track.answer(answer.is_ok());
        if let (Some(false), Err(reason)) = (verdict, answer) {
            return format!("Liveness probe failed: {reason}");
        }
    }
}

impl Probe {
    async fn ask(&self, address: Ipv4Addr) -> Result<(), String> {
        match timeout(self.timeout, self.action.ask(address)).await {
            Ok(answer) => answer.map_err(|error| format!("{error:#}")),
            Err(_) => Err(format!("no answer within {:?}", self.timeout)),
        }
    }
}

/// When a probe asks.
struct Schedule {
    due: Instant,
    period: Duration,
    eager_until: Option<Instant>,
}

impl Schedule {
    fn new(probe: &Probe, begun: Instant, eager: bool) -> Self {
        let due = begun + probe.initial_delay;
        Self { due, period: probe.period, eager_until: eager.then(|| due + EAGER_FOR) }
    }

    /// Waits for the next time to ask; the first is at once.
    async fn next(&mut self) {
        sleep_until(self.due).await;
        let now = Instant::now();
        let eager = self.eager_until.is_some_and(|until| now < until);
        self.due = now + if eager { EAGER.min(self.period) } else { self.period };
    }

    /// From the next time on it asks once per period.
    fn calm(&mut self) {
        if self.eager_until.take().is_some() {
            self.due = Instant::now() + self.period;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::action::Action;
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    fn probe(port: u16, successes: u32) -> Probe {
        Probe {
            action: Action::Tcp { port },
            initial_delay: Duration::ZERO,
            period: Duration::from_millis(20),
            timeout: Duration::from_secs(1),
            failures: 2,
            successes,
        }
    }

    async fn until(health: &watch::Sender<Health>, probes: &Probes, done: fn(&Health) -> bool) {
        let mut verdicts = health.subscribe();
        let observed = async {
            tokio::select! {
                () = observe(probes, Ipv4Addr::LOCALHOST, health) => {}
                _ = verdicts.wait_for(done) => {}
            }
        };
        timeout(DEADLINE, observed).await.unwrap();
        assert!(done(&health.borrow()), "{:?}", health.borrow());
    }

    #[tokio::test]
    async fn startup_and_readiness_come_with_success() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let probes = Probes {
            startup: Some(probe(port, 1)),
            readiness: Some(probe(port, 2)),
            liveness: None,
        };
        let (health, _) = watch::channel(probes.at_start());
        assert!(!health.borrow().started && !health.borrow().ready);
        until(&health, &probes, |health| health.started && health.ready).await;
    }

    #[tokio::test]
    async fn liveness_fails_with_its_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let probes = Probes { liveness: Some(probe(port, 1)), ..Probes::default() };
        let (health, _) = watch::channel(probes.at_start());
        assert!(health.borrow().ready);
        until(&health, &probes, |health| health.dead.is_some()).await;
        let reason = health.borrow().dead.clone().unwrap();
        assert!(reason.starts_with("Liveness probe failed: Connection refused"), "{reason}");
    }
}
