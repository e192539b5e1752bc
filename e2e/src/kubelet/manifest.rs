//! What the kubelet needs to know of a pod.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};

use super::probe::Probes;

const DEFAULT_PORT: u16 = 8080;
const DEFAULT_GRACE: i64 = 30;

/// One pod, as far as it matters for running it.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) generation: Option<i64>,
    pub(super) container: String,
    pub(super) image: String,
    /// What to run, and how.
    pub(super) program: Result<PathBuf, Refusal>,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) port: u16,
    pub(super) probes: Probes,
    pub(super) pre_stop: Duration,
    /// The grace for a restart; a deletion brings its own.
    pub(super) grace: Duration,
    pub(super) restart: Restart,
    /// What an earlier kubelet has reported.
    pub(super) before: PodStatus,
}

/// Why a pod cannot run, in the words of a container's waiting state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// When a container that has ended starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    OnFailure,
    Never,
}

impl Restart {
    pub(super) fn after(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

impl Manifest {
    /// Reads a pod; a pod that cannot run gets a [`Refusal`] as its program.
    pub(super) fn of(pod: &Pod, programs: &BTreeMap<String, PathBuf>) -> Self {
        let metadata = &pod.metadata;
        let spec = pod.spec.clone().unwrap_or_default();
        let container = spec.containers.first().cloned().unwrap_or_default();
        let image = container.image.clone().unwrap_or_default();
        let (settings, program) = match Settings::of(&spec, &container) {
            Ok(settings) => (settings, find_program(&image, programs)),
            Err(error) => {
                let message = format!("{error:#}");
                let refusal = Refusal { reason: "CreateContainerConfigError", message };
                (Settings::default(), Err(refusal))
            }
        };
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            generation: metadata.generation,
            container: container.name,
            image,
            program,
            args: container.args.unwrap_or_default(),
            env: settings.env,
            port: settings.port,
            probes: settings.probes,
            pre_stop: settings.pre_stop,
            grace: seconds(spec.termination_grace_period_seconds.unwrap_or(DEFAULT_GRACE)),
            restart: match spec.restart_policy.as_deref() {
                Some("Never") => Restart::Never,
                Some("OnFailure") => Restart::OnFailure,
                _ => Restart::Always,
            },
            before: pod.status.clone().unwrap_or_default(),
        }
    }

    /// The address that the pod had under an earlier kubelet.
    pub(super) fn address_before(&self) -> Option<Ipv4Addr> {
        self.before.pod_ip.as_ref().and_then(|address| address.parse().ok())
    }

    /// The restarts under an earlier kubelet, and whether it had started the container at all.
    pub(super) fn restarts_before(&self) -> Option<i32> {
        let status = self.before.container_statuses.as_ref()?.first()?;
        let ran = status.state.as_ref().is_some_and(|state| state.waiting.is_none());
        (ran || status.last_state.is_some()).then_some(status.restart_count)
    }
}

#[derive(Default)]
struct Settings {
    env: Vec<(String, String)>,
    port: u16,
    probes: Probes,
    pre_stop: Duration,
}

impl Settings {
    fn of(spec: &PodSpec, container: &Container) -> anyhow::Result<Self> {
        let init = spec.init_containers.as_ref().is_some_and(|list| !list.is_empty());
        ensure!(spec.containers.len() == 1 && !init, "only pods of one container can run here");
        ensure!(
            container.env_from.as_ref().is_none_or(Vec::is_empty),
            "envFrom is not supported here"
        );
        let mut env = Vec::new();
        for variable in container.env.iter().flatten() {
            let name = &variable.name;
            ensure!(variable.value_from.is_none(), "valueFrom of {name} is not supported here");
            env.push((name.clone(), variable.value.clone().unwrap_or_default()));
        }
        let port = container.ports.iter().flatten().next().map(|port| port.container_port);
        let port = port.map_or(Ok(DEFAULT_PORT), u16::try_from).context("containerPort")?;
        Ok(Self { env, port, probes: Probes::of(container)?, pre_stop: pre_stop(container)? })
    }
}

fn pre_stop(container: &Container) -> anyhow::Result<Duration> {
    let Some(lifecycle) = &container.lifecycle else {
        return Ok(Duration::ZERO);
    };
    ensure!(lifecycle.post_start.is_none(), "postStart is not supported here");
    match &lifecycle.pre_stop {
        None => Ok(Duration::ZERO),
        Some(hook) => match &hook.sleep {
            Some(sleep) => Ok(seconds(sleep.seconds)),
            None => bail!("preStop other than sleep is not supported here"),
        },
    }
}

fn find_program(image: &str, programs: &BTreeMap<String, PathBuf>) -> Result<PathBuf, Refusal> {
    programs.get(without_tag(image)).cloned().ok_or_else(|| Refusal {
        reason: "ErrImagePull",
        message: format!("no program stands for the image `{image}`"),
    })
}

/// `registry:5000/shop/demo` of `registry:5000/shop/demo:v2@sha256:…`.
fn without_tag(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        // A colon before a slash is that of a port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(spec: &serde_json::Value) -> Manifest {
        let pod = json!({
            "metadata": {"name": "a", "namespace": "shop", "uid": "u"},
            "spec": spec,
        });
        let programs = BTreeMap::from([("demo".to_owned(), PathBuf::from("/demo"))]);
        Manifest::of(&serde_json::from_value(pod).unwrap(), &programs)
    }

