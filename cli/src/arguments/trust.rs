//! Commands that show why a verdict can be trusted.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, ValueEnum};
use lockflight::forecast::{ERRORS, RPS};

use super::span;

/// Arguments of `analysis`.
#[derive(Debug, Args)]
pub struct Analysis {
    /// Name of the rollout.
    pub name: String,
    /// Keep watching; Ctrl-C ends.
    #[arg(long, short)]
    pub watch: bool,
    /// Form of the output [default: text]; with --watch, JSON is one line per change.
    #[arg(long, short, value_enum)]
    pub output: Option<JsonOutput>,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Recorded windows: JSON lines, the judge's settings first.
    pub file: PathBuf,
    /// Form of the output [default: text].
    #[arg(long, short, value_enum)]
    pub output: Option<JsonOutput>,
}

/// Arguments of `aa`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("from").required(true).multiple(true).args(["recording", "prometheus", "provider"]))]
pub struct Aa {
    /// Name of the rollout, for templates with {{rollout}}.
    #[arg(value_name = "NAME", default_value = "", hide_default_value = true)]
    pub name: String,
    /// Recorded windows of stable pods: JSON lines, the judge's settings first.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prometheus", "provider"])]
    pub recording: Option<PathBuf>,
    /// What is compared, and how.
    #[command(flatten)]
    pub compare: Compare,
    /// Write the windows that were read into a new file, for --recording and for replay.
    #[arg(long, value_name = "FILE", conflicts_with = "recording")]
    pub save: Option<PathBuf>,
    /// Chance that a release as good as stable is taken back.
    #[arg(
        long,
        value_name = "CHANCE",
        value_parser = chance,
        default_value = "0.05",
        conflicts_with = "recording"
    )]
    pub false_aborts: String,
    /// Steps of the rollout, each a share of the pods in per cent and a time, for example
    /// 5:5m,33:5m.
    #[arg(
        long,
        value_name = "STEPS",
        value_delimiter = ',',
        value_parser = stage,
        default_value = "5:5m,10:5m,33:5m,66:5m"
    )]
    pub steps: Vec<(u8, Duration)>,
    /// How many rollouts to try.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub trials: u32,
    /// The same number draws the same trials.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Form of the output [default: text].
    #[arg(long, short, value_enum)]
    pub output: Option<JsonOutput>,
    // Last, for its heading would stand above all that follows.
    /// Where else stable's past is read from.
    #[command(flatten)]
    pub past: Past,
}

/// What compares two revisions, where no rollout is asked.
#[derive(Debug, Args)]
pub struct Compare {
    /// What compares two revisions: a file with an analysis template, or builtin:NAME. Name here
    /// what the rollout names: it is not asked.
    #[arg(long, value_name = "FILE|builtin:NAME", default_value = "builtin:app")]
    pub template: Vec<String>,
    /// Arguments of the templates.
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = pair)]
    pub args: Vec<(String, String)>,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["name", "files"]))]
pub struct Plan {
    /// Name of the rollout.
    pub name: Option<String>,
    /// File with a rollout, and with the clusters, analysis templates and metric providers that it
    /// needs; several times. Without a cluster in any, those of the hub are asked for.
    #[arg(long = "file", short = 'f', value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Requests per second of one cluster.
    #[arg(long, value_name = "NUMBER", value_parser = rate, requires = "errors")]
    pub rps: Option<f64>,
    /// Part of stable's requests that fails, for example 0.1%.
    #[arg(long, value_name = "PERCENT", value_parser = per_cent, requires = "rps")]
    pub errors: Option<f64>,
    /// Form of the output [default: text].
    #[arg(long, short, value_enum)]
    pub output: Option<JsonOutput>,
    // Last, for its heading would stand above all that follows.
    /// Where the traffic is read from instead.
    #[command(flatten)]
    pub past: Past,
}

/// Where stable's past is read from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Stable's past")]
pub struct Past {
    /// Address of a Prometheus; with several clusters CLUSTER=URL for each of them.
    #[arg(long, value_name = "[CLUSTER=]URL", value_parser = source)]
    pub prometheus: Vec<Source>,
    /// A metric provider of the hub with the address of a Prometheus, in place of it; with several
    /// clusters CLUSTER=NAME for each of them.
    #[arg(long, value_name = "[CLUSTER=]NAME", value_parser = named)]
    pub provider: Vec<Provided>,
    /// Only pods whose names begin so, for example those of one revision.
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub pods: String,
    /// How far back to read, at most 48h.
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = span)]
    pub since: Duration,
    /// Header of every request, for example X-Scope-OrgID=shop.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    pub headers: Vec<(String, String)>,
    /// File with a token that is sent with every request.
    #[arg(long, value_name = "FILE")]
    pub bearer_token_file: Option<PathBuf>,
    /// File with the certificate authorities of the server, in PEM [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// A Prometheus and the cluster that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the cluster.
    pub cluster: String,
    /// Address of the server.
    pub address: String,
}

