//! A hub and its members, started together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;

use crate::cluster::Cluster;
use crate::components::{self, Components};
use crate::gateway::Gateway;
use crate::hub_process::HubProcess;
use crate::kubelet::{self, Kubelet};
use crate::phases::Phases;
use crate::pod_network::PodNetwork;
use crate::prometheus::Prometheus;
use crate::reach::Reach;
use crate::run_dir::RunDir;
use crate::{access, addresses, apply, kubeconfig, namespace, registration};

/// Image name, without its tag, of the demo application.
pub const DEMO_IMAGE: &str = "demo";
const DEMO_PROGRAM: &str = "lockflight-demo-app";

/// What a fleet is to be like.
#[derive(Clone, Debug)]
pub struct Builder {
    members: u8,
    scrape_interval: Duration,
    keep: bool,
    programs: BTreeMap<String, PathBuf>,
}

/// A cluster with a gateway, metrics and pods.
pub struct Member {
    /// Its control plane.
    pub cluster: Cluster,
    /// Its gateway.
    pub gateway: Gateway,
    /// Its metrics.
    pub prometheus: Prometheus,
    /// The hub's lines to it.
    pub reach: Reach,
    /// Its node.
    kubelet: Kubelet,
}

/// A running fleet. Dropping it kills all of it; [`Fleet::stop`] also waits for the end.
pub struct Fleet {
    /// The cluster in which Lockflight runs. It has no gateway, no metrics and no node.
    pub hub: Cluster,
    /// `m1`, `m2`, …
    pub members: Vec<Member>,
    helm: PathBuf,
    opted_in: Mutex<BTreeSet<String>>,
    phases: Vec<(String, Duration)>,
    // Last: what runs in it has to end before it is removed.
    run_dir: RunDir,
}

impl Builder {
    /// How many members; 3 unless said otherwise.
    #[must_use]
    pub fn members(mut self, members: u8) -> Self {
        self.members = members;
        self
    }

    /// How often Prometheus scrapes; every second unless said otherwise.
    #[must_use]
    pub fn scrape_interval(mut self, interval: Duration) -> Self {
        self.scrape_interval = interval;
        self
    }

    /// Whether the folder with logs and state stays after the end.
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// Lets pods of `image` (without its tag) run `program`.
    #[must_use]
    pub fn program(mut self, image: &str, program: PathBuf) -> Self {
        self.programs.insert(image.to_owned(), program);
        self
    }

    /// Starts everything and returns when all of it is ready.
    pub async fn start(self) -> anyhow::Result<Fleet> {
        anyhow::ensure!(
            namespace::is_inside(),
            "a fleet runs in a namespace of its own: call namespace::enter() first in main"
        );
        let components = components::locate()?;
        let run_dir = RunDir::create(self.keep)?;
        let phases = Phases::default();

        let hub = async {
            let dir = run_dir.path().join("hub");
            let hub = phases
                .time("hub: control plane", Cluster::start("hub", 0, &dir, &components.hk))
                .await?;
            phases
                .time("hub: kinds and rights", access::set_up_hub(&hub, &components.helm))
                .await?;
            anyhow::Ok(hub)
        };
        let members = try_join_all(
            (1..=self.members)
                .map(|index| self.start_member(index, run_dir.path(), &components, &phases)),
        );
        let (hub, members) = tokio::try_join!(hub, members)?;
        let tokens = members.iter().map(|m| access::issue_member_token(&hub, &m.cluster));
        phases.time("hub: credentials of the members", try_join_all(tokens)).await?;

        let phases = phases.finish();
        let (helm, opted_in) = (components.helm, Mutex::default());
        Ok(Fleet { hub, members, helm, opted_in, phases, run_dir })
    }

