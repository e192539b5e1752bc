//! What the demo application is told by its environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hyper::header::HeaderValue;

use super::noise::Noise;

/// No delay may be longer than this: a typing error must not make a pod that never answers.
const LONGEST_DELAY_MS: u64 = 600_000;
/// Largest ballast: several pods share a machine.
const BALLAST_MIB_MAX: u32 = 512;
/// [`LONGEST_DELAY_MS`].
pub(super) const LONGEST_DELAY: Duration = Duration::from_millis(LONGEST_DELAY_MS);

/// The settings of one application process.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where it listens: `POD_IP` (default 127.0.0.1) and `PORT` (default 8080).
    pub address: SocketAddr,
    /// `VERSION`, as the header `x-version` says it.
    pub version: HeaderValue,
    /// `POD_NAME`, default `local`.
    pub pod_name: String,
    /// The faults at the start: `ERROR_RATE`, `LATENCY_MS`, `LATENCY_JITTER_MS`, and those of
    /// [`Noise`].
    pub faults: Faults,
    /// `NOISE_SEED`, default 0: with the pod's name it decides every draw.
    pub noise_seed: u64,
    /// `START_DELAY_MS`: so long it listens, but is not healthy.
    pub start_delay: Duration,
    /// `STOP_DELAY_MS`: so long it goes on serving after SIGTERM.
    pub stop_delay: Duration,
    /// `ERROR_AFTER_REQUESTS`: after that many requests every further one fails.
    pub error_after_requests: Option<u64>,
    /// `CRASH_AFTER_REQUESTS`: that request is not answered any more, and the process ends with
    /// code 1. A pod that starts again counts from nothing.
    pub crash_after_requests: Option<u64>,
    /// `BALLAST_MIB`, default 0: memory that it holds for nothing.
    pub ballast_mib: u32,
    /// [`super::EXIT_WITH_STDIN`] is `1`.
    pub exit_with_stdin: bool,
}

/// The faults that the application injects into `/`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of requests that are answered with 500, from 0 to 1.
    pub error_rate: f64,
    /// The mean of the extra latency.
    pub latency: Duration,
    /// The extra latency varies evenly by so much to both sides (never below zero).
    pub jitter: Duration,
    /// How they vary.
    pub noise: Noise,
}

impl Config {
    /// Reads the settings; `lookup` gives the value of an environment variable.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let text = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let delay = |name: &str| match text(name) {
            Some(value) => milliseconds(name, &value),
            None => Ok(Duration::ZERO),
        };
        let count = |name: &str| -> anyhow::Result<Option<u64>> {
            let parsed = text(name).map(|value| {
                let parsed = value.parse().ok();
                parsed.with_context(|| format!("{name} must be a whole number, not `{value}`"))
            });
            parsed.transpose()
        };
        let ip = match text("POD_IP") {
            Some(value) => value
                .parse()
                .ok()
                .with_context(|| format!("POD_IP must be an IP address, not `{value}`"))?,
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let port = match text("PORT") {
            Some(value) => value
                .parse()
                .ok()
                .with_context(|| format!("PORT must be a number up to 65535, not `{value}`"))?,
            None => 8080,
        };
        let version =
            text("VERSION").context("VERSION must be set: it names what this pod runs")?;
        let version =
            HeaderValue::from_str(&version)
                .ok()
                .filter(|value| value.to_str().is_ok())
                .with_context(|| format!("VERSION must be plain ASCII text, not `{version}`"))?;
        let mut noise = Noise::default();
        for name in Noise::NAMES.map(str::to_ascii_uppercase) {
            if let Some(value) = text(&name) {
                noise.set(&name, &value)?;
            }
        }
        Ok(Self {
            address: SocketAddr::new(ip, port),
            version,
            pod_name: text("POD_NAME").unwrap_or_else(|| "local".to_owned()),
            faults: Faults {
                error_rate: match text("ERROR_RATE") {
                    Some(value) => rate("ERROR_RATE", &value)?,
                    None => 0.0,
                },
                latency: delay("LATENCY_MS")?,
                jitter: delay("LATENCY_JITTER_MS")?,
                noise,
            },
            noise_seed: match text("NOISE_SEED") {
                Some(value) => value
                    .parse()
                    .ok()
                    .with_context(|| format!("NOISE_SEED must be a whole number, not `{value}`"))?,
                None => 0,
            },
            start_delay: delay("START_DELAY_MS")?,
            stop_delay: delay("STOP_DELAY_MS")?,
            error_after_requests: count("ERROR_AFTER_REQUESTS")?,
            crash_after_requests: count("CRASH_AFTER_REQUESTS")?,
            ballast_mib: match text("BALLAST_MIB") {
                Some(value) => {
                    let parsed = value.parse().ok().filter(|size| *size <= BALLAST_MIB_MAX);
                    parsed.with_context(|| {
                        format!(
                            "BALLAST_MIB must be a number up to {BALLAST_MIB_MAX}, not `{value}`"
                        )
                    })?
                }
                None => 0,
            },
            exit_with_stdin: text(super::EXIT_WITH_STDIN).is_some_and(|value| value == "1"),
        })
    }
}

