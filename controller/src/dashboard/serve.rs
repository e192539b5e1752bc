//! How the dashboard is set up and served.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use chrono::Utc;
use clap::ValueEnum;
use kube::Client;
use tokio::net::TcpListener;

use super::{
    access::{Access, AddressRange},
    board::Board,
    guard::Names,
    routes::{self, Shared},
    source::Source,
    view::SignIn,
};

/// How the hub serves the dashboard.
#[derive(Debug, Clone, clap::Args)]
pub struct DashboardArguments {
    /// Address of the dashboard, for example 127.0.0.1:9090; without it there is none.
    #[arg(long, value_name = "ADDRESS")]
    pub dashboard_listen: Option<SocketAddr>,
    /// How people sign in to the dashboard.
    #[arg(long, value_enum, default_value_t = SignInMode::Nobody, value_name = "WAY")]
    pub dashboard_sign_in: SignInMode,
    /// Addresses of the proxy that names the user; only with --dashboard-sign-in=proxy.
    #[arg(long, value_name = "RANGE", value_delimiter = ',')]
    pub dashboard_trusted_proxies: Vec<AddressRange>,
}

/// How people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignInMode {
    /// Not at all: everybody on this machine may look, nobody may press. Loopback only.
    Nobody,
    /// By a bearer token of the hub's API server.
    Token,
    /// A proxy in front signs them in and names them in X-Forwarded-User and
    /// X-Forwarded-Groups.
    Proxy,
}

impl DashboardArguments {
    /// The address and the dashboard, if there is to be one. Refuses what would let strangers in.
    pub fn open(
        self,
        client: Client,
        source: Source,
    ) -> anyhow::Result<Option<(SocketAddr, Dashboard)>> {
        let Some(address) = self.dashboard_listen else {
            return Ok(None);
        };
        let trusted = self.dashboard_trusted_proxies;
        let access = match (self.dashboard_sign_in, trusted.is_empty()) {
            (SignInMode::Nobody, _) if !address.ip().is_loopback() => anyhow::bail!(
                "--dashboard-listen {address}: without sign-in the dashboard answers on loopback \
                 only; use 127.0.0.1 or ::1, or add --dashboard-sign-in=token or proxy"
            ),
            (SignInMode::Proxy, true) => anyhow::bail!(
                "--dashboard-sign-in=proxy needs --dashboard-trusted-proxies, the addresses of \
                 the proxy"
            ),
            (SignInMode::Nobody | SignInMode::Token, false) => {
                anyhow::bail!("--dashboard-trusted-proxies is only for --dashboard-sign-in=proxy")
            }
            (SignInMode::Nobody, true) => Access::nobody(client),
            (SignInMode::Token, true) => Access::token(client),
            (SignInMode::Proxy, false) => Access::proxy(client, trusted),
        };
        Ok(Some((address, Dashboard::new(source, access))))
    }
}

/// The dashboard's server.
pub struct Dashboard {
    shared: Arc<Shared>,
    names: Names,
}

impl Dashboard {
    /// A dashboard. One that is meant for this machine answers to this machine's names only;
    /// behind the others stands RBAC, and perhaps a proxy with a name of its own.
    #[must_use]
    pub fn new(source: Source, access: Access) -> Self {
        let names = match access.sign_in() {
            SignIn::Nobody | SignIn::Code => Names::Loopback,
            SignIn::Token | SignIn::Proxy => Names::Any,
        };
        let board = Board::new(source, Utc::now());
        Self { shared: Arc::new(Shared::new(board, access)), names }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn router(&self) -> Router {
        routes::router(Arc::clone(&self.shared), self.names)
    }

    /// Serves for ever.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<&'static str> {
        let service = self.router().into_make_service_with_connect_info::<SocketAddr>();
        tokio::select! {
            ended = self.shared().board.run() => Ok(ended),
            served = axum::serve(listener, service) => served.map(|()| "dashboard"),
        }
    }
}