/// A `MetricProvider` and the cluster that is asked through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the provider.
    pub provider: String,
}

/// The form for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JsonOutput {
    /// One object.
    Json,
}

/// The cluster where only one is asked and none is named.
const CLUSTER_DEFAULT: &str = "here";

/// `eu=https://prometheus.eu.example`, or the address alone.
fn source(text: &str) -> Result<Source, String> {
    let is_address = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    let (cluster, address) = match text.split_once('=') {
        Some((cluster, address)) if !is_address(text) => (cluster, address),
        _ => (CLUSTER_DEFAULT, text),
    };
    if cluster.is_empty() || !is_address(address) {
        return Err("write an address with http:// or https://, or CLUSTER=ADDRESS".to_owned());
    }
    Ok(Source { cluster: cluster.to_owned(), address: address.to_owned() })
}

/// `eu=metrics`, or the name alone.
fn named(text: &str) -> Result<Provided, String> {
    let (cluster, provider) = text.split_once('=').unwrap_or((CLUSTER_DEFAULT, text));
    if cluster.is_empty() || provider.is_empty() || provider.contains('/') {
        return Err("write the name of a MetricProvider, or CLUSTER=NAME".to_owned());
    }
    Ok(Provided { cluster: cluster.to_owned(), provider: provider.to_owned() })
}

/// `name=value`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Requests per second.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if RPS.contains(&rate) => Ok(rate),
        _ => Err("must be a number of requests per second from 0.001 to 1000000000".to_owned()),
    }
}

/// A share in per cent. Without any failure nothing can be said of twice as many.
fn per_cent(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').map(|number| number.trim().parse::<f64>()) {
        Some(Ok(per_cent)) if ERRORS.contains(&(per_cent / 100.0)) => Ok(per_cent / 100.0),
        Some(Ok(0.0)) => Err("0 % is never known exactly: give the share that you could not have \
                              noticed, for example 0.01%"
            .to_owned()),
        Some(_) => Err("must be from 0.000001% to 50%".to_owned()),
        None => Err("write it in per cent, for example 0.1%".to_owned()),
    }
}

/// A chance of error, as `spec.evidence` takes it.
fn chance(text: &str) -> Result<String, String> {
    match text.parse::<f64>() {
        Ok(chance) if (0.000_1..=0.25).contains(&chance) => Ok(text.to_owned()),
        _ => Err("must be a number from 0.0001 to 0.25, for example 0.05".to_owned()),
    }
}

/// A step of `aa`: 33:5m.
fn stage(text: &str) -> Result<(u8, Duration), String> {
    let (share, length) =
        text.split_once(':').ok_or("write per cent and time, for example 33:5m")?;
    match share.parse() {
        Ok(share @ 1..=99) => Ok((share, span(length)?)),
        _ => Err(format!("{share:?} is no share of 1 to 99 per cent")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_has_bounds_and_no_errors_at_all_is_answered() {
        for (text, expect) in [("0.000001%", 1e-8), ("0.1%", 0.001), ("50 %", 0.5)] {
            let found = per_cent(text).unwrap();
            assert!((found - expect).abs() < expect * 1e-9, "{text}: {found}");
        }
        for (text, expect) in [
            ("0%", "could not have noticed, for example 0.01%"),
            ("0.0 %", "could not have noticed"),
            ("0.0000001%", "from 0.000001% to 50%"),
            ("50.1%", "to 50%"),
            ("-1%", "from 0.000001%"),
            ("NaN%", "from 0.000001%"),
            ("0.1", "in per cent"),
        ] {
            let why = per_cent(text).unwrap_err();
            assert!(why.contains(expect), "{text}: {why}");
        }
        assert!(rate("0.001").is_ok() && rate("1000000000").is_ok());
        for text in ["0", "0.0009", "1e10", "many"] {
            assert!(rate(text).unwrap_err().contains("from 0.001 to 1000000000"), "{text}");
        }
    }

    #[test]
    fn sources_have_clusters() {
        let cases = [
            ("http://p:9090", Ok(("here", "http://p:9090"))),
            ("https://p/?a=b", Ok(("here", "https://p/?a=b"))),
            ("eu=https://p", Ok(("eu", "https://p"))),
            ("eu=p:9090", Err(())),
            ("=http://p", Err(())),
            ("p", Err(())),
        ];
        for (text, expect) in cases {
            let found = source(text);
            let found = found.as_ref().map(|s| (&*s.cluster, &*s.address)).map_err(|_| ());
            assert_eq!(found, expect, "{text}");
        }
    }
}
