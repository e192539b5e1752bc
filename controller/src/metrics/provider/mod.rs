//! Where measurements come from: one provider, as its `MetricProvider` describes it.
//!
//! The object is the platform team's word on what may be asked and with which credential. What
//! an author writes is only ever the text of a query; it never becomes part of an address.

mod auth;
mod connection;
mod egress;
mod oauth2;
mod prometheus;
mod proxy;
mod scalar;
mod secrets;
mod sigv4;

use std::{fmt, sync::Arc, time::Duration};

use lockflight_crds::{self as wire, InvalidQuantity, MetricProviderSpec};

use crate::fleet::client::CALL_TIMEOUT;

use self::{connection::Connection, prometheus::Prometheus, scalar::Scalar};
pub use self::{egress::Egress, proxy::MemberClient, secrets::Secrets};
use super::{
    answer::{self, Answer, AnswerError},
    jobs::JobSource,
};

/// Longest timeout; a gate that waits longer for one answer is not watching any more.
pub const TIMEOUT_MAX: Duration = Duration::from_mins(1);

/// What a provider needs of the hub.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Secrets of the hub's own namespace.
    pub secrets: Secrets,
    /// What requests may reach.
    pub egress: Egress,
    /// The member whose gates ask; none where it is not known.
    pub member: Option<MemberClient>,
}

/// Where measurements come from.
#[derive(Clone)]
pub struct Provider {
    source: Arc<Source>,
    address: String,
    timeout: Duration,
}

enum Source {
    Prometheus(Prometheus),
    Scalar(Scalar),
    Job(JobSource),
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.address).finish()
    }
}

/// Why a provider cannot be used. Texts name fields, Secrets and keys, never their values.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The address is none that the hub would dial.
    #[error("{field}: {address} {why}")]
    Address {
        /// The field.
        field: String,
        /// What it says.
        address: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The timeout is no duration.
    #[error("{field}: {source}")]
    Timeout {
        /// The field.
        field: String,
        /// Why.
        source: InvalidQuantity,
    },
    /// The timeout is out of range.
    #[error("{0}: must be from 1ms to 1m")]
    TimeoutRange(String),
    /// Exactly one of several fields has to be set.
    #[error("{field}: must have exactly one of {choice}")]
    Choice {
        /// The field.
        field: String,
        /// Those to choose from.
        choice: &'static str,
    },
    /// A field has a value that cannot be used.
    #[error("{field}: {why}")]
    Unusable {
        /// The field.
        field: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A Secret does not exist.
    #[error(
        "{field}: there is no Secret {secret} in namespace {namespace}: create it there, or name another one"
    )]
    NoSecret {
        /// The field.
        field: String,
        /// Name of the Secret.
        secret: String,
        /// The hub's own namespace.
        namespace: String,
    },
    /// A key of a Secret is missing or has a value that cannot be used.
    #[error("{field}: key {key} of Secret {secret} {why}")]
    Secret {
        /// The field.
        field: String,
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: String,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// No client can be built, for example for want of root certificates.
    #[error("no HTTP client for the provider: {0}")]
    Client(reqwest::Error),
}

impl Provider {
    /// A provider as described. It is not asked and no Secret is read yet: both happen with each
    /// question, so that what was repaired meanwhile counts at once.
    pub fn new(
        spec: &MetricProviderSpec,
        surroundings: &Surroundings,
    ) -> Result<Self, ProviderError> {
        // Who may ask was checked when the Rollout was validated.
        let MetricProviderSpec {
            allowed_namespaces: _,
            prometheus,
            web,
            datadog,
            cloud_watch,
            new_relic,
            external,
            job,
        } = spec;
        let given = [
            prometheus.is_some(),
            web.is_some(),
            datadog.is_some(),
            cloud_watch.is_some(),
            new_relic.is_some(),
            external.is_some(),
            job.is_some(),
        ];
        let one = given.into_iter().filter(|given| *given).count() == 1;
        match (prometheus, Scalar::new(spec, surroundings)?) {
            (Some(prometheus), None) if one => {
                let timeout = timeout("spec.prometheus.timeout", &prometheus.timeout)?;
                let prometheus = Prometheus::new(prometheus, timeout, surroundings)?;
                let address = prometheus.address();
                Ok(Self { source: Arc::new(Source::Prometheus(prometheus)), address, timeout })
            }
            (None, Some(scalar)) if one => {
                let (address, timeout) = (scalar.address(), scalar.timeout());
                Ok(Self { source: Arc::new(Source::Scalar(scalar)), address, timeout })
            }
            (None, None) if one && let Some(job) = job => {
                let source = JobSource::new(job, surroundings.member.clone())?;
                Ok(Self {
                    source: Arc::new(Source::Job(source)),
                    address: "its Job".to_owned(),
                    timeout: CALL_TIMEOUT,
                })
            }
            _ => Err(ProviderError::Choice {
                field: "spec".to_owned(),
                choice: "prometheus, web, datadog, cloudWatch, newRelic, external and job",
            }),
        }
    }

    /// Whether it has raw counters, as comparisons need. Without them only thresholds can be
    /// judged.
    #[must_use]
    pub fn has_counters(&self) -> bool {
        matches!(*self.source, Source::Prometheus(_))
    }

    /// Where its Jobs come from, if Jobs measure for it.
    pub(super) fn jobs(&self) -> Option<&JobSource> {
        match self.source.as_ref() {
            Source::Job(source) => Some(source),
            Source::Prometheus(_) | Source::Scalar(_) => None,
        }
    }

    /// The address, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How long one answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The result of one query, at the provider's own time; of a source of single values, a vector
    /// of them.
    pub(super) async fn ask(&self, query: &str) -> Result<Answer, AnswerError> {
        match self.source.as_ref() {
            Source::Prometheus(prometheus) => prometheus.ask(query).await,
            Source::Scalar(scalar) => scalar.ask(query).await,
            // Jobs take their time, and have no clock but the hub's.
            Source::Job(_) => answer::now(query),
        }
    }
}

fn timeout(field: &str, text: &wire::Duration) -> Result<Duration, ProviderError> {
    let timeout = text
        .to_std()
        .map_err(|source| ProviderError::Timeout { field: field.to_owned(), source })?;
    if timeout.is_zero() || timeout > TIMEOUT_MAX {
        return Err(ProviderError::TimeoutRange(field.to_owned()));
    }
    Ok(timeout)
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod auth_tests;
#[cfg(test)]
#[path = "job_tests.rs"]
mod job_tests;
#[cfg(test)]
#[path = "proxy_tests.rs"]
mod proxy_tests;
#[cfg(test)]
mod server;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
