//! What the traffic of a real service has of its own: errors that come in bursts, disturbances
//! that a whole cluster shares, pods that are lastingly worse, slow starts, a tail of latency.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::config::{milliseconds, rate};

/// Of the logarithm's standard deviations; three make factors of 1000.
const SD_MAX: f64 = 3.0;
const BURST_MAX: f64 = 1000.0;
const FACTOR_MAX: f64 = 100.0;

/// The kinds of noise and how strong each is. The default is none.
///
/// Each field has a name for `/control`; the environment variable is the same in capitals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// `error_burst_mean`: errors come in batches of consecutive requests whose size is geometric
    /// with this mean, from 1 (errors are independent) to 1000. The error rate stays what it is.
    pub burst_mean: f64,
    /// `episode_every_ms`: each span of so long on the wall clock has one episode, at a time that
    /// all pods of a cluster agree on; 0 for none.
    pub episode_every: Duration,
    /// `episode_ms`: how long an episode lasts; all the time if it is not shorter than the span.
    pub episode: Duration,
    /// `episode_error_rate`: the share of errors that an episode adds, from 0 to 1.
    pub episode_error_rate: f64,
    /// `pod_sd`: how pods differ for good, as the standard deviation of the logarithm of a factor
    /// on the error rate and the latency, from 0 to 3. The factor's median is 1.
    pub pod_sd: f64,
    /// `pod_factor`: a further factor on both, from 1 to 100: makes one pod the slow one.
    pub pod_factor: f64,
    /// `latency_sigma`: with more than 0 the latency is lognormal around its median, with this
    /// standard deviation of the logarithm, up to 3.
    pub latency_sigma: f64,
    /// `warm_up_ms`: so long from its first request on, a pod is worse.
    pub warm_up: Duration,
    /// `warm_up_factor`: by this factor on error rate and latency, from 1 to 100.
    pub warm_up_factor: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            burst_mean: 1.0,
            episode_every: Duration::ZERO,
            episode: Duration::ZERO,
            episode_error_rate: 0.0,
            pod_sd: 0.0,
            pod_factor: 1.0,
            latency_sigma: 0.0,
            warm_up: Duration::ZERO,
            warm_up_factor: 1.0,
        }
    }
}

impl Noise {
    /// The names of the fields for `/control`.
    pub(super) const NAMES: [&'static str; 9] = [
        "error_burst_mean",
        "episode_every_ms",
        "episode_ms",
        "episode_error_rate",
        "pod_sd",
        "pod_factor",
        "latency_sigma",
        "warm_up_ms",
        "warm_up_factor",
    ];

    /// Sets the field that is called `name` in any case; whether there is one.
    pub(super) fn set(&mut self, name: &str, value: &str) -> anyhow::Result<bool> {
        match name.to_ascii_lowercase().as_str() {
            "error_burst_mean" => self.burst_mean = within(name, value, 1.0, BURST_MAX)?,
            "episode_every_ms" => self.episode_every = milliseconds(name, value)?,
            "episode_ms" => self.episode = milliseconds(name, value)?,
            "episode_error_rate" => self.episode_error_rate = rate(name, value)?,
            "pod_sd" => self.pod_sd = within(name, value, 0.0, SD_MAX)?,
            "pod_factor" => self.pod_factor = within(name, value, 1.0, FACTOR_MAX)?,
            "latency_sigma" => self.latency_sigma = within(name, value, 0.0, SD_MAX)?,
            "warm_up_ms" => self.warm_up = milliseconds(name, value)?,
            "warm_up_factor" => self.warm_up_factor = within(name, value, 1.0, FACTOR_MAX)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Name and value of each field, in the order of [`Self::NAMES`].
    fn values(&self) -> [(&'static str, String); 9] {
        let values = [
            self.burst_mean.to_string(),
            self.episode_every.as_millis().to_string(),
            self.episode.as_millis().to_string(),
            self.episode_error_rate.to_string(),
            self.pod_sd.to_string(),
            self.pod_factor.to_string(),
            self.latency_sigma.to_string(),
            self.warm_up.as_millis().to_string(),
            self.warm_up_factor.to_string(),
        ];
        let mut names = Self::NAMES.into_iter();
        values.map(|value| (names.next().unwrap_or_default(), value))
    }

    /// As environment variables of a pod; none where there is no noise.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        if *self == Self::default() {
            return Vec::new();
        }
        let values = self.values().into_iter();
        values.map(|(name, value)| (name.to_ascii_uppercase(), value)).collect()
    }
}

/// As a query for `/control`.
impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> =
            self.values().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&pairs.join("&"))
    }
}

fn within(name: &str, value: &str, least: f64, most: f64) -> anyhow::Result<f64> {
    let parsed = f64::from_str(value).ok();
    let number = parsed.with_context(|| format!("{name} must be a number, not `{value}`"))?;
    ensure!((least..=most).contains(&number), "{name} must be from {least} to {most}, not {value}");
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_shown() {
        let mut noise = Noise::default();
        let shown = noise.to_string();
        for (name, pair) in Noise::NAMES.into_iter().zip(shown.split('&')) {
            let (shown_name, value) = pair.split_once('=').unwrap();
            assert_eq!(shown_name, name);
            assert!(
                noise.set(name, value).unwrap() && noise.set(&name.to_uppercase(), value).unwrap()
            );
        }
        assert_eq!(noise, Noise::default());
        assert_eq!(noise.variables(), []);
        let loud = Noise { pod_factor: 2.0, ..noise };
        assert!(loud.variables().contains(&("POD_FACTOR".to_owned(), "2".to_owned())));
        assert!(!noise.set("chaos", "1").unwrap());
    }

    #[test]
    fn a_wrong_value_is_one_sentence_that_names_it() {
        for (name, value, sentence) in [
            ("ERROR_BURST_MEAN", "0.5", "ERROR_BURST_MEAN must be from 1 to 1000, not 0.5"),
            ("pod_sd", "NaN", "pod_sd must be from 0 to 3, not NaN"),
            ("pod_sd", "much", "pod_sd must be a number, not `much`"),
            ("episode_error_rate", "2", "episode_error_rate must be from 0 to 1, not 2"),
        ] {
            let error = Noise::default().set(name, value).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }
}
