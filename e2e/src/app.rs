//! The demo application: what the test pods run.
//!
//! A tiny HTTP server with faults that can be set when it starts (environment) and while it runs
//! (`/control`), and with the metrics that an analysis reads. It uses one thread, because a fleet
//! runs many of it on a small machine.
//!
//! | Route | Answer |
//! |---|---|
//! | `/` | `VERSION POD_NAME`, status 200 or, by the error rate, 500; header `x-version` |
//! | `/healthz` | 200; 503 while it starts or stops |
//! | `/metrics` | Prometheus text |
//! | `GET /control` | the faults in force |
//! | `POST /control?error_rate=0.2&latency_ms=50` | sets the faults that are named |

mod config;
mod dice;
mod memory;
mod metrics;
mod noise;
mod respond;
mod server;

pub use config::{Config, Faults};
pub use noise::Noise;
pub use server::run;

/// The environment variable that makes the application end when its standard input does.
///
/// Whoever starts it keeps the other end of a pipe: if that process dies, however it dies, the
/// application ends too. (`PR_SET_PDEATHSIG` is bound to the *thread* that started the process,
/// which an asynchronous runtime may end at any time.)
pub const EXIT_WITH_STDIN: &str = "EXIT_WITH_STDIN";
