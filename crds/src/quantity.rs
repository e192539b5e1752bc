//! Small value types that users write as strings.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A value that does not have the shape which its schema asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    /// Not a Gateway API duration.
    #[error("must be a duration such as 30s, 5m or 1h30m, not {0:?}")]
    Duration(String),
    /// Neither a count nor a percentage.
    #[error("must be a whole number from 0 or a percentage such as 25%, not {0:?}")]
    CountOrPercent(String),
}

/// A duration as the Gateway API writes it (GEP-2257): `500ms`, `30s`, `5m`, `1h30m`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(pub String);

impl Duration {
    /// The span it stands for.
    pub fn to_std(&self) -> Result<std::time::Duration, InvalidQuantity> {
        let invalid = || InvalidQuantity::Duration(self.0.clone());
        let mut total_ms: u64 = 0;
        let mut rest = self.0.as_str();
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            if number.is_empty() || number.len() > 5 {
                return Err(invalid());
            }
            let unit_ms = match unit {
                "h" => 3_600_000,
                "m" => 60_000,
                "s" => 1_000,
                "ms" => 1,
                _ => return Err(invalid()),
            };
            total_ms += number.parse::<u64>().map_err(|_| invalid())? * unit_ms;
            rest = tail;
        }
        Ok(std::time::Duration::from_millis(total_ms))
    }
}

impl From<&str> for Duration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 32,
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
        })
    }
}

/// A number of clusters, or a share of them: `3` or `25%`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CountOrPercent {
    /// So many.
    Count(u32),
    /// A share of the whole, written with a percent sign.
    Percent(String),
}

impl CountOrPercent {
    fn percent(text: &str) -> Result<usize, InvalidQuantity> {
        text.strip_suffix('%')
            .and_then(|number| number.parse::<usize>().ok())
            .filter(|number| *number <= 100)
            .ok_or_else(|| InvalidQuantity::CountOrPercent(text.to_owned()))
    }

    /// As a limit on what may go on at once: rounded up, never below one, so that work goes on.
    pub fn concurrency_of(&self, whole: usize) -> Result<usize, InvalidQuantity> {
        Ok(match self {
            Self::Count(count) => *count as usize,
            Self::Percent(text) => (Self::percent(text)? * whole).div_ceil(100),
        }
        .max(1))
    }

    /// As a budget of what may go wrong: rounded down, so that it is never exceeded.
    pub fn budget_of(&self, whole: usize) -> Result<usize, InvalidQuantity> {
        Ok(match self {
            Self::Count(count) => *count as usize,
            Self::Percent(text) => Self::percent(text)? * whole / 100,
        })
    }
}

impl JsonSchema for CountOrPercent {
    fn schema_name() -> Cow<'static, str> {
        "CountOrPercent".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": "^(100|[0-9]{1,2})%$",
            "minimum": 0,
            "maximum": 10000,
            "maxLength": 5,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_gateway_api() {
        let check = |text: &str, expect: Option<u64>| {
            let ms = Duration(text.to_owned()).to_std().ok().map(|d| d.as_millis());
            assert_eq!(ms, expect.map(u128::from), "{text}");
        };
        check("0s", Some(0));
        check("1h30m", Some(5_400_000));
        check("250ms", Some(250));
        for bad in ["", "5", "m", "1d", "-1s", "1.5h", "123456s", "1s "] {
            check(bad, None);
        }
    }

    #[test]
    fn budgets_round_down_and_concurrency_rounds_up() {
        let quarter = CountOrPercent::Percent("25%".to_owned());
        assert_eq!(quarter.concurrency_of(5), Ok(2));
        assert_eq!(quarter.budget_of(5), Ok(1));
        assert_eq!(CountOrPercent::Count(0).concurrency_of(5), Ok(1));
        assert_eq!(CountOrPercent::Count(0).budget_of(5), Ok(0));
        assert!(CountOrPercent::Percent("101%".to_owned()).budget_of(5).is_err());
    }
}
