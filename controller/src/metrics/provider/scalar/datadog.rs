//! Datadog's query API, version 1.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use reqwest::Url;
use serde_json::Value;

use super::{Call, number};
use crate::metrics::{answer::AnswerError, provider::prometheus::append};

pub(super) fn call(mut url: Url, query: &str, lookback: Duration, now: DateTime<Utc>) -> Call {
    append(&mut url, &["api", "v1", "query"]);
    let from = now - TimeDelta::from_std(lookback).unwrap_or_default();
    url.query_pairs_mut()
        .append_pair("from", &from.timestamp().to_string())
        .append_pair("to", &now.timestamp().to_string())
        .append_pair("query", query);
    Call { method: Method::GET, url, headers: Vec::new(), body: Vec::new() }
}

/// The newest value of each series.
pub(super) fn values(answer: &Value) -> Result<Vec<f64>, AnswerError> {
    if answer["status"] == "error" || answer["error"].as_str().is_some_and(|text| !text.is_empty())
    {
        return Err(AnswerError::Refused("by Datadog's parser".to_owned()));
    }
    let Some(series) = answer["series"].as_array() else {
        return Err(AnswerError::Unusable("without series".to_owned()));
    };
    // A point is a time and a value; the value is null where there was nothing.
    let newest = |series: &Value| {
        let points = series["pointlist"].as_array()?;
        points.iter().rev().map(|point| point[1].clone()).find(|value| !value.is_null())
    };
    series.iter().filter_map(newest).map(|value| number(&value)).collect()
}
