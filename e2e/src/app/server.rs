//! The server of the demo application: accepting, and stopping without losing a request.

use std::convert::Infallible;
use std::future::pending;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::config::Config;
use super::respond::Application;

/// So long requests in flight may take when everything else has stopped.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT, goes on for the stop delay, drains and returns.
pub async fn run(config: Config) -> anyhow::Result<()> {
    // Before it listens, so that no signal can end it the hard way once it was reachable.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let owner = config.exit_with_stdin.then(owner_pipe).transpose()?;
    let listener = TcpListener::bind(config.address)
        .await
        .with_context(|| format!("cannot listen on {}", config.address))?;

    let stop_delay = config.stop_delay;
    let application = Arc::new(Application::new(config));
    let (close, closing) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop_at = None;
    let owner_gone = owner_gone(owner);
    tokio::pin!(owner_gone);
    // Ends by a signal (after the stop delay), or with its owner.
    loop {
        let stop_delay_over = async {
            match stop_at {
                Some(instant) => sleep_until(instant).await,
                None => pending().await,
            }
        };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&application), closing.clone()));
                }
                // Out of descriptors: without a pause this loop would spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = terminate.recv(), if stop_at.is_none() => {
                application.stop();
                stop_at = Some(Instant::now() + stop_delay);
            }
            _ = interrupt.recv(), if stop_at.is_none() => {
                application.stop();
                stop_at = Some(Instant::now() + stop_delay);
            }
            () = stop_delay_over => break,
            () = &mut owner_gone => return Ok(()),
        }
    }
    drop(listener);
    close.send_replace(true);
    // Whoever is still not done now is cut off with the process.
    let _ = timeout(DRAIN, connections.join_all()).await;
    Ok(())
}

/// One connection, until its client closes it or the application stops.
async fn serve(
    stream: TcpStream,
    application: Arc<Application>,
    mut closing: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let application = Arc::clone(&application);
        async move { Ok::<_, Infallible>(application.respond(request).await) }
    });
    // No timer: with one, hyper would close idle connections, and a gateway's pool would lose
    // the request that it sends at that very moment.
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    // A client that went away is not the application's problem.
    let _ = connection.await;
}

fn owner_pipe() -> anyhow::Result<pipe::Receiver> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
    pipe::Receiver::from_owned_fd(stdin)
        .with_context(|| format!("{} needs a pipe as standard input", super::EXIT_WITH_STDIN))
}

/// Returns when the other end of the pipe was closed; never if there is no pipe.
async fn owner_gone(pipe: Option<pipe::Receiver>) {
    let Some(mut pipe) = pipe else {
        return pending().await;
    };
    let mut ignored = [0; 64];
    // Ends with the pipe: at its end, or when it cannot be read.
    while let Ok(1..) = pipe.read(&mut ignored).await {}
}
