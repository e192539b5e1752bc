//! How the hub reaches a member: hub-only addresses, which can be slowed down and cut off while
//! the member's own parts notice nothing.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::namespace::BLACK_HOLE;
use crate::{addresses, process};

/// Nobody has it: frames to it vanish.
const NOBODY: &str = "02:00:00:00:00:09";
const BLOCK: usize = 16 * 1024;
/// Blocks under way in one direction. When a slow or cut line is full, the sender has to wait, as
/// with a full TCP window.
const UNDER_WAY: usize = 64;

#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    cut: bool,
    latency: Duration,
    /// Goes up when a partition heals; connections of an earlier one end then.
    healed: u64,
}

/// The hub's lines to one member: to its API server and its Prometheus.
pub struct Reach {
    member: u8,
    condition: watch::Sender<Condition>,
    // Dropping it ends the forwarding.
    _forwarders: JoinSet<()>,
}

impl Reach {
    /// Opens the lines to `member`.
    pub async fn open(member: u8) -> anyhow::Result<Self> {
        let (condition, _) = watch::channel(Condition::default());
        let mut forwarders = JoinSet::new();
        for (from, to) in lines(member) {
            ip(&["route", "replace", "local", &host(*from.ip()), "dev", "lo"]).await?;
            let listener =
                TcpListener::bind(from).await.with_context(|| format!("listening on {from}"))?;
            forwarders.spawn(forward(listener, to, condition.subscribe()));
        }
        Ok(Self { member, condition, _forwarders: forwarders })
    }

    /// Cuts the hub off, silently: what is under way stalls, connections stay open, and new ones
    /// are never answered.
    pub async fn partition(&self) -> anyhow::Result<()> {
        self.condition.send_modify(|c| c.cut = true);
        for (from, _) in lines(self.member) {
            let (address, host) = (from.ip().to_string(), host(*from.ip()));
            ip(&["neigh", "replace", &address, "lladdr", NOBODY, "dev", BLACK_HOLE]).await?;
            ip(&["route", "replace", &host, "dev", BLACK_HOLE]).await?;
            // The local route wins over the one into the black hole as long as it is there.
            if !self.is_removed(&host).await? {
                ip(&["route", "del", "local", &host, "dev", "lo"]).await?;
            }
        }
        Ok(())
    }

    /// Ends a partition. Connections that it stalled are closed.
    pub async fn heal(&self) -> anyhow::Result<()> {
        for (from, _) in lines(self.member) {
            let host = host(*from.ip());
            ip(&["route", "replace", "local", &host, "dev", "lo"]).await?;
            ip(&["route", "flush", "exact", &host, "dev", BLACK_HOLE]).await?;
        }
        self.condition.send_modify(|c| {
            if c.cut {
                c.cut = false;
                c.healed += 1;
            }
        });
        Ok(())
    }

    /// Delays everything that passes from now on by `latency`, in each direction.
    pub fn set_latency(&self, latency: Duration) {
        self.condition.send_modify(|c| c.latency = latency);
    }

    async fn is_removed(&self, host: &str) -> anyhow::Result<bool> {
        let found = ip(&["route", "show", "table", "local", "exact", host]).await?;
        Ok(found.trim().is_empty())
    }
}

/// From which address to which.
fn lines(member: u8) -> [(SocketAddrV4, SocketAddrV4); 2] {
    let pair = |from, to, port| (SocketAddrV4::new(from, port), SocketAddrV4::new(to, port));
    [
        pair(
            addresses::hub_only_apiserver(member),
            addresses::control_plane(member),
            addresses::APISERVER_PORT,
        ),
        pair(
            addresses::hub_only_prometheus(member),
            addresses::prometheus(member),
            addresses::PROMETHEUS_PORT,
        ),
    ]
}

fn host(address: Ipv4Addr) -> String {
    format!("{address}/32")
}

async fn ip(args: &[&str]) -> anyhow::Result<String> {
    process::output("ip", args).await
}

async fn forward(listener: TcpListener, to: SocketAddrV4, line: watch::Receiver<Condition>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((near, _)) = accepted {
                    connections.spawn(carry(near, to, line.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until both sides are done, or until a partition that it lived through
/// has healed.
async fn carry(near: TcpStream, to: SocketAddrV4, mut line: watch::Receiver<Condition>) {
    let opened = line.borrow().healed;
    let (there, back) = (line.clone(), line.clone());
    let exchange = async {
        let Ok(far) = TcpStream::connect(to).await else {
            return;
        };
        near.set_nodelay(true).ok();
        far.set_nodelay(true).ok();
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(pump(near_in, far_out, there), pump(far_in, near_out, back));
    };
    tokio::select! {
        () = exchange => {}
        _ = line.wait_for(|c| c.healed != opened) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: watch::Receiver<Condition>) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let mut gate = line.clone();
    let read = async move {
        let mut block = vec![0; BLOCK];
        // An error is passed on as an end: the other side sees the connection close either way.
        while let Ok(length @ 1..) = from.read(&mut block).await {
            let due = Instant::now() + line.borrow().latency;
            if sender.send((due, block[..length].to_vec())).await.is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = under_way.recv().await {
            sleep_until(due).await;
            if gate.wait_for(|c| !c.cut).await.is_err() || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        if gate.wait_for(|c| !c.cut).await.is_ok() {
            to.shutdown().await.ok();
        }
    };
    tokio::join!(read, write);
}
