//! The probes of a container.

mod action;
mod observe;
mod track;

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::{self, Container};

use action::Action;

pub(super) use observe::{Health, observe};

/// The probes that a container declares.
#[derive(Debug, Default)]
pub(super) struct Probes {
    startup: Option<Probe>,
    readiness: Option<Probe>,
    liveness: Option<Probe>,
}

/// One probe.
#[derive(Debug, PartialEq)]
struct Probe {
    action: Action,
    initial_delay: Duration,
    period: Duration,
    timeout: Duration,
    failures: u32,
    successes: u32,
}

impl Probes {
    pub(super) fn of(container: &Container) -> anyhow::Result<Self> {
        let read = |probe: &Option<v1::Probe>, name| match probe {
            None => Ok(None),
            Some(probe) => Probe::of(probe, container).map(Some).context(name),
        };
        Ok(Self {
            startup: read(&container.startup_probe, "startupProbe")?,
            readiness: read(&container.readiness_probe, "readinessProbe")?,
            liveness: read(&container.liveness_probe, "livenessProbe")?,
        })
    }

    /// The health of a container whose process has just started.
    pub(super) fn at_start(&self) -> Health {
        let started = self.startup.is_none();
        Health { started, ready: started && self.readiness.is_none(), dead: None }
    }
}

impl Probe {
    fn of(probe: &v1::Probe, container: &Container) -> anyhow::Result<Self> {
        let action = match (&probe.http_get, &probe.tcp_socket) {
            (Some(http), None) => Action::http(http, container)?,
            (None, Some(tcp)) => Action::tcp(tcp, container)?,
            _ => bail!("only httpGet and tcpSocket are supported here"),
        };
        // Zero is how Kubernetes writes "not set".
        let number = |value: Option<i32>, default: u32| match u32::try_from(value.unwrap_or(0)) {
            Ok(0) | Err(_) => default,
            Ok(number) => number,
        };
        let seconds = |value, default| Duration::from_secs(number(value, default).into());
        Ok(Self {
            action,
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            failures: number(probe.failure_threshold, 3),
            successes: number(probe.success_threshold, 1),
        })
    }
}