    #[test]
    fn images_are_known_without_tag_and_digest() {
        for (image, name) in [
            ("demo", "demo"),
            ("demo:v2", "demo"),
            ("shop/demo:v2@sha256:00", "shop/demo"),
            ("registry:5000/demo", "registry:5000/demo"),
            ("registry:5000/demo:v2", "registry:5000/demo"),
        ] {
            assert_eq!(without_tag(image), name);
        }
    }

    #[test]
    fn a_usual_pod_can_run() {
        let pod = manifest(&json!({
            "terminationGracePeriodSeconds": 7,
            "containers": [{
                "name": "app",
                "image": "demo:v1",
                "env": [{"name": "VERSION", "value": "v1"}, {"name": "EMPTY"}],
                "ports": [{"name": "web", "containerPort": 9090}],
                "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
            }],
        }));
        assert_eq!(pod.program, Ok(PathBuf::from("/demo")));
        let env = [("VERSION", "v1"), ("EMPTY", "")];
        assert_eq!(pod.env, env.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!((pod.port, pod.restart), (9090, Restart::Always));
        assert_eq!((pod.pre_stop.as_secs(), pod.grace.as_secs()), (3, 7));
        assert_eq!(pod.restarts_before(), None);
    }

    #[test]
    fn what_would_mislead_is_refused() {
        let other = json!({"name": "b", "image": "demo"});
        let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
        for (spec, reason, message) in [
            (
                json!({"containers": [{"name": "a", "image": "x:1"}]}),
                "ErrImagePull",
                "no program stands for the image `x:1`",
            ),
            (
                json!({"containers": [{"name": "a", "image": "demo"}, other]}),
                "CreateContainerConfigError",
                "only pods of one container can run here",
            ),
            (
                json!({"containers": [{"name": "a", "image": "demo",
                "env": [{"name": "K", "valueFrom": secret}]}]}),
                "CreateContainerConfigError",
                "valueFrom of K is not supported here",
            ),
            (
                json!({"containers": [{"name": "a", "image": "demo",
                "readinessProbe": {"exec": {"command": ["true"]}}}]}),
                "CreateContainerConfigError",
                "readinessProbe: only httpGet and tcpSocket are supported here",
            ),
        ] {
            let message = message.to_owned();
            assert_eq!(manifest(&spec).program, Err(Refusal { reason, message }));
        }
    }

    #[test]
    fn a_policy_decides_about_a_restart() {
        assert!(Restart::Always.after(0) && Restart::Always.after(1));
        assert!(!Restart::OnFailure.after(0) && Restart::OnFailure.after(1));
        assert!(!Restart::Never.after(1));
    }
}
