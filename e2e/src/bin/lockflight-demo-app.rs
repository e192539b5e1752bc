//! The application that the pods of the testbed run; see `lockflight_e2e::app`.

use std::process::ExitCode;

use lockflight_e2e::app::{Config, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match Config::parse(|name| std::env::var(name).ok()) {
        Ok(config) => run(config).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lockflight-demo-app: {error:#}");
            ExitCode::FAILURE
        }
    }
}
