//! A fleet of any size that exists in memory only, behind the real dashboard: for its browser
//! tests, for measurements, and to work on the page without a cluster.
//!
//! `cargo run -p lockflight --example dashboard-fleet -- --rollouts 1000 --clusters 50`

mod api;
mod evidence;
mod move_on;
mod scenes;
mod world;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::{Parser, ValueEnum};
use k8s_openapi::api::core::v1::Event;
use lockflight::{
    dashboard::{Access, Dashboard, EvidenceFeed, Source, code},
    shelf::Shelf,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{net::TcpListener, time::MissedTickBehavior};
use world::World;

/// A fleet in memory behind the real dashboard.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen at; port 0 takes a free one and prints it.
    #[arg(long, default_value = "127.0.0.1:9099")]
    listen: SocketAddr,
    /// Rollouts beside those of the hand-made scenes.
    #[arg(long, default_value_t = 60)]
    rollouts: usize,
    /// Clusters in all.
    #[arg(long, default_value_t = 12)]
    clusters: usize,
    /// Rollouts that change in a second.
    #[arg(long, default_value_t = 5)]
    changes_per_second: u32,
    /// How to sign in.
    #[arg(long, value_enum, default_value_t = Way::Token)]
    sign_in: Way,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    Nobody,
    /// The tokens `operator` and `viewer` are accepted.
    Token,
    /// By a code that is printed.
    Code,
}

/// How often the world moves.
const TICK: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider was installed first"))?;
    let arguments = Arguments::parse();
    let events: Arc<Shelf<Event>> = Arc::default();
    let feed = Arc::new(EvidenceFeed::default());
    let world = Arc::new(World::new(arguments.rollouts, arguments.clusters, Arc::clone(&events))?);
    evidence::backfill(&world, &feed);
    let alive = Arc::clone(&world);
    let source = Source {
        rollouts: Arc::clone(&world.rollouts),
        clusters: Arc::clone(&world.clusters),
        templates: Arc::clone(&world.templates),
        providers: Arc::clone(&world.providers),
        events,
        evidence: Arc::clone(&feed),
        live: Arc::new(move || alive.answers()),
        hub: "fleet in memory".to_owned(),
    };
    let client = api::client(Arc::clone(&world));
    let access = match arguments.sign_in {
        Way::Nobody => Access::nobody(client),
        Way::Token => Access::token(client),
        Way::Code => {
            let code: SecretString = code().map_err(|_| anyhow::anyhow!("no random numbers"))?;
            println!("code {}", code.expose_secret());
            Access::code(client, code)
        }
    };
    let listener = TcpListener::bind(arguments.listen).await?;
    let address = listener.local_addr()?;
    println!("listening http://{address}");
    let dashboard = Dashboard::new(source, access);
    tokio::select! {
        ended = dashboard.serve(listener) => println!("{} ended", ended?),
        () = run(&world, &feed, arguments.changes_per_second) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

async fn run(world: &World, feed: &EvidenceFeed, changes_per_second: u32) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut owed = 0;
    for tick in 0_u64.. {
        ticks.tick().await;
        owed += changes_per_second;
        move_on::commands(world);
        // Ten ticks are a second.
        move_on::some(world, owed / 10);
        owed %= 10;
        if tick % 10 == 0 {
            evidence::grow(world, feed, tick / 10);
        }
    }
}
