//! Numbers that come back as they were: many readers of JSON are off by the last bit of a number
//! with more digits than [`DIGITS_MAX`], so such a number is written as text. Both forms are read.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Decimal digits that every reader gets right.
const DIGITS_MAX: usize = 15;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let text = number.to_string();
    if text.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX {
        serializer.serialize_f64(*number)
    } else {
        serializer.serialize_str(&text)
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Number::deserialize(deserializer)? {
        Number::Plain(number) => Ok(number),
        Number::Exact(text) => {
            text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no number")))
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Exact(String),
}
