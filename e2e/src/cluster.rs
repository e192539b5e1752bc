//! One control plane: etcd, API server, controller manager and scheduler.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;

use crate::kubeconfig::{self, Context, Credential};
use crate::pki::Pki;
use crate::process::{self, Process, Spec};
use crate::{addresses, audit};

const READY_DEADLINE: Duration = Duration::from_secs(90);
/// How long a part may take to end on its own before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// The node lifecycle controller is left out: Nodes need no leases then.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,endpointslice-controller,\
serviceaccount-controller,root-ca-certificate-publisher-controller,namespace-controller,\
garbage-collector-controller,horizontal-pod-autoscaler-controller,disruption-controller,\
pod-garbage-collector-controller,job-controller,resourcequota-controller,\
clusterrole-aggregation-controller";

/// A running cluster.
pub struct Cluster {
    name: String,
    index: u8,
    dir: PathBuf,
    hk: PathBuf,
    pki: Pki,
    client: kube::Client,
    etcd: Process,
    apiserver: Process,
    controllers: Process,
    scheduler: Process,
}

impl Cluster {
    /// Starts cluster `index` with its state in `dir`, and returns when it is ready.
    pub async fn start(name: &str, index: u8, dir: &Path, hk: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let pki = Pki::generate(&dir.join("pki"), index)?;
        let admin = admin_context(name, index, &pki);
        kubeconfig::write(&dir.join("kubeconfig"), std::slice::from_ref(&admin))?;
        std::fs::write(dir.join("audit-policy.json"), audit::policy().to_string())?;

        let part = |part: &str, args: Vec<String>| -> anyhow::Result<Process> {
            Ok(Process::new(Spec {
                name: format!("{part} of {name}"),
                program: hk.to_owned(),
                args: [part.to_owned()].into_iter().chain(args).collect(),
                env: Vec::new(),
                log: process::create_log(dir.join(format!("{part}.log")))?,
            }))
        };
        let cluster = Self {
            client: kubeconfig::client(&admin).await?,
            etcd: part("etcd", etcd_args(name, index, dir))?,
            apiserver: part("kube-apiserver", apiserver_args(index, dir, &pki))?,
            controllers: part("kube-controller-manager", controllers_args(index, dir, &pki))?,
            scheduler: part("kube-scheduler", scheduler_args(index, dir))?,
            name: name.to_owned(),
            index,
            dir: dir.to_owned(),
            hk: hk.to_owned(),
            pki,
        };
        cluster.etcd.start()?;
        cluster.start_apiserver().await?;
        cluster.controllers.start()?;
        cluster.scheduler.start()?;
        Ok(cluster)
    }

    /// `hub`, `m1`, `m2`, …
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// 0 for the hub.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.index
    }

    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The administrator's kubeconfig file, for use inside the namespace.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The administrator's way in, as seen from `server` (for example a forwarder outside).
    #[must_use]
    pub fn admin_context(&self, server: String) -> Context {
        Context { server, ..admin_context(&self.name, self.index, &self.pki) }
    }

    /// The authority's certificate, as PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.pki.ca
    }

    /// Folder with the logs of all parts.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The API server's audit log so far.
    pub fn audit(&self) -> anyhow::Result<audit::Log> {
        audit::Log::read(&audit_log(&self.dir))
    }

    /// Runs kubectl as administrator and returns what it prints.
    pub async fn kubectl(&self, args: &[&str]) -> anyhow::Result<String> {
        let kubeconfig = self.kubeconfig();
        let kubeconfig = kubeconfig.to_str().context("a folder that is not UTF-8")?;
        let all: Vec<_> =
            ["kubectl", "--kubeconfig", kubeconfig].iter().chain(args).copied().collect();
        process::output(&self.hk, &all).await
    }

    /// Ends the API server; everything else goes on without it.
    pub async fn stop_apiserver(&self) -> anyhow::Result<()> {
        self.apiserver.stop(GRACE).await
    }

    /// Starts the API server and waits until it is ready.
    pub async fn start_apiserver(&self) -> anyhow::Result<()> {
        self.apiserver.start()?;
        self.apiserver
            .wait_ready(READY_DEADLINE, async || {
                let request = http_request("/readyz")?;
                self.client.request_text(request).await?;
                Ok(())
            })
            .await
    }

    /// Ends all parts at once; the cluster's state is lost with its folder.
    pub async fn kill(&self) -> anyhow::Result<()> {
        let parts = [&self.scheduler, &self.controllers, &self.apiserver, &self.etcd];
        try_join_all(parts.map(Process::kill9)).await?;
        Ok(())
    }
}

fn http_request(path: &str) -> anyhow::Result<hyper::Request<Vec<u8>>> {
    Ok(hyper::Request::get(path).body(Vec::new())?)
}

fn admin_context(name: &str, index: u8, pki: &Pki) -> Context {
    Context {
        name: name.to_owned(),
        server: format!(
            "https://{}:{}",
            addresses::control_plane(index),
            addresses::APISERVER_PORT
        ),
        ca: pki.ca.clone(),
        credential: Credential::Certificate(pki.admin.clone()),
    }
}

fn audit_log(dir: &Path) -> PathBuf {
    dir.join("audit.log")
}

fn etcd_url(index: u8) -> String {
    format!("http://{}:2379", addresses::control_plane(index))
}

fn etcd_args(name: &str, index: u8, dir: &Path) -> Vec<String> {
    let (client, peer) =
        (etcd_url(index), format!("http://{}:2380", addresses::control_plane(index)));
    vec![
        format!("--name={name}"),
        format!("--data-dir={}", dir.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={name}={peer}"),
        "--log-level=error".to_owned(),
        // The state lives for one run only: nothing is gained by waiting for the disk.
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn apiserver_args(index: u8, dir: &Path, pki: &Pki) -> Vec<String> {
    let address = addresses::control_plane(index);
    vec![
        format!("--etcd-servers={}", etcd_url(index)),
        format!("--bind-address={address}"),
        format!("--advertise-address={address}"),
        format!("--secure-port={}", addresses::APISERVER_PORT),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--tls-cert-file={}", pki.server_certificate_file().display()),
        format!("--tls-private-key-file={}", pki.server_key_file().display()),
        format!("--client-ca-file={}", pki.ca_file().display()),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", pki.account_public_key_file().display()),
        format!("--service-account-signing-key-file={}", pki.account_key_file().display()),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        format!("--audit-policy-file={}", dir.join("audit-policy.json").display()),
        format!("--audit-log-path={}", audit_log(dir).display()),
    ]
}

fn controllers_args(index: u8, dir: &Path, pki: &Pki) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", dir.join("kubeconfig").display()),
        "--leader-elect=false".to_owned(),
        format!("--bind-address={}", addresses::control_plane(index)),
        format!("--service-account-private-key-file={}", pki.account_key_file().display()),
        format!("--root-ca-file={}", pki.ca_file().display()),
        format!("--controllers={CONTROLLERS}"),
        "--use-service-account-credentials=false".to_owned(),
    ]
}

fn scheduler_args(index: u8, dir: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", dir.join("kubeconfig").display()),
        "--leader-elect=false".to_owned(),
        format!("--bind-address={}", addresses::control_plane(index)),
    ]
}
