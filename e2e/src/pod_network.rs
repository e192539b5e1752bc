//! A network of its own for the hub controller, as its pod would have, in which a `NetworkPolicy`
//! really holds: the fleet has no CNI that would enforce one.
//!
//! It is a network namespace at the end of a veth pair, made inside the fleet's own. In it the
//! kernel's routing rules, which know protocols and ports, let pass what the policy lets pass;
//! everything else has no route. They keep no state, so a packet from a port that may be
//! connected to counts as an answer: what they let in is a little more than a CNI would.

pub mod names;
pub mod policy;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::addresses::HUB_CONTROLLER;
use crate::process;
use policy::{Direction, Passage};

/// The fleet's end of the pair, and its address there.
const OUTSIDE: &str = "pod";
const OUTSIDE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 204, 0, 1);
/// The pod's end.
const INSIDE: &str = "eth0";
/// Fixed, as the rules let nobody ask for them.
const OUTSIDE_MAC: &str = "02:00:00:00:cc:01";
const INSIDE_MAC: &str = "02:00:00:00:cc:02";
/// Rules of a policy come before the one that refuses everything else.
const FIRST_RULE: u32 = 100;
const REFUSE: u32 = 30_000;
/// State of a socket that listens, in /proc/net/tcp.
const LISTENS: &str = "0A";

/// The network. Dropping it removes it; what runs in it has to end before.
pub struct PodNetwork {
    namespace: PathBuf,
    resolver: PathBuf,
}

impl PodNetwork {
    /// Makes it, with the address of [`HUB_CONTROLLER`] in it and nothing limited yet. Names are
    /// looked up at `nameserver`.
    pub async fn create(dir: &Path, nameserver: Ipv4Addr) -> anyhow::Result<Self> {
        let network = Self { namespace: dir.join("pod.net"), resolver: dir.join("pod.resolv") };
        std::fs::write(&network.namespace, "")?;
        let settings = format!("nameserver {nameserver}\noptions timeout:2 attempts:3\n");
        std::fs::write(&network.resolver, settings)?;
        let file = network.file();
        process::output("unshare", &[&format!("--net={file}"), "true"]).await?;
        let pair = [
            &["link", "add", OUTSIDE, "address", OUTSIDE_MAC, "type", "veth", "peer", "name"][..],
            &[INSIDE, "address", INSIDE_MAC, "netns", &file],
        ];
        process::output("ip", &pair.concat()).await?;
        let (pod, us) = (HUB_CONTROLLER.ip(), OUTSIDE_ADDRESS);
        network.inside(&format!(
            "ip link set lo up && ip addr add {pod}/32 dev {INSIDE} && ip link set {INSIDE} up && \
             ip route add default dev {INSIDE} src {pod} && \
             echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter && \
             echo 0 >/proc/sys/net/ipv4/conf/{INSIDE}/rp_filter && \
             echo 1 >/proc/sys/net/ipv4/conf/{INSIDE}/accept_local"
        ))
        .await?;
        // The longest prefix wins, also in the table of what is the fleet's own.
        let outside = format!(
            "ip addr add {us}/32 dev {OUTSIDE} && ip link set {OUTSIDE} up && \
             ip neigh replace {pod} lladdr {INSIDE_MAC} dev {OUTSIDE} nud permanent && \
             ip route add {pod}/32 dev {OUTSIDE} src {us} table local"
        );
        process::output("sh", &["-c", &outside]).await?;
        Ok(network)
    }

