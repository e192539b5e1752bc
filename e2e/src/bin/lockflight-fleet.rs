//! Brings a real fleet up on this machine, for demonstrations and by-hand trials.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use lockflight_e2e::{addresses, bench, components, demo::Demo, fleet::Fleet, namespace};

/// A hub and member clusters as plain processes: no root, no containers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build or fetch what a fleet is made of, and do no more.
    Build,
    /// Start a fleet and keep it running until Ctrl-C.
    Up(Up),
    /// Show a good release and a bad one, with every request counted.
    Demo(DemoArguments),
    /// Measure the hub and print its figures beside those of the incumbents.
    Bench(bench::Bench),
}

#[derive(clap::Args)]
struct DemoArguments {
    /// The hub controller; that beside this program unless told.
    #[arg(long, value_name = "PROGRAM")]
    hub: Option<PathBuf>,
    /// Keep the fleet running afterwards, until Ctrl-C.
    #[arg(long)]
    hold: bool,
}

#[derive(clap::Args)]
struct Up {
    /// How many member clusters.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    members: u8,
    /// The hub controller to run in it.
    #[arg(long, value_name = "PROGRAM")]
    hub: Option<PathBuf>,
    /// Port on 127.0.0.1 for the hub controller's dashboard (0: any).
    #[arg(long, default_value_t = 0)]
    dashboard_port: u16,
    /// Namespaces that opt in to Lockflight.
    #[arg(long = "namespace", value_name = "NAME")]
    namespaces: Vec<String>,
    /// Seconds between two scrapes.
    #[arg(long, default_value_t = 1.0)]
    scrape_interval: f64,
    /// Keep the folder with logs and state.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match begin() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lockflight-fleet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn begin() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    components::ensure_all()?;
    match arguments.command {
        Command::Build => {}
        Command::Up(up) => begin_up(up)?,
        Command::Demo(demo) => return begin_demo(demo),
        Command::Bench(bench) => begin_bench(&bench)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn begin_demo(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    let demo = Demo::new(arguments.hub, arguments.hold)?;
    let listeners = namespace::enter(&Demo::ports())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(demo.run(listeners))
}

fn begin_up(up: Up) -> anyhow::Result<()> {
    // One for each API server and each gateway.
    let mut ports = vec![0; 1 + 2 * usize::from(up.members)];
    ports.push(up.dashboard_port);
    let listeners = namespace::enter(&ports)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(up, listeners))
}

fn begin_bench(bench: &bench::Bench) -> anyhow::Result<()> {
    namespace::enter(&[])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench::run(bench))
}

async fn run(up: Up, listeners: Vec<TcpListener>) -> anyhow::Result<()> {
    let ended_by_user = namespace::ended_by_user();
    tokio::pin!(ended_by_user);
    let fleet = tokio::select! {
        fleet = start(&up, listeners) => fleet?,
        end = &mut ended_by_user => return end,
    };
    let (fleet, hub) = fleet;
    ended_by_user.await?;
    eprintln!("ending the fleet …");
    if let Some(hub) = hub {
        hub.stop().await?;
    }
    fleet.stop().await
}

async fn start(
    up: &Up,
    mut listeners: Vec<TcpListener>,
) -> anyhow::Result<(Fleet, Option<lockflight_e2e::hub_process::HubProcess>)> {
    let begin = Instant::now();
    let fleet = Fleet::builder()
        .members(up.members)
        .scrape_interval(Duration::try_from_secs_f64(up.scrape_interval)?)
        .keep(up.keep)
        .start()
        .await?;
    for (phase, time) in fleet.phases() {
        println!("{:>7.2} s  {phase}", time.as_secs_f64());
    }
    println!("{:>7.2} s  in all", begin.elapsed().as_secs_f64());
    for namespace in &up.namespaces {
        fleet.opt_in(namespace).await?;
    }
    fleet.register_members().await?;

    let dashboard = listeners.pop();
    let gateways = listeners.split_off(1 + fleet.members.len());
    let kubeconfig = fleet.expose(listeners)?;
    let hk = components::locate()?.hk;
    println!("\nlogs and state: {}", fleet.dir().display());
    println!("in another shell:");
    println!("  export KUBECONFIG={}", kubeconfig.display());
    println!("  alias kubectl='{} kubectl'", hk.display());
    println!("  kubectl get namespaces                # the hub");
    println!("  kubectl --context m1 get gateways -A  # a member");
    println!("gateways (send the Host header of your route):");
    for (member, gateway) in fleet.members.iter().zip(&gateways) {
        println!("  {}: http://{}", member.cluster.name(), gateway.local_addr()?);
    }
    fleet.expose_gateways(gateways)?;

    let hub = match &up.hub {
        None => None,
        Some(program) => {
            let hub = fleet.hub_process(program, Vec::new()).await?.with_open_dashboard();
            hub.start().await?;
            println!("hub controller: log in {}", hub.log().display());
            if let Some(listener) = dashboard {
                println!("dashboard, to look at: http://{}", listener.local_addr()?);
                namespace::forward(listener, addresses::HUB_DASHBOARD_OPEN.into())?;
            }
            Some(hub)
        }
    };
    println!("\nCtrl-C ends it all.");
    Ok((fleet, hub))
}