    async fn start_member(
        &self,
        index: u8,
        run_dir: &Path,
        components: &Components,
        phases: &Phases,
    ) -> anyhow::Result<Member> {
        let name = format!("m{index}");
        let phase = |what: &str| format!("{name}: {what}");
        let dir = run_dir.join(&name);
        let reach = Reach::open(index).await?;
        let cluster = phases
            .time(phase("control plane"), Cluster::start(&name, index, &dir, &components.hk))
            .await?;
        let (gateway, prometheus, kubelet, ()) = tokio::try_join!(
            phases.time(phase("gateway"), Gateway::start(&cluster, components)),
            phases.time(
                phase("prometheus"),
                Prometheus::launch(&cluster, &components.prometheus, self.scrape_interval)
            ),
            phases.time(
                phase("node"),
                kubelet::start(cluster.client(), index, self.programs.clone())
            ),
            phases.time(phase("rights"), access::set_up_member(&cluster, &components.helm)),
        )?;
        Ok(Member { cluster, gateway, prometheus, reach, kubelet })
    }
}

impl Fleet {
    /// A fleet of a hub and three members, unless the builder is told otherwise. Pods of the image
    /// [`DEMO_IMAGE`] run the demo application, if it was built beside this program.
    #[must_use]
    pub fn builder() -> Builder {
        let demo = built_beside(DEMO_PROGRAM).map(|program| (DEMO_IMAGE.to_owned(), program));
        Builder {
            members: 3,
            scrape_interval: Duration::from_secs(1),
            keep: false,
            programs: demo.into_iter().collect(),
        }
    }

    /// The member of this name.
    pub fn member(&self, name: &str) -> anyhow::Result<&Member> {
        self.members
            .iter()
            .find(|member| member.cluster.name() == name)
            .with_context(|| format!("no member is called {name}"))
    }

