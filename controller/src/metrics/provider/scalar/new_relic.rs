//! New Relic's `NerdGraph`.

use reqwest::Url;
use serde_json::{Value, json};

use super::{Call, number, post};
use crate::metrics::answer::AnswerError;

/// The one question that is asked; account and text are its variables.
const QUESTION: &str = "query($account: Int!, $text: Nrql!) \
     { actor { account(id: $account) { nrql(query: $text) { results } } } }";

/// Numbers of a row that say when or what it is about.
const NOT_VALUES: [&str; 4] = ["beginTimeSeconds", "endTimeSeconds", "timestamp", "facet"];

pub(super) fn call(url: Url, query: &str, account: u32) -> Call {
    let variables = json!({"account": account, "text": query});
    post(url, "application/json", &json!({"query": QUESTION, "variables": variables}))
}

/// The one number of each row.
pub(super) fn values(answer: &Value) -> Result<Vec<f64>, AnswerError> {
    if answer["errors"].as_array().is_some_and(|errors| !errors.is_empty()) {
        let why = "by NerdGraph; also check spec.newRelic.account".to_owned();
        return Err(AnswerError::Refused(why));
    }
    let rows = answer.pointer("/data/actor/account/nrql/results").and_then(Value::as_array);
    let Some(rows) = rows else {
        return Err(AnswerError::Unusable("without results".to_owned()));
    };
    rows.iter().map(only_number).collect()
}

fn only_number(row: &Value) -> Result<f64, AnswerError> {
    let fields = row.as_object().into_iter().flatten();
    // percentile() gives an object with one number for each percentage.
    let fields = fields
        .filter(|(name, _)| !NOT_VALUES.contains(&name.as_str()))
        .flat_map(|(_, value)| match value {
            Value::Object(inner) => inner.values().collect(),
            value => vec![value],
        })
        .filter(|value| value.is_number());
    match fields.collect::<Vec<_>>().as_slice() {
        [value] => number(value),
        found => Err(AnswerError::Refused(format!(
            "a row has {} numbers instead of one: select one per row",
            found.len()
        ))),
    }
}
