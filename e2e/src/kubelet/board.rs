//! The status of a pod, from what its task knows.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, HostIP, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

use super::manifest::{Manifest, Refusal};
use super::probe::Health;
use super::process::{Exit, Process};

/// The status as it shall be reported; each change goes to the reporter at once.
#[derive(Debug)]
pub(super) struct Board {
    container: ContainerStatus,
    status: PodStatus,
    out: watch::Sender<PodStatus>,
}

impl Board {
    /// A pod of which nothing runs yet.
    pub(super) fn new(pod: &Manifest, host: Ipv4Addr, out: watch::Sender<PodStatus>) -> Self {
        let before = &pod.before;
        let container = ContainerStatus {
            name: pod.container.clone(),
            image: pod.image.clone(),
            image_id: String::new(),
            started: Some(false),
            restart_count: pod.restarts_before().unwrap_or(0),
            ..ContainerStatus::default()
        };
        let status = PodStatus {
            phase: Some("Pending".to_owned()),
            observed_generation: pod.generation,
            host_ip: Some(host.to_string()),
            host_ips: Some(vec![HostIP { ip: host.to_string() }]),
            start_time: before.start_time.clone().or_else(|| Some(now())),
            // With the times of an earlier kubelet, and the scheduler's.
            conditions: before.conditions.clone(),
            ..PodStatus::default()
        };
        Self { container, status, out }
    }

    /// It cannot run.
    pub(super) fn refused(&mut self, refusal: &Refusal) {
        self.wait_for(refusal.reason, refusal.message.clone());
        self.publish();
    }

    /// Its process runs; `again` if it did before.
    pub(super) fn running(
        &mut self,
        process: &Process,
        address: Ipv4Addr,
        again: bool,
        health: &Health,
    ) {
        let address = address.to_string();
        self.status.phase = Some("Running".to_owned());
        self.status.pod_ips = Some(vec![PodIP { ip: address.clone() }]);
        self.status.pod_ip = Some(address);
        self.container.restart_count += i32::from(again);
        self.container.image_id.clone_from(&self.container.image);
        self.container.container_id = Some(format!("process://{}", process.pid()));
        let started_at = Some(Time(process.started()));
        let running = Some(ContainerStateRunning { started_at });
        self.container.state = Some(ContainerState { running, ..ContainerState::default() });
        self.health(health);
    }

    /// Its probes have a new verdict.
    pub(super) fn health(&mut self, health: &Health) {
        self.container.started = Some(health.started);
        self.container.ready = health.ready;
        self.publish();
    }

    /// It is being ended. A real kubelet, too, calls it not ready at once.
    pub(super) fn stopping(&mut self) {
        self.container.ready = false;
        self.publish();
    }

    /// Its process has ended and will be started again.
    pub(super) fn crashed(&mut self, exit: Exit, message: String) {
        let terminated = Some(self.terminated(exit));
        self.container.last_state =
            Some(ContainerState { terminated, ..ContainerState::default() });
        self.wait_for("CrashLoopBackOff", message);
        self.publish();
    }

    /// It has ended for good. `None` if there never was a process.
    pub(super) fn finished(&mut self, exit: Option<Exit>) {
        let succeeded = exit.as_ref().is_some_and(|exit| exit.code == 0);
        self.status.phase = Some(if succeeded { "Succeeded" } else { "Failed" }.to_owned());
        self.container.started = Some(false);
        self.container.ready = false;
        if let Some(exit) = exit {
            let terminated = Some(self.terminated(exit));
            self.container.state = Some(ContainerState { terminated, ..ContainerState::default() });
        }
        self.publish();
    }

    fn terminated(&self, exit: Exit) -> ContainerStateTerminated {
        let reason = if exit.code == 0 { "Completed" } else { "Error" };
        ContainerStateTerminated {
            container_id: self.container.container_id.clone(),
            exit_code: exit.code,
            signal: exit.signal,
            started_at: Some(Time(exit.started)),
            finished_at: Some(Time(exit.finished)),
            reason: Some(reason.to_owned()),
            message: exit.message,
        }
    }

    fn wait_for(&mut self, reason: &str, message: String) {
        let waiting =
            Some(ContainerStateWaiting { reason: Some(reason.to_owned()), message: Some(message) });
        self.container.state = Some(ContainerState { waiting, ..ContainerState::default() });
        self.container.started = Some(false);
        self.container.ready = false;
    }

    fn publish(&mut self) {
        let ready = self.container.ready;
        self.condition("PodScheduled", true);
        self.condition("Initialized", true);
        self.condition("ContainersReady", ready);
        self.condition("Ready", ready);
        self.status.container_statuses = Some(vec![self.container.clone()]);
        self.out.send_replace(self.status.clone());
    }

    /// Sets a condition; its time moves only if its status does.
    fn condition(&mut self, kind: &str, good: bool) {
        let status = if good { "True" } else { "False" };
        let done = self.status.phase.as_deref() == Some("Succeeded");
        let (reason, message) = match (good, done) {
            (true, _) => (None, None),
            (false, true) => (Some("PodCompleted".to_owned()), None),
            (false, false) => {
                let message = format!("containers with unready status: [{}]", self.container.name);
                (Some("ContainersNotReady".to_owned()), Some(message))
            }
        };
        let conditions = self.status.conditions.get_or_insert_default();
        let before = conditions.iter().find(|condition| condition.type_ == kind);
        let since = before.filter(|condition| condition.status == status);
        let since = since.and_then(|condition| condition.last_transition_time.clone());
        let condition = PodCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            observed_generation: self.status.observed_generation,
            last_transition_time: since.or_else(|| Some(now())),
            reason,
            message,
            ..PodCondition::default()
        };
        conditions.retain(|other| other.type_ != kind);
        conditions.push(condition);
    }
}

fn now() -> Time {
    Time(Timestamp::now())
}

#[cfg(test)]
mod tests;
