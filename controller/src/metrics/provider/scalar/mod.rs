//! Sources of single values: each question has a list of numbers for an answer, and nothing else
//! of the answer is kept or passed on.

mod cloudwatch;
mod datadog;
mod external;
mod new_relic;
mod web;

use std::time::Duration;

use chrono::Utc;
use http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use lockflight_crds::MetricProviderSpec;
use reqwest::Url;
use serde_json::Value;

use self::{cloudwatch::CloudWatch, web::Web};
use super::{
    Connection, ProviderError, Surroundings,
    connection::{Access, Call},
    timeout,
};
use crate::metrics::answer::{Answer, AnswerError, parse};

/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Brackets within brackets of one answer.
const DEPTH_MAX: usize = 32;

/// Values of one answer.
const VALUES_MAX: usize = 1000;

/// Furthest that a query may look back.
const LOOKBACK_MAX: Duration = Duration::from_hours(1);

/// The question for a provider's time, which these have none of.
const TIME: &str = "time()";

/// A source of single values.
pub(super) struct Scalar {
    connection: Connection,
    url: Url,
    kind: Kind,
    timeout: Duration,
}

enum Kind {
    Web(Web),
    Datadog { lookback: Duration },
    CloudWatch(CloudWatch),
    NewRelic { account: u32 },
    External,
}

/// What is common to all kinds.
struct Source<'a> {
    access: Access,
    address: &'a str,
    timeout: &'a lockflight_crds::Duration,
    kind: Kind,
}

impl Scalar {
    /// The source of single values in a spec; none if it has another kind.
    pub(super) fn new(
        spec: &MetricProviderSpec,
        surroundings: &Surroundings,
    ) -> Result<Option<Self>, ProviderError> {
        let regional;
        let source = if let Some(spec) = &spec.web {
            let kind = Kind::Web(Web::new(spec)?);
            let access = Access {
                tls: spec.tls.clone(),
                auth: spec.auth.clone(),
                headers: spec.headers.clone(),
                ..Access::of("spec.web")
            };
            Source { access, address: &spec.address, timeout: &spec.timeout, kind }
        } else if let Some(spec) = &spec.datadog {
            let keys = vec![("dd-api-key", "api-key"), ("dd-application-key", "app-key")];
            let access = Access {
                keys,
                secret: Some(spec.secret_name.clone()),
                ..Access::of("spec.datadog")
            };
            let kind = Kind::Datadog { lookback: lookback("spec.datadog", &spec.lookback)? };
            Source { access, address: &spec.address, timeout: &spec.timeout, kind }
        } else if let Some(spec) = &spec.cloud_watch {
            let kind = CloudWatch {
                period_seconds: spec.period_seconds,
                lookback: lookback("spec.cloudWatch", &spec.lookback)?,
            };
            regional = format!("https://monitoring.{}.amazonaws.com", spec.region);
            let access = Access {
                secret: Some(spec.secret_name.clone()),
                signed_in: Some(spec.region.clone()),
                ..Access::of("spec.cloudWatch")
            };
            let address = spec.address.as_deref().unwrap_or(&regional);
            Source { access, address, timeout: &spec.timeout, kind: Kind::CloudWatch(kind) }
        } else if let Some(spec) = &spec.new_relic {
            let access = Access {
                keys: vec![("api-key", "api-key")],
                secret: Some(spec.secret_name.clone()),
                ..Access::of("spec.newRelic")
            };
            let kind = Kind::NewRelic { account: spec.account };
            Source { access, address: &spec.address, timeout: &spec.timeout, kind }
        } else if let Some(spec) = &spec.external {
            let access = Access {
                tls: spec.tls.clone(),
                auth: spec.auth.clone(),
                headers: spec.headers.clone(),
                ..Access::of("spec.external")
            };
            let kind = Kind::External;
            Source { access, address: &spec.address, timeout: &spec.timeout, kind }
        } else {
            return Ok(None);
        };
        let Source { access, address, timeout: limit, kind } = source;
        let timeout = timeout(&format!("{}.timeout", access.field), limit)?;
        let url = surroundings.egress.address(&format!("{}.address", access.field), address)?;
        let connection = Connection::new(access, timeout, surroundings)?;
        Ok(Some(Self { connection, url, kind, timeout }))
    }