impl Faults {
    /// These faults with the changes of a query such as `error_rate=0.2&latency_ms=50`.
    pub fn changed_by(mut self, query: &str) -> anyhow::Result<Self> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "error_rate" => self.error_rate = rate(name, value)?,
                "latency_ms" => self.latency = milliseconds(name, value)?,
                "latency_jitter_ms" => self.jitter = milliseconds(name, value)?,
                _ if self.noise.set(name, value)? => {}
                _ => bail!(
                    "`{name}` is not a fault; known are error_rate, latency_ms, \
                     latency_jitter_ms, {}",
                    Noise::NAMES.join(", ")
                ),
            }
        }
        Ok(self)
    }
}

pub(super) fn milliseconds(name: &str, value: &str) -> anyhow::Result<Duration> {
    let parsed = value.parse().ok().filter(|delay| *delay <= LONGEST_DELAY_MS);
    let delay = parsed.with_context(|| {
        format!("{name} must be whole milliseconds up to {LONGEST_DELAY_MS}, not `{value}`")
    })?;
    Ok(Duration::from_millis(delay))
}

pub(super) fn rate(name: &str, value: &str) -> anyhow::Result<f64> {
    let parsed: Option<f64> = value.parse().ok();
    let rate = parsed.with_context(|| format!("{name} must be a number, not `{value}`"))?;
    ensure!((0.0..=1.0).contains(&rate), "{name} must be from 0 to 1, not {value}");
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> anyhow::Result<Config> {
        Config::parse(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_version_is_enough() {
        let config = parse(&[("VERSION", "v1")]).unwrap();
        assert_eq!(config.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(config.pod_name, "local");
        assert_eq!(config.faults, Faults::default());
        assert_eq!(config.error_after_requests, None);
        assert!(!config.exit_with_stdin);
    }

    #[test]
    fn every_setting_is_read() {
        let config = parse(&[
            ("VERSION", "v2"),
            ("POD_IP", "10.200.1.12"),
            ("PORT", "9090"),
            ("POD_NAME", "checkout-x"),
            ("ERROR_RATE", "0.25"),
            ("LATENCY_MS", "40"),
            ("LATENCY_JITTER_MS", "10"),
            ("START_DELAY_MS", "500"),
            ("STOP_DELAY_MS", "700"),
            ("ERROR_AFTER_REQUESTS", "1000"),
            ("CRASH_AFTER_REQUESTS", "2000"),
            ("BALLAST_MIB", "24"),
            ("EXIT_WITH_STDIN", "1"),
            ("NOISE_SEED", "9"),
            ("POD_SD", "0.3"),
        ])
        .unwrap();
        let expected = Config {
            address: "10.200.1.12:9090".parse().unwrap(),
            version: HeaderValue::from_static("v2"),
            pod_name: "checkout-x".to_owned(),
            faults: Faults {
                error_rate: 0.25,
                latency: Duration::from_millis(40),
                jitter: Duration::from_millis(10),
                noise: Noise { pod_sd: 0.3, ..Noise::default() },
            },
            noise_seed: 9,
            start_delay: Duration::from_millis(500),
            stop_delay: Duration::from_millis(700),
            error_after_requests: Some(1000),
            crash_after_requests: Some(2000),
            ballast_mib: 24,
            exit_with_stdin: true,
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn a_wrong_value_is_one_sentence_that_names_it() {
        for (name, value, sentence) in [
            ("VERSION", "", "VERSION must be set: it names what this pod runs"),
            ("VERSION", "v\n", "VERSION must be plain ASCII text, not `v\n`"),
            ("POD_IP", "here", "POD_IP must be an IP address, not `here`"),
            ("PORT", "70000", "PORT must be a number up to 65535, not `70000`"),
            ("ERROR_RATE", "20%", "ERROR_RATE must be a number, not `20%`"),
            ("ERROR_RATE", "1.5", "ERROR_RATE must be from 0 to 1, not 1.5"),
            ("ERROR_RATE", "NaN", "ERROR_RATE must be from 0 to 1, not NaN"),
            ("LATENCY_MS", "-1", "LATENCY_MS must be whole milliseconds up to 600000, not `-1`"),
            ("NOISE_SEED", "-1", "NOISE_SEED must be a whole number, not `-1`"),
            ("WARM_UP_FACTOR", "0", "WARM_UP_FACTOR must be from 1 to 100, not 0"),
            ("BALLAST_MIB", "999", "BALLAST_MIB must be a number up to 512, not `999`"),
            ("ERROR_AFTER_REQUESTS", "x", "ERROR_AFTER_REQUESTS must be a whole number, not `x`"),
            ("CRASH_AFTER_REQUESTS", "-", "CRASH_AFTER_REQUESTS must be a whole number, not `-`"),
        ] {
            let pairs = [(name, value), ("VERSION", "v1")];
            assert_eq!(parse(&pairs).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn a_query_changes_only_the_faults_that_it_names() {
        let before = Faults { error_rate: 0.1, ..Faults::default() };
        let after = before.changed_by("latency_ms=50").unwrap();
        assert_eq!(after, Faults { latency: Duration::from_millis(50), ..before });
        assert_eq!(after.changed_by("").unwrap(), after);
        assert!(before.changed_by("error_rate=2").is_err());
        assert!(before.changed_by("chaos=1").is_err());
    }
}
