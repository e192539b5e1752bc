//! Asking a container how it is.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail, ensure};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How a probe asks.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    Http { port: u16, path: Uri, headers: HeaderMap },
    Tcp { port: u16 },
}

impl Action {
    pub(super) fn http(action: &HTTPGetAction, container: &Container) -> anyhow::Result<Self> {
        let scheme = action.scheme.as_deref().unwrap_or("HTTP");
        ensure!(scheme == "HTTP", "the scheme {scheme} is not supported here");
        ensure!(action.host.is_none(), "httpGet.host is not supported here");
        let path = action.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("kube-probe/1.37"));
        for header in action.http_headers.iter().flatten() {
            let name = HeaderName::try_from(&header.name).context("httpHeaders")?;
            headers.insert(name, HeaderValue::try_from(&header.value).context("httpHeaders")?);
        }
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let path = Uri::try_from(format!("{slash}{path}")).context("httpGet.path")?;
        Ok(Self::Http { port: number(&action.port, container)?, path, headers })
    }

    pub(super) fn tcp(action: &TCPSocketAction, container: &Container) -> anyhow::Result<Self> {
        ensure!(action.host.is_none(), "tcpSocket.host is not supported here");
        Ok(Self::Tcp { port: number(&action.port, container)? })
    }

    /// Asks once. The caller has the timeout.
    pub(super) async fn ask(&self, address: Ipv4Addr) -> anyhow::Result<()> {
        match self {
            Self::Tcp { port } => {
                TcpStream::connect((address, *port)).await?;
                Ok(())
            }
            Self::Http { port, path, headers } => {
                let mut request = Request::new(Empty::<Bytes>::new());
                *request.uri_mut() = path.clone();
                request.headers_mut().clone_from(headers);
                let target = SocketAddr::from((address, *port));
                if !headers.contains_key(HOST) {
                    let host = HeaderValue::try_from(target.to_string())?;
                    request.headers_mut().insert(HOST, host);
                }
                let status = get(target, request).await?;
                // As Kubernetes has it: a redirect is a success.
                let good = status.is_success() || status.is_redirection();
                ensure!(good, "HTTP probe failed with statuscode: {}", status.as_u16());
                Ok(())
            }
        }
    }
}

async fn get(target: SocketAddr, request: Request<Empty<Bytes>>) -> anyhow::Result<StatusCode> {
    let stream = TcpStream::connect(target).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // In a set, so that the connection ends with this function, and with the probe.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    Ok(sender.send_request(request).await?.status())
}

/// The number of a port that may be given by its name.
fn number(port: &IntOrString, container: &Container) -> anyhow::Result<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            match ports.find(|port| port.name.as_ref() == Some(name)) {
                Some(port) => port.container_port,
                None => bail!("no port is named `{name}`"),
            }
        }
    };
    u16::try_from(number).with_context(|| format!("{number} is not a port"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container() -> Container {
        let ports = json!([{"name": "web", "containerPort": 9090}]);
        serde_json::from_value(json!({"name": "a", "ports": ports})).unwrap()
    }

    fn http(action: serde_json::Value) -> anyhow::Result<Action> {
        Action::http(&serde_json::from_value(action).unwrap(), &container())
    }

    #[test]
    fn ports_may_have_names() {
        let Action::Http { port, path, .. } = http(json!({"port": "web"})).unwrap() else {
            panic!("not http");
        };
        assert_eq!((port, path), (9090, Uri::from_static("/")));
        assert!(http(json!({"port": "other"})).is_err());
        assert!(http(json!({"port": 70000})).is_err());
        assert!(http(json!({"port": 80, "scheme": "HTTPS"})).is_err());
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_failure() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = Action::Tcp { port };
        assert!(tcp.ask(Ipv4Addr::LOCALHOST).await.is_ok());
        drop(listener);
        assert!(tcp.ask(Ipv4Addr::LOCALHOST).await.is_err());
        assert!(http(json!({"port": port})).unwrap().ask(Ipv4Addr::LOCALHOST).await.is_err());
    }
}
