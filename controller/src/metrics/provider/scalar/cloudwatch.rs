//! Amazon `CloudWatch`'s `GetMetricData`, as JSON.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderName, HeaderValue, StatusCode};
use reqwest::Url;
use serde_json::{Value, json};

use super::{Call, number, post, refused};
use crate::metrics::{answer::AnswerError, provider::sigv4::TARGET};

/// Errors that come with status 400 and mean the credential.
const DENIALS: [&str; 6] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

pub(super) struct CloudWatch {
    pub(super) period_seconds: u32,
    pub(super) lookback: Duration,
}

impl CloudWatch {
    pub(super) fn call(&self, url: Url, query: &str, now: DateTime<Utc>) -> Call {
        let from = now - TimeDelta::from_std(self.lookback).unwrap_or_default();
        let body = json!({
            "StartTime": from.timestamp(),
            "EndTime": now.timestamp(),
            "ScanBy": "TimestampDescending",
            "MetricDataQueries": [{
                "Id": "q", "Expression": query, "Period": self.period_seconds, "ReturnData": true,
            }],
        });
        let mut call = post(url, "application/x-amz-json-1.0", &body);
        let target = HeaderValue::from_static("GraniteServiceVersion20100801.GetMetricData");
        call.headers.push((HeaderName::from_static(TARGET), target));
        call
    }
}

/// The newest value of each result.
pub(super) fn values(status: StatusCode, answer: &Value) -> Result<Vec<f64>, AnswerError> {
    if !status.is_success() {
        let error = answer["__type"].as_str().unwrap_or_default();
        let error = error.rsplit('#').next().unwrap_or_default();
        return Err(match DENIALS.into_iter().find(|denial| *denial == error) {
            Some(denial) => {
                let remedy = format!(
                    "{denial}: check the Secret that spec.cloudWatch.secretName names, its region, \
                     and the right cloudwatch:GetMetricData"
                );
                AnswerError::Denied(status.as_u16(), remedy)
            }
            None => refused(status),
        });
    }
    let Some(results) = answer["MetricDataResults"].as_array() else {
        return Err(AnswerError::Unusable("without results".to_owned()));
    };
    if results.iter().any(|result| !matches!(result["StatusCode"].as_str(), Some("Complete"))) {
        return Err(AnswerError::Unusable("with a result that is not complete".to_owned()));
    }
    results.iter().filter_map(|result| result["Values"].get(0)).map(number).collect()
}
