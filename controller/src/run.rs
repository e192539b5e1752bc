//! Wiring: a closed list of tasks. When any of them ends, so does the process.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use prometheus_client::registry::Registry as MetricRegistry;
use tokio::task::JoinSet;

use crate::{
    dashboard::{self, DashboardArguments, EvidenceFeed},
    events::Events,
    fleet::{Registry, client},
    hub::{self, Hub},
    metrics::{Desks, Egress, Secrets, Surroundings},
    reconcile::Context,
    recording::Recorder,
    serve,
    supervise::supervise,
    telemetry::{self, FleetMetrics, Metrics},
    wakes::Wakes,
};

/// How the hub is run.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// Kubeconfig of the hub's API server; in a pod its ServiceAccount is used.
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Namespace of the hub itself, where the members' credentials are.
    #[arg(long, env = "LOCKFLIGHT_NAMESPACE", default_value = "lockflight-system")]
    namespace: String,
    /// Address for /metrics, /healthz and /readyz.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Directory for recordings of what the judge is shown, for `kubectl lockflight replay`.
    /// Without it nothing is recorded.
    #[arg(long, env = "LOCKFLIGHT_RECORD", value_name = "DIRECTORY")]
    record: Option<PathBuf>,
    /// Size of all recordings together; the oldest are deleted beyond it.
    #[arg(
        long,
        env = "LOCKFLIGHT_RECORD_MEBIBYTES",
        value_name = "NUMBER",
        default_value_t = 256,
        value_parser = clap::value_parser!(u32).range(32..=1_048_576)
    )]
    record_mebibytes: u32,
    /// The dashboard.
    #[command(flatten)]
    dashboard: DashboardArguments,
}

/// Runs until a signal asks it to end, or a task ends that should not.
pub async fn run(arguments: RunArguments) -> anyhow::Result<()> {
    telemetry::log();
    let recorder = recorder(&arguments)?;
    let client = hub_client(arguments.kubeconfig).await?;
    let hub = Arc::new(Hub::default());
    let wakes = Arc::new(Wakes::default());
    let metrics = Arc::new(Metrics::default());
    let mut metric_registry = MetricRegistry::default();
    metrics.register(&mut metric_registry);
    metric_registry.register_collector(Box::new(FleetMetrics::of(Arc::clone(&hub))));
    if let Some(recorder) = &recorder {
        recorder.register(&mut metric_registry);
    }
    let registry = Arc::new(Registry::new(
        client.clone(),
        &arguments.namespace,
        Arc::clone(&hub),
        Arc::clone(&wakes),
    ));
    // Gates feed it; the dashboard shows it.
    let evidence = Arc::new(EvidenceFeed::default());
    let (events, publish) = Events::new(client.clone());
    let context = Arc::new(Context {
        client: client.clone(),
        hub: Arc::clone(&hub),
        registry: Arc::clone(&registry),
        wakes: Arc::clone(&wakes),
        metrics,
        events,
        desks: Desks::default(),
        surroundings: Surroundings {
            secrets: Secrets::new(Arc::clone(&hub.secrets), &arguments.namespace),
            egress: Egress::refusing(own_api_server()),
            member: None,
        },
        recorder,
        feed: arguments.dashboard.dashboard_listen.map(|_| Arc::clone(&evidence)),
    });

    let mut tasks: JoinSet<&'static str> = JoinSet::new();
    hub::watch(&hub, &client, &arguments.namespace, &wakes, &mut tasks);
    tasks.spawn(registry.run());
    tasks.spawn(publish);
    tasks.spawn(supervise(context));
    dashboard::start(arguments.dashboard, &client, &hub, evidence, &mut tasks).await?;
    let (address, served) = (arguments.listen, Arc::clone(&hub));
    tasks.spawn(async move {
        match serve::serve(address, metric_registry, served).await {
            Ok(name) => name,
            Err(error) => {
                tracing::error!(%error, %address, "cannot serve; choose another --listen");
                "HTTP server"
            }
        }
    });
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = arguments.namespace,
        "hub started"
    );

    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminate.recv() => Ok(()),
        ended = tasks.join_next() => match ended {
            Some(Ok(name)) => anyhow::bail!("{name} ended"),
            Some(Err(error)) => Err(error).context("a task of the hub ended"),
            None => anyhow::bail!("there is nothing to do"),
        },
    }
}

/// Where attempts are recorded, if the arguments say so.
fn recorder(arguments: &RunArguments) -> anyhow::Result<Option<Recorder>> {
    let bytes_max = u64::from(arguments.record_mebibytes) << 20;
    let open = |directory: &PathBuf| {
        Recorder::open(directory, bytes_max).with_context(|| {
            format!("--record {}: must be a directory that can be written", directory.display())
        })
    };
    arguments.record.as_ref().map(open).transpose()
}

/// The address of the hub's own API server, as every pod is told.
fn own_api_server() -> Vec<std::net::IpAddr> {
    let host = std::env::var("KUBERNETES_SERVICE_HOST").unwrap_or_default();
    host.parse().into_iter().collect()
}

async fn hub_client(kubeconfig: Option<PathBuf>) -> anyhow::Result<Client> {
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(&path)
                .with_context(|| format!("--kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
        }
        None => Config::incluster().context("not in a pod: give --kubeconfig")?,
    };
    config.default_retry = false;
    Ok(client::limited(config)?)
}