    /// Lets these pass from now on, also in connections that are open, and nothing else.
    pub async fn let_pass(&self, passages: &[Passage]) -> anyhow::Result<()> {
        let mut rules = String::new();
        for own in ["127.0.0.0/8".to_owned(), format!("{}/32", HUB_CONTROLLER.ip())] {
            let _ = writeln!(rules, "rule add pref 10 iif lo to {own} lookup local");
        }
        for (position, Passage { direction, protocol, port }) in (FIRST_RULE..).zip(passages) {
            let (request, answer) = match direction {
                Direction::Egress => (("lo", "main"), (INSIDE, "local")),
                Direction::Ingress => ((INSIDE, "local"), ("lo", "main")),
            };
            for ((from, table), end) in [(request, "dport"), (answer, "sport")] {
                let _ = writeln!(
                    rules,
                    "rule add pref {position} iif {from} ipproto {protocol} {end} {port} \
                     lookup {table}"
                );
            }
        }
        let _ = writeln!(rules, "rule add pref {REFUSE} unreachable");
        // While they are exchanged everything passes. The rules that were there go one by one: a
        // flush leaves the one of the local table, by which everything would come in.
        self.inside(&format!(
            "ip rule add pref 1 lookup local && ip rule add pref 2 lookup main && \
             ip rule show | sed -n 's/^\\([0-9]*\\):.*/\\1/p' | while read -r pref; do \
             [ \"$pref\" = 1 ] || [ \"$pref\" = 2 ] || ip rule del pref \"$pref\" || exit 1; done && \
             printf '%s' '{rules}' | ip -batch - && ip rule del pref 1 && ip rule del pref 2"
        ))
        .await
    }

    /// The command line that runs another one in the network, in the same process.
    pub(crate) fn around(&self) -> Vec<String> {
        let resolver = self.resolver.display();
        let script = format!("mount --bind {resolver} /etc/resolv.conf && exec \"$@\"");
        let line = ["nsenter", &format!("--net={}", self.file()), "unshare", "--mount"];
        let line = line.into_iter().chain(["sh", "-c", &script, "sh"]);
        line.map(str::to_owned).collect()
    }

    fn file(&self) -> String {
        self.namespace.display().to_string()
    }

    async fn inside(&self, script: &str) -> anyhow::Result<()> {
        let net = format!("--net={}", self.file());
        process::output("nsenter", &[&net, "sh", "-c", script]).await.map(drop)
    }
}

impl Drop for PodNetwork {
    fn drop(&mut self) {
        // The pair goes with one of its ends, and the routes with the pair.
        Command::new("ip").args(["link", "del", OUTSIDE]).status().ok();
        Command::new("umount").arg(&self.namespace).status().ok();
    }
}

/// Connections and packets for which the network of a process had no way out: what a policy
/// refused to the pod.
pub fn refused(process: u32) -> anyhow::Result<u64> {
    refused_of(&std::fs::read_to_string(format!("/proc/{process}/net/snmp"))?)
}

fn refused_of(counters: &str) -> anyhow::Result<u64> {
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (names, values) = (lines.next(), lines.next());
    let (names, values) = names.zip(values).context("no counters of IP")?;
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, value) = pairs.find(|(name, _)| *name == "OutNoRoutes").context("none")?;
    Ok(value.trim().parse()?)
}

/// Ports to which a process's network has TCP connections open, other than to its own `listening`.
pub fn connected_ports(process: u32, listening: &[u16]) -> anyhow::Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{process}/net/{table}"))?;
        ports.extend(connected_in(&text, listening)?);
    }
    Ok(ports)
}

fn connected_in(table: &str, listening: &[u16]) -> anyhow::Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for line in table.lines().skip(1) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, near, far, state, ..] = fields[..] else { continue };
        let port = |end: &str| {
            let digits = end.rsplit(':').next().context("an address without a port")?;
            anyhow::Ok(u16::from_str_radix(digits, 16)?)
        };
        if state != LISTENS && !listening.contains(&port(near)?) {
            ports.insert(port(far)?);
        }
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::{connected_in, refused_of};

    #[test]
    fn refusals_are_counted() {
        let counters = "Ip: Forwarding OutNoRoutes InHdrErrors\nIp: 1 4 2\nTcp: X\nTcp: 9\n";
        assert_eq!(refused_of(counters).unwrap(), 4);
        assert!(refused_of("Tcp: X\nTcp: 9\n").is_err());
    }

    #[test]
    fn ports_of_the_far_end() {
        let table = "  sl  local_address rem_address   st tx_queue\n   \
            0: 0500C90A:1F90 00000000:0000 0A 0\n   \
            1: 0500C90A:1F90 0100CC0A:A001 01 0\n   \
            2: 0500C90A:C001 0100C90A:192B 01 0\n";
        assert_eq!(connected_in(table, &[8080]).unwrap(), [6443].into());
    }
}
