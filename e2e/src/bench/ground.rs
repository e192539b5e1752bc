//! The fleet that is measured, and services on it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::fleet::Fleet;
use crate::hub_process::HubProcess;
use crate::process;
use crate::service::{DemoService, Release, Settings};
use crate::wait;

/// The member in which single-cluster figures are measured.
pub(super) const MEMBER: &str = "m1";
/// A step without bakes, with all its waits: ten times what it takes.
pub(super) const SOON: Duration = Duration::from_secs(20);
/// A whole release.
pub(super) const RELEASE: Duration = Duration::from_mins(1);

/// A running fleet with its hub.
pub(super) struct Ground {
    pub(super) fleet: Fleet,
    pub(super) hub: HubProcess,
}

impl Ground {
    pub(super) async fn start(program: &Path, members: u8, keep: bool) -> anyhow::Result<Self> {
        let fleet = Fleet::builder().members(members).keep(keep).start().await?;
        fleet.register_members().await?;
        let log = ("LOCKFLIGHT_LOG".to_owned(), "info".to_owned());
        let hub = fleet.hub_process(program, vec![log]).await?;
        hub.start().await?;
        hub.wait_ready().await?;
        Ok(Self { fleet, hub })
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.hub.stop().await?;
        self.fleet.stop().await
    }

    /// The end of the hub's log, for when something went wrong.
    pub(super) fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.hub.log()).unwrap_or_default();
        process::tail(&log, 40)
    }

    /// The cluster of [`MEMBER`].
    pub(super) fn member(&self) -> anyhow::Result<&Cluster> {
        Ok(&self.fleet.member(MEMBER)?.cluster)
    }

    /// The clusters that a release in [`MEMBER`] alone has to do with.
    pub(super) fn concerned(&self) -> anyhow::Result<[&Cluster; 2]> {
        Ok([&self.fleet.hub, self.member()?])
    }

    /// A service in [`MEMBER`] alone, one replica, whose `v2` serves; no gates.
    pub(super) async fn lone_service(
        &self,
        namespace: &str,
        steps: &[(u8, u32)],
    ) -> anyhow::Result<LoneService> {
        let waves = json!([{ "name": "only", "bake": { "time": "0s" } }]);
        let scale_down_delay = "0s".to_owned();
        let settings = Settings { replicas: 1, scale_down_delay, ..Settings::default() };
        let settings = settings.waves(waves).steps(steps).ungated();
        let service = DemoService::create(&self.fleet, namespace, "shop", settings).await?;
        let mut service = LoneService { service, version: 0, ready_at_once: true };
        // The first comes up without steps; the second leaves nothing that still settles.
        for _ in 0..2 {
            service.release_next().await?;
            service.at_rest().await?;
        }
        Ok(service)
    }
}

/// A service that gets one release after the other.
pub(super) struct LoneService {
    pub(super) service: DemoService,
    version: u32,
    /// Pods are ready as soon as their process runs, as those were with which the incumbents were
    /// measured. Without traffic only: such a pod does not listen yet.
    pub(super) ready_at_once: bool,
}

impl LoneService {
    /// The version in the spec.
    pub(super) fn version(&self) -> String {
        format!("v{}", self.version)
    }

    /// Waits until the release in the spec is completed and its predecessor's pods are gone: what
    /// comes next finds nothing that still settles.
    pub(super) async fn at_rest(&self) -> anyhow::Result<()> {
        self.service.completed(RELEASE).await?;
        wait::until("the old pods to end", SOON, async || {
            let pods = self.pods(|version| version != self.version()).await?;
            anyhow::ensure!(pods.is_empty(), "there are {pods:?}");
            Ok(())
        })
        .await
    }

    /// Names of the pods whose version is wanted.
    pub(super) async fn pods(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<BTreeSet<String>> {
        let client = self.service.place(MEMBER)?.client.clone();
        let pods: Api<Pod> = Api::namespaced(client, self.service.namespace());
        let list = pods.list(&ListParams::default()).await?;
        let found = list.into_iter().filter(|pod| {
            let labels = pod.metadata.labels.as_ref();
            labels.and_then(|labels| labels.get("version")).is_some_and(|version| wanted(version))
        });
        Ok(found.filter_map(|pod| pod.metadata.name).collect())
    }

    /// Puts the next version into the spec.
    pub(super) async fn release_next(&mut self) -> anyhow::Result<()> {
        self.version += 1;
        let release = Release::new(&self.version()).start_delay_ms(0);
        let mut manifest = self.service.manifest(&release);
        let only = json!({ "clusterSelector": { "matchLabels": { "member": MEMBER } } });
        manifest["spec"]["placement"] = only;
        let container = manifest.pointer_mut("/spec/template/spec/containers/0");
        let container = container.and_then(Value::as_object_mut).filter(|_| self.ready_at_once);
        if let Some(container) = container {
            container.remove("readinessProbe");
        }
        self.service.apply(&manifest).await?;
        Ok(())
    }
}