    /// Hub and members.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        std::iter::once(&self.hub).chain(self.members.iter().map(|member| &member.cluster))
    }

    /// How long each phase of the start took.
    #[must_use]
    pub fn phases(&self) -> &[(String, Duration)] {
        &self.phases
    }

    /// Lets the folder with logs and state stay after the end.
    pub fn keep(&mut self) {
        self.run_dir.keep();
    }

    /// Folder with the logs and state of this run.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.run_dir.path()
    }

    /// Makes `namespace` in the hub and in every member, and gives the hub its rights there.
    pub async fn opt_in(&self, namespace: &str) -> anyhow::Result<()> {
        try_join_all(self.clusters().map(|c| access::create_namespace(c, namespace))).await?;
        let members: Vec<_> = self.members.iter().map(|member| &member.cluster).collect();
        access::grant(&members, &self.helm, namespace).await?;
        self.opted_in.lock().unwrap_or_else(PoisonError::into_inner).insert(namespace.to_owned());
        Ok(())
    }

    /// Lets the hub measure by Jobs in a namespace of a member.
    pub async fn allow_jobs(&self, member: &str, namespace: &str) -> anyhow::Result<()> {
        access::grant_jobs(&[&self.member(member)?.cluster], &self.helm, namespace).await
    }

    /// Lets the hub reach a Service of a member through its API server.
    pub async fn allow_metrics(
        &self,
        member: &str,
        namespace: &str,
        service: &str,
    ) -> anyhow::Result<()> {
        let member = &self.member(member)?.cluster;
        access::grant_metrics(&[member], &self.helm, namespace, service).await
    }

    /// Makes the `Cluster` and `MetricProvider` objects of all members in the hub, or brings them
    /// up to date with the namespaces that have opted in.
    pub async fn register_members(&self) -> anyhow::Result<()> {
        let namespaces = self.opted_in.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let objects: Vec<_> = self
            .members
            .iter()
            .flat_map(|member| registration::objects(&member.cluster, &namespaces))
            .collect();
        apply::apply_all(&self.hub.client(), &objects).await
    }

    /// Makes the hub's token for a member void, and waits until the member refuses it.
    pub async fn revoke_token(&self, member: &str) -> anyhow::Result<()> {
        access::revoke_member_token(&self.hub, &self.member(member)?.cluster).await
    }

    /// Issues a new token for a member and puts it into the hub.
    pub async fn renew_token(&self, member: &str) -> anyhow::Result<()> {
        access::issue_member_token(&self.hub, &self.member(member)?.cluster).await
    }

    /// Prepares the hub controller `program` to run under its own `ServiceAccount`.
    pub async fn hub_process(
        &self,
        program: &Path,
        env: Vec<(String, String)>,
    ) -> anyhow::Result<HubProcess> {
        let kubeconfig = access::write_own_kubeconfig(&self.hub).await?;
        HubProcess::new(Vec::new(), program, &kubeconfig, self.dir(), env, Vec::new())
    }

    /// The same with everything on: the dashboard, at [`addresses::HUB_DASHBOARD`] and with
    /// sign-in by token, and recordings, in [`Self::recordings`].
    pub async fn whole_hub_process(
        &self,
        program: &Path,
        env: Vec<(String, String)>,
    ) -> anyhow::Result<HubProcess> {
        self.whole(Vec::new(), program, env).await
    }

    /// The same in a network of its own.
    pub async fn hub_process_in(
        &self,
        network: &PodNetwork,
        program: &Path,
        env: Vec<(String, String)>,
    ) -> anyhow::Result<HubProcess> {
        self.whole(network.around(), program, env).await
    }

    async fn whole(
        &self,
        around: Vec<String>,
        program: &Path,
        env: Vec<(String, String)>,
    ) -> anyhow::Result<HubProcess> {
        let kubeconfig = access::write_own_kubeconfig(&self.hub).await?;
        let all = vec![
            format!("--dashboard-listen={}", addresses::HUB_DASHBOARD),
            "--dashboard-sign-in=token".to_owned(),
            format!("--record={}", self.recordings().display()),
        ];
        HubProcess::new(around, program, &kubeconfig, self.dir(), env, all)
    }

    /// Folder with what the judge of [`Self::whole_hub_process`] was shown.
    #[must_use]
    pub fn recordings(&self) -> PathBuf {
        self.dir().join("recordings")
    }

    /// Makes the clusters (hub first) reachable from outside through listeners that
    /// [`namespace::enter`] handed over, and writes a kubeconfig for that.
    pub fn expose(&self, listeners: Vec<TcpListener>) -> anyhow::Result<PathBuf> {
        let mut contexts = Vec::new();
        for (cluster, listener) in self.clusters().zip(listeners) {
            let server = format!("https://{}", listener.local_addr()?);
            let apiserver = addresses::control_plane(cluster.index());
            namespace::forward(listener, SocketAddr::from((apiserver, addresses::APISERVER_PORT)))?;
            contexts.push(cluster.admin_context(server));
        }
        let path = self.dir().join("kubeconfig");
        kubeconfig::write(&path, &contexts)?;
        Ok(path)
    }

    /// Makes the members' gateways reachable from outside, one listener each.
    pub fn expose_gateways(&self, listeners: Vec<TcpListener>) -> anyhow::Result<()> {
        for (member, listener) in self.members.iter().zip(listeners) {
            let gateway = addresses::envoy(member.cluster.index());
            namespace::forward(listener, SocketAddr::from((gateway, addresses::GATEWAY_PORT)))?;
        }
        Ok(())
    }

    /// Ends everything and removes the run's folder.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { hub, members, .. } = &self;
        try_join_all(members.iter().map(async |member| {
            member.prometheus.kill().await?;
            member.gateway.kill().await?;
            member.cluster.kill().await
        }))
        .await?;
        hub.kill().await?;
        for member in self.members {
            member.kubelet.stop().await;
        }
        Ok(())
    }
}

/// A program of this workspace, in the folder of the running one (tests lie one folder deeper).
#[must_use]
pub fn built_beside(program: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.ancestors().skip(1).take(2).map(|dir| dir.join(program)).find(|path| path.is_file())
}