    /// Where it is, for messages.
    pub(super) fn address(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }

    /// How long one answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The values that a query has now.
    pub(super) async fn ask(&self, query: &str) -> Result<Answer, AnswerError> {
        if query == TIME {
            // What such a source answers is about now, whatever its clock says.
            let now = Utc::now().timestamp_millis();
            let seconds = format!("{}.{:03}", now / 1000, now % 1000);
            return answer("scalar", &format!("[{seconds},\"{seconds}\"]"));
        }
        let url = self.url.clone();
        let call = match &self.kind {
            Kind::Web(web) => web.call(url, query),
            Kind::Datadog { lookback } => datadog::call(url, query, *lookback, Utc::now()),
            Kind::CloudWatch(source) => source.call(url, query, Utc::now()),
            Kind::NewRelic { account } => new_relic::call(url, query, *account),
            Kind::External => external::call(url, query),
        };
        let (status, body) = self.connection.send(call, ANSWER_BYTES_MAX).await?;
        let known =
            status.is_success() || matches!(self.kind, Kind::CloudWatch(_) | Kind::External);
        if !known {
            return Err(refused(status));
        }
        let json = json(&body)
            .map_err(|error| if status.is_success() { error } else { refused(status) })?;
        let values = match &self.kind {
            Kind::Web(web) => web.values(json).await?,
            Kind::Datadog { .. } => datadog::values(&json)?,
            Kind::CloudWatch(_) => cloudwatch::values(status, &json)?,
            Kind::NewRelic { .. } => new_relic::values(&json)?,
            Kind::External => external::values(status, &json)?,
        };
        if values.len() > VALUES_MAX {
            let many = format!("with {} values, more than {VALUES_MAX}", values.len());
            return Err(AnswerError::Unusable(many));
        }
        let series: Vec<String> = values
            .iter()
            .map(|value| format!(r#"{{"metric":{{}},"value":[0,"{value}"]}}"#))
            .collect();
        answer("vector", &format!("[{}]", series.join(",")))
    }
}

/// An answer as a Prometheus would give it, which is what the gates read.
fn answer(kind: &str, result: &str) -> Result<Answer, AnswerError> {
    let data = format!(r#"{{"resultType":"{kind}","result":{result}}}"#);
    parse(StatusCode::OK, format!(r#"{{"status":"success","data":{data}}}"#).as_bytes())
}

fn lookback(field: &str, text: &lockflight_crds::Duration) -> Result<Duration, ProviderError> {
    let field = format!("{field}.lookback");
    let lookback =
        text.to_std().map_err(|source| ProviderError::Timeout { field: field.clone(), source })?;
    if lookback < Duration::from_secs(1) || lookback > LOOKBACK_MAX {
        return Err(ProviderError::Unusable { field, why: "must be from 1s to 1h".to_owned() });
    }
    Ok(lookback)
}

/// What a status means that comes with no answer.
fn refused(status: StatusCode) -> AnswerError {
    let code = status.as_u16();
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            AnswerError::Refused(format!("status {code}"))
        }
        StatusCode::TOO_MANY_REQUESTS => AnswerError::Unusable(format!(
            "with status {code}, too many requests (raise the interval of its thresholds)"
        )),
        _ => AnswerError::Unusable(format!("with status {code}")),
    }
}

/// The JSON of an answer. Nothing of it is quoted in an error.
fn json(body: &[u8]) -> Result<Value, AnswerError> {
    let unusable = |why: &str| AnswerError::Unusable(why.to_owned());
    if depth(body) > DEPTH_MAX {
        return Err(unusable("with JSON that is nested too deeply"));
    }
    serde_json::from_slice(body).map_err(|_| unusable("with something else than JSON"))
}

/// How deep the brackets of a JSON text are nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A number, or text that is one.
fn number(value: &Value) -> Result<f64, AnswerError> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| AnswerError::Unusable("with a value that is no number".to_owned()))
}

/// A request with a JSON body.
fn post(url: Url, media_type: &'static str, body: &Value) -> Call {
    let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(media_type))];
    Call { method: Method::POST, url, headers, body: body.to_string().into_bytes() }
}

#[cfg(test)]
#[path = "scalar_tests.rs"]
mod tests;
