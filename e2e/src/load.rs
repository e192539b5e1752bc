//! The load generator: open loop, and it accounts for every single request.
//!
//! *Open loop* means that requests leave on a fixed schedule whether or not the earlier ones were
//! answered, as those of many independent users do. A closed loop would slow down with a slow
//! version and so hide it. Latency counts from the moment the schedule set, for the same reason.
//!
//! Requests are never repeated: what the gateway loses must be seen as lost.

mod latency;
mod report;
mod send;
mod shape;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hyper::Uri;
use hyper::header::HeaderValue;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use report::Recorder;
pub use report::{Latency, LoadReport, Seen};
use send::Schedule;
pub use shape::{Bursts, Diurnal, Shape};

/// What a load shall be; see [`Load::builder`].
#[derive(Clone, Debug)]
pub struct LoadBuilder {
    gateway: SocketAddr,
    host: String,
    path: String,
    rps: u32,
    shape: Shape,
    keep_alive: bool,
    max_in_flight: usize,
    max_duration: Duration,
}

impl LoadBuilder {
    /// Requests per second, 200 unless told.
    #[must_use]
    pub fn rps(mut self, rps: u32) -> Self {
        self.rps = rps;
        self
    }

    /// How the rate changes with time; constant unless told.
    #[must_use]
    pub fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Whether connections are used again (the default) or each request opens one.
    #[must_use]
    pub fn keep_alive(mut self, keep_alive: bool) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// The path of the requests, `/` unless told.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The most requests that may wait for an answer, 1000 unless told. What the schedule would
    /// send beyond that is not sent and counts as [`LoadReport::overrun`].
    #[must_use]
    pub fn max_in_flight(mut self, most: usize) -> Self {
        self.max_in_flight = most;
        self
    }

    /// The load ends by itself after so long, 30 minutes unless told.
    #[must_use]
    pub fn max_duration(mut self, longest: Duration) -> Self {
        self.max_duration = longest;
        self
    }

    /// Starts the load. Fails if the host or the path cannot stand in a request, or the rate is
    /// not between 1 and 100 000, or the shape is impossible.
    pub fn start(self) -> anyhow::Result<Load> {
        ensure!(
            (1..=100_000).contains(&self.rps),
            "a load of {} requests/s is not possible",
            self.rps
        );
        self.shape.check()?;
        let host = HeaderValue::from_str(&self.host)
            .with_context(|| format!("`{}` is not a host name", self.host))?;
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.gateway.to_string())
            .path_and_query(self.path.as_str())
            .build()
            .with_context(|| format!("`{}` is not a path", self.path))?;
        let recorder = Arc::new(Recorder::default());
        let (stop, stopped) = watch::channel(false);
        let schedule = Schedule {
            uri,
            host,
            rps: self.rps,
            shape: self.shape,
            keep_alive: self.keep_alive,
            max_in_flight: self.max_in_flight,
            max_duration: self.max_duration,
        };
        let task = tokio::spawn(schedule.run(Arc::clone(&recorder), stopped));
        Ok(Load { recorder, stop, task })
    }
}

/// A running load. Dropping it ends it at once, requests in flight included.
#[derive(Debug)]
pub struct Load {
    recorder: Arc<Recorder>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Load {
    /// A load on `gateway` with `host` as the name in the Host header.
    #[must_use]
    pub fn builder(gateway: SocketAddr, host: &str) -> LoadBuilder {
        LoadBuilder {
            gateway,
            host: host.to_owned(),
            path: "/".to_owned(),
            rps: 200,
            shape: Shape::default(),
            keep_alive: true,
            max_in_flight: 1000,
            max_duration: Duration::from_mins(30),
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn snapshot(&self) -> LoadReport {
        self.recorder.report()
    }

    /// Sends nothing more, waits for the requests in flight (each has a timeout of
    /// [`LoadReport::TIMEOUT`]) and gives the final counts.
    pub async fn stop(mut self) -> LoadReport {
        self.stop.send_replace(true);
        // It ends by itself: every request it waits for has a timeout. The margin is for a
        // machine that is too busy to notice in time.
        let _ = tokio::time::timeout(LoadReport::TIMEOUT * 2, &mut self.task).await;
        self.recorder.report()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
