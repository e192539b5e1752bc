//! The contract for every other source (docs/reference/external-provider.md).

use http::StatusCode;
use reqwest::Url;
use serde_json::{Value, json};

use super::{Call, number, post, refused};
use crate::metrics::answer::AnswerError;

pub(super) fn call(url: Url, query: &str) -> Call {
    post(url, "application/json", &json!({"query": query}))
}

pub(super) fn values(status: StatusCode, answer: &Value) -> Result<Vec<f64>, AnswerError> {
    if answer.get("error").is_some() && !status.is_server_error() {
        return Err(AnswerError::Refused("by the external provider; its log says why".to_owned()));
    }
    if !status.is_success() {
        return Err(refused(status));
    }
    let values = answer["values"].as_array();
    let values = values.ok_or_else(|| AnswerError::Unusable("without values".to_owned()))?;
    values.iter().map(number).collect()
}
