//! What must hold of the charts, for a matrix of values. Helm renders; the first run builds it.
//! Run it by name: `cargo test -p lockflight-e2e --test charts`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends so")]

mod accepted;
mod matrix;
mod pods;
mod refused;
mod rights;

use std::sync::OnceLock;

use lockflight_e2e::components::{self, ChartTools};

/// The versions of Kubernetes that the charts are checked against: the oldest that they allow, one
/// between, and that of the testbed.
const KUBERNETES: [&str; 3] = ["1.33.0", "1.35.0", components::KUBERNETES];

fn tools() -> &'static ChartTools {
    static TOOLS: OnceLock<ChartTools> = OnceLock::new();
    TOOLS.get_or_init(|| components::ensure_chart_tools().unwrap_or_else(|error| quit(&error)))
}

/// Without its tools no test of this program can say anything.
fn quit(error: &anyhow::Error) -> ! {
    eprintln!("{error:#}");
    std::process::exit(1)
}
