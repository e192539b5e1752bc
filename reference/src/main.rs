//! `lockflight-reference`: writes the reference pages, or with `--check` compares them.

use anyhow::Result;
use clap::Parser;

/// Writes the reference pages of the documentation from the code.
#[derive(Debug, Parser)]
struct Arguments {
    /// Write nothing; fail when a page is not what the code says.
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    use std::io::Write as _;
    let done = if Arguments::parse().check {
        format!("{} pages are as the code says", lockflight_reference::check()?)
    } else {
        format!("wrote {} pages", lockflight_reference::write()?)
    };
    Ok(writeln!(std::io::stdout(), "{done}")?)
}
