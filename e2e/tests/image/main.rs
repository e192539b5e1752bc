//! The hub's image tested: what `image/build.sh` has put into a folder runs where there is nothing
//! else, as user 65532 and with a root that cannot be written to.
//!
//! `image/prove.sh FOLDER` runs it. It starts one control plane, no members.

mod dns;
mod empty_root;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockflight_e2e::addresses::{self, APISERVER_PORT, HUB_CONTROLLER, HUB_DASHBOARD};
use lockflight_e2e::fleet::Fleet;
use lockflight_e2e::kubeconfig::{self, Context, Credential};
use lockflight_e2e::{access, components, http, namespace, process, wait};

use dns::Dns;
use empty_root::EmptyRoot;

/// Names the folder; absolute, for tests run in the folder of their package.
const FOLDER: &str = "LOCKFLIGHT_IMAGE";
/// The name by which the API server is found, and which its certificate bears.
const API_SERVER: &str = "kubernetes.default.svc";
/// More than ten times what a start takes.
const SOON: Duration = Duration::from_secs(30);
/// Where a pod finds what Kubernetes gives it.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";
/// As in a pod: short names are tried with each suffix before they are tried as they are.
const RESOLVER: &str = "nameserver 127.0.0.1\nsearch lockflight-system.svc.cluster.local \
                        svc.cluster.local cluster.local\noptions ndots:5\n";
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

fn main() -> anyhow::Result<()> {
    components::ensure_all()?;
    namespace::enter(&[])?;
    let folder = std::env::var_os(FOLDER)
        .with_context(|| format!("{FOLDER} names no folder: run image/prove.sh FOLDER"))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let image = Image::open(folder.into()).await?;
        image.holds_nothing_else()?;
        image.says_its_version().await.context("its version")?;
        image.runs_as_in_a_pod().await.context("as in a pod")?;
        image.trusts_public_authorities_only().await.context("public authorities")?;
        image.refuses_another_authority().await.context("another authority")?;
        image.fleet.stop().await
    })
}

/// The image, and a control plane for it.
struct Image {
    folder: PathBuf,
    fleet: Fleet,
    dns: Dns,
    token: String,
}

impl Image {
    async fn open(folder: PathBuf) -> anyhow::Result<Self> {
        let fleet = Fleet::builder().members(0).start().await?;
        let dns = Dns::start(API_SERVER, addresses::control_plane(0)).await?;
        let (system, account) = (access::NAMESPACE, access::ACCOUNT);
        let token = fleet.hub.kubectl(&["create", "token", account, "-n", system]).await?;
        Ok(Self { folder, fleet, dns, token: token.trim().to_owned() })
    }

    /// Three files, and no more.
    fn holds_nothing_else(&self) -> anyhow::Result<()> {
        let files = empty_root::files(&self.folder)?;
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        ensure!(names == ["LICENSE", BUNDLE, "lockflight"], "the image holds {names:?}");
        for (name, bytes) in &files {
            println!("{bytes:>10} bytes  {name}");
        }
        Ok(())
    }

