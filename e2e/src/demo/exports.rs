//! What `--hold` leaves open: the fleet, reachable from the user's own shell.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context as _;

use super::story::{NAMESPACE, SERVICE};
use crate::addresses::HUB_DASHBOARD_OPEN;
use crate::fleet::Fleet;
use crate::namespace;
use crate::service::{DemoService, Release};
use crate::shell::Shell;

/// Ways into a running fleet.
pub(super) struct Exports {
    shell: Shell,
    dashboard: SocketAddr,
    gateways: Vec<(String, String)>,
    manifest: PathBuf,
    host: String,
}

impl Exports {
    /// Opens them, and writes a file that releases one more version of `service`.
    pub(super) fn open(
        fleet: &Fleet,
        mut listeners: Vec<TcpListener>,
        service: &DemoService,
    ) -> anyhow::Result<Self> {
        let dashboard = listeners.pop().context("no listener for the dashboard")?;
        let address = dashboard.local_addr()?;
        namespace::forward(dashboard, HUB_DASHBOARD_OPEN.into())?;
        let outside = listeners.split_off(1 + fleet.members.len());
        let shell = Shell::open(fleet, listeners)?;
        let mut gateways = Vec::new();
        for (member, listener) in fleet.members.iter().zip(&outside) {
            gateways.push((member.cluster.name().to_owned(), listener.local_addr()?.to_string()));
        }
        fleet.expose_gateways(outside)?;
        let manifest = fleet.dir().join("v4.json");
        let v4 = serde_json::to_string_pretty(&service.manifest(&Release::new("v4")))?;
        std::fs::write(&manifest, v4)?;
        Ok(Self { shell, dashboard: address, gateways, manifest, host: service.host() })
    }

    /// How to use them, as text that ends with a line break.
    pub(super) fn describe(&self) -> String {
        let mut text = String::from("\nThe fleet stays, and the load goes on. In another shell:\n");
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "  . {}", self.shell.environment().display())?;
        let commands = [
            (format!("kubectl lockflight get {SERVICE} -n {NAMESPACE} -w"), "the live tree"),
            (
                format!("kubectl apply --server-side -f {}", self.manifest.display()),
                "release v4, healthy",
            ),
            (
                format!("kubectl lockflight abort {SERVICE} -n {NAMESPACE} --reason test"),
                "take it back",
            ),
            (
                format!("kubectl --context m1 get httproutes,deployments,pods -n {NAMESPACE}"),
                "a member cluster",
            ),
        ];
        writeln!(text, "then docs/tutorial.md, or for example:")?;
        for (command, what) in commands {
            writeln!(text, "  {command}   # {what}")?;
        }
        writeln!(text, "the hub's dashboard, to look at: http://{}", self.dashboard)?;
        writeln!(text, "gateways:")?;
        for (member, address) in &self.gateways {
            writeln!(text, "  {member}: curl -si -H 'Host: {}' http://{address}/", self.host)?;
        }
        writeln!(text, "\nCtrl-C ends it all.")
    }
}
