//! The one HTTP request that probes need.

use std::net::SocketAddr;

use anyhow::Context;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// GETs `path` from `address` over plain HTTP/1.1 and returns status and body.
pub async fn get(address: impl Into<SocketAddr>, path: &str) -> anyhow::Result<(u16, Bytes)> {
    let address = address.into();
    let stream =
        TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, body))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection future drives the exchange; when it ends first, the answer is there.
        _ = connection => exchange.await,
    }
}

/// Succeeds when `path` answers 200.
pub async fn expect_ok(address: impl Into<SocketAddr>, path: &str) -> anyhow::Result<()> {
    let address = address.into();
    let (status, body) = get(address, path).await?;
    anyhow::ensure!(
        status == 200,
        "http://{address}{path} answered {status}: {}",
        String::from_utf8_lossy(&body).trim()
    );
    Ok(())
}