    async fn says_its_version(&self) -> anyhow::Result<()> {
        let root = EmptyRoot::of(&self.folder, &[])?;
        let (program, arguments) = root.run(&[], &["--version"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = process::output(program, &arguments).await?;
        let expected = concat!("lockflight ", env!("CARGO_PKG_VERSION"));
        ensure!(said.trim() == expected, "--version says {said:?}");
        Ok(())
    }

    /// Its own account, its API server by name, its page, its user and its root.
    async fn runs_as_in_a_pod(&self) -> anyhow::Result<()> {
        let more = [
            ("etc/resolv.conf", RESOLVER),
            (&format!("{ACCOUNT}/token"), &self.token),
            (&format!("{ACCOUNT}/ca.crt"), self.fleet.hub.ca()),
            (&format!("{ACCOUNT}/namespace"), access::NAMESPACE),
        ];
        let root = EmptyRoot::of(&self.folder, &more)?;
        let host = format!("KUBERNETES_SERVICE_HOST={API_SERVER}");
        let port = format!("KUBERNETES_SERVICE_PORT={APISERVER_PORT}");
        let hub = root.start("pod", self.fleet.dir(), &[&host, &port], &arguments(&[]))?;
        hub.wait_ready(SOON, async || http::expect_ok(HUB_CONTROLLER, "/readyz").await).await?;

        let asked = self.dns.asked();
        let by_name = |name: &str| asked.iter().filter(|one| one.as_str() == name).count();
        ensure!(by_name(API_SERVER) > 0, "it has asked for {asked:?}");
        let suffixed = format!("{API_SERVER}.cluster.local");
        ensure!(by_name(&suffixed) > 0, "it has tried no suffix: {asked:?}");
        page_is_served().await?;

        let id = hub.id().context("it does not run")?;
        let of = |file: &str| {
            std::fs::read_to_string(format!("/proc/{id}/{file}")).with_context(|| file.to_owned())
        };
        let users = of("uid_map")?;
        ensure!(users.split_whitespace().next() == Some("65532"), "its users are {users}");
        let mounts = of("mountinfo")?;
        let root_is = |option: &str| {
            let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
            mounts.any(|mount| {
                mount.get(4) == Some(&"/")
                    && mount.get(5).is_some_and(|all| all.split(',').any(|one| one == option))
            })
        };
        ensure!(root_is("ro") && !root_is("rw"), "its root can be written to: {mounts}");
        let status = of("status")?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        println!("{:>16}  resident, at rest", memory.context("no VmRSS")?.trim());
        hub.stop(SOON).await
    }

    /// Without an authority of its own, a kubeconfig trusts the bundle, and only what is in it.
    async fn trusts_public_authorities_only(&self) -> anyhow::Result<()> {
        let mut config = serde_json::to_value(self.kubeconfig(self.fleet.hub.ca())?)?;
        let cluster = &mut config["clusters"][0]["cluster"];
        cluster.as_object_mut().context("no cluster")?.remove("certificate-authority-data");
        let config = config.to_string();
        self.is_refused("public", &config).await?;

        let bundle = std::fs::read_to_string(self.folder.join(BUNDLE))?;
        let bundle = format!("{bundle}\n{}", self.fleet.hub.ca());
        let more = [("etc/resolv.conf", RESOLVER), ("kubeconfig", &config), (BUNDLE, &bundle)];
        let root = EmptyRoot::of(&self.folder, &more)?;
        let given = arguments(&["--kubeconfig=/kubeconfig"]);
        let hub = root.start("bundle", self.fleet.dir(), &[], &given)?;
        hub.wait_ready(SOON, async || http::expect_ok(HUB_CONTROLLER, "/readyz").await).await?;
        hub.stop(SOON).await
    }

    async fn refuses_another_authority(&self) -> anyhow::Result<()> {
        let other = lockflight_e2e::pki::Pki::generate(&self.fleet.dir().join("other"), 0)?;
        let config = self.kubeconfig(&other.ca)?.to_string();
        self.is_refused("other", &config).await
    }

    /// With this kubeconfig it says that it does not know who signed the server's certificate.
    async fn is_refused(&self, name: &str, config: &str) -> anyhow::Result<()> {
        let more = [("etc/resolv.conf", RESOLVER), ("kubeconfig", config)];
        let root = EmptyRoot::of(&self.folder, &more)?;
        let given = arguments(&["--kubeconfig=/kubeconfig"]);
        let hub = root.start(name, self.fleet.dir(), &[], &given)?;
        wait::until("a refusal in its log", SOON, async || {
            let log = std::fs::read_to_string(hub.log())?;
            let says_why = log.contains("UnknownIssuer") || log.contains("BadSignature");
            ensure!(says_why, "it says\n{}", process::tail(&log, 5));
            Ok(())
        })
        .await?;
        let ready = http::expect_ok(HUB_CONTROLLER, "/readyz").await;
        ensure!(ready.is_err(), "it is ready before an API server that it does not trust");
        hub.stop(SOON).await
    }

    fn kubeconfig(&self, authority: &str) -> anyhow::Result<serde_json::Value> {
        let file = self.fleet.dir().join("image.kubeconfig");
        let context = Context {
            name: "hub".to_owned(),
            server: format!("https://{API_SERVER}:{APISERVER_PORT}"),
            ca: authority.to_owned(),
            credential: Credential::Token(self.token.clone()),
        };
        kubeconfig::write(&file, &[context])?;
        Ok(serde_json::from_slice(&std::fs::read(file)?)?)
    }
}

/// `lockflight run` with these arguments, beside those of every run.
fn arguments(more: &[&str]) -> Vec<String> {
    let mut all = vec![
        "run".to_owned(),
        format!("--listen={HUB_CONTROLLER}"),
        format!("--dashboard-listen={HUB_DASHBOARD}"),
        "--dashboard-sign-in=token".to_owned(),
    ];
    all.extend(more.iter().map(|&one| one.to_owned()));
    all
}

/// What the page consists of comes out of the program, byte by byte.
async fn page_is_served() -> anyhow::Result<()> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/src/dashboard/dist");
    for file in ["index.html", "assets/app.js", "assets/chart.js", "assets/app.css"] {
        let (status, body) = http::get(HUB_DASHBOARD, &format!("/{file}")).await?;
        ensure!(status == 200, "/{file} is answered with {status}");
        ensure!(
            body == std::fs::read(dist.join(file))?,
            "/{file} is not the file in {}",
            dist.display()
        );
    }
    Ok(())
}
