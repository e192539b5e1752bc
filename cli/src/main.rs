//! `kubectl lockflight`: see, promote and abort rollouts from the command line.

use std::process::ExitCode;

use clap::Parser;
use kubectl_lockflight::{Arguments, Exit, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One thread is enough for one request at a time, and starts fastest.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return Exit::Error.into();
        }
    };
    let exit = runtime.block_on(run(arguments)).unwrap_or_else(|failure| {
        // A reader that has seen enough (`| head`) is no failure.
        if failure.is_closed_output() {
            return Exit::Ok;
        }
        eprintln!("error: {failure}");
        if let Some(remedy) = failure.remedy() {
            eprintln!("  {remedy}");
        }
        failure.exit()
    });
    exit.into()
}
