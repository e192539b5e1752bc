//! `lockflight`: the hub's one executable.

use clap::Parser as _;
use lockflight::{
    arguments::{Arguments, Command},
    run::run,
};

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(arguments) => {
            rustls::crypto::aws_lc_rs::default_provider()
                .install_default()
                .map_err(|_| anyhow::anyhow!("another TLS provider was installed first"))?;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(run(arguments))
        }
        Command::Crd => {
            use std::io::Write;
            let mut out = std::io::stdout().lock();
            for crd in lockflight_crds::custom_resource_definitions() {
                writeln!(out, "{crd}")?;
            }
            Ok(())
        }
    }
}
