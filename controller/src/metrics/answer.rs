//! What a provider answers.
//!
//! The API's results are read here and not by the client library: it knows no native histograms,
//! and one in a result would cost the whole of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockflight_analysis::{
    Sample,
    reading::{HistogramSample, NativeBucket, NativeHistogram, RawSeries},
};
use reqwest::StatusCode;
use serde::Deserialize;

/// Characters of a provider's own message that are passed on.
const MESSAGE_LENGTH_MAX: usize = 300;

/// The result of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// One number, and the time that it is about.
    Scalar(DateTime<Utc>, f64),
    /// One number per series, in the provider's order.
    Vector(Vec<f64>),
    /// Raw samples.
    Matrix(Vec<RawSeries>),
    /// Whether a Job has succeeded.
    Job(bool),
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// No connection, or it broke.
    #[error("cannot be reached ({0}): check the address in the MetricProvider and that it runs")]
    Unreachable(String),
    /// No answer in time.
    #[error("did not answer in {0} ms: check its load, or raise the MetricProvider's timeout")]
    TimedOut(u128),
    /// It answers, and refuses this query.
    #[error("refused the query ({0}): correct it in the AnalysisTemplate")]
    Refused(String),
    /// It answers something else than the API of Prometheus.
    #[error("answered {0}: check that the address in the MetricProvider is that of a Prometheus")]
    Unusable(String),
    /// No request can be made, for want of a credential.
    #[error("cannot be asked: {0}")]
    Unprepared(String),
    /// The server, or the hub, does not prove who it is.
    #[error("cannot be trusted, or does not trust the hub ({0}): {1}")]
    Untrusted(String, String),
    /// It refuses who asks, with this status.
    #[error("refused the hub with status {0}: {1}")]
    Denied(u16, String),
    /// The answer is too large.
    #[error("answered with more than {0} bytes: narrow the selector")]
    TooLarge(usize),
    /// The result has another type than the query needs.
    #[error("answered with {got}, but {want} is needed: correct the query")]
    WrongType {
        /// What came.
        got: &'static str,
        /// What was asked for.
        want: &'static str,
    },
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "camelCase")]
enum Data {
    Scalar(Point),
    Vector(Vec<Instant>),
    Matrix(Vec<Range>),
}

/// A time in seconds and a number in quotes.
#[derive(Deserialize)]
struct Point(f64, String);

/// A series of a vector. One without `value` is a native histogram, which is no number.
#[derive(Deserialize)]
struct Instant {
    value: Point,
}

#[derive(Deserialize)]
struct Range {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Point>,
    #[serde(default)]
    histograms: Vec<(f64, Histogram)>,
}

#[derive(Deserialize)]
struct Histogram {
    count: String,
    /// The boundary rule, both bounds and the count.
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

/// Reads a response.
pub(super) fn parse(status: StatusCode, body: &[u8]) -> Result<Answer, AnswerError> {
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(_) if !status.is_success() => {
            return Err(AnswerError::Unusable(format!("with status {}", status.as_u16())));
        }
        Err(error) => {
            let error = shortened(&error.to_string());
            return Err(AnswerError::Unusable(format!("with an unreadable result ({error})")));
        }
    };
    match (envelope.status.as_str(), envelope.data, envelope.error) {
        ("success", Some(data), _) if status.is_success() => read(data).ok_or_else(|| {
            AnswerError::Unusable("with a time or a number that is none".to_owned())
        }),
        ("error", _, Some(error)) if status.is_server_error() => {
            Err(AnswerError::Unusable(format!("with an error ({})", shortened(&error))))
        }
        ("error", _, Some(error)) => Err(AnswerError::Refused(shortened(&error))),
        _ => Err(AnswerError::Unusable(format!("with status {}", status.as_u16()))),
    }
}

/// The result in our types; none if a time or a number in it is none.
fn read(data: Data) -> Option<Answer> {
    Some(match data {
        Data::Scalar(Point(at, value)) => Answer::Scalar(timestamp(at)?, number(&value)?),
        Data::Vector(vector) => {
            let values = vector.iter().map(|instant| number(&instant.value.1));
            Answer::Vector(values.collect::<Option<_>>()?)
        }
        Data::Matrix(series) => {
            Answer::Matrix(series.into_iter().map(read_series).collect::<Option<_>>()?)
        }
    })
}

fn read_series(range: Range) -> Option<RawSeries> {
    let Range { metric, values, histograms } = range;
    let sample =
        |Point(at, value): &Point| Some(Sample { at: timestamp(*at)?, value: number(value)? });
    let bucket = |(_, lower, upper, count): &(u8, String, String, String)| {
        Some(NativeBucket { lower: number(lower)?, upper: number(upper)?, count: number(count)? })
    };
    let histogram = |(at, Histogram { count, buckets }): &(f64, Histogram)| {
        let buckets = buckets.iter().map(bucket).collect::<Option<_>>()?;
        let histogram = NativeHistogram { count: number(count)?, buckets };
        Some(HistogramSample { at: timestamp(*at)?, histogram })
    };
    Some(RawSeries {
        labels: metric,
        floats: values.iter().map(sample).collect::<Option<_>>()?,
        histograms: histograms.iter().map(histogram).collect::<Option<_>>()?,
    })
}

/// A number as Prometheus writes it: `NaN`, `+Inf` and `-Inf` are numbers too.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// What a source without a clock answers to the question for its time: what it says is about now.
pub(super) fn now(query: &str) -> Result<Answer, AnswerError> {
    if query != "time()" {
        return Err(AnswerError::Unprepared("it answers no such question".to_owned()));
    }
    let now = Utc::now();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are exact")]
    Ok(Answer::Scalar(now, now.timestamp_millis() as f64 / 1000.0))
}

/// The provider's time, from the answer to `time()`.
pub(super) fn time(answer: &Answer) -> Result<DateTime<Utc>, AnswerError> {
    match answer {
        Answer::Scalar(_, seconds) => timestamp(*seconds)
            .ok_or_else(|| AnswerError::Unusable("with a time that is none".to_owned())),
        other => Err(AnswerError::WrongType { got: kind(other), want: "a scalar" }),
    }
}

/// The series that a range selector selects.
pub(super) fn series(answer: Answer) -> Result<Vec<RawSeries>, AnswerError> {
    match answer {
        Answer::Matrix(series) => Ok(series),
        other => Err(AnswerError::WrongType { got: kind(&other), want: "a selector of counters" }),
    }
}

/// The values of a query, in the provider's order.
pub(super) fn values(answer: &Answer) -> Result<Vec<f64>, AnswerError> {
    match answer {
        Answer::Vector(values) => Ok(values.clone()),
        Answer::Scalar(_, value) => Ok(vec![*value]),
        Answer::Job(passed) => Ok(vec![f64::from(u8::from(*passed))]),
        Answer::Matrix(_) => {
            Err(AnswerError::WrongType { got: "a range", want: "a vector or a scalar" })
        }
    }
}

/// A time that a provider gives in seconds, with milliseconds behind the point.
pub(super) fn timestamp(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "as saturates, and no date is that large")]
    let ms = (seconds * 1000.0).round() as i64;
    seconds.is_finite().then(|| DateTime::from_timestamp_millis(ms)).flatten()
}

fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Vector(_) => "a vector",
        Answer::Matrix(_) => "a range",
        Answer::Scalar(..) => "a scalar",
        Answer::Job(_) => "the end of a Job",
    }
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE_LENGTH_MAX).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::{AnswerError, parse, time, timestamp, values};

    fn check(status: u16, body: &str) -> Result<Vec<f64>, AnswerError> {
        let status = StatusCode::from_u16(status).expect("a status");
        values(&parse(status, body.as_bytes())?)
    }

    fn success(kind: &str, result: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#)
    }

    #[test]
    fn results_are_read() {
        let vector = success("vector", r#"[{"metric":{"a":"b"},"value":[1.5,"0.25"]}]"#);
        assert_eq!(check(200, &vector), Ok(vec![0.25]));
        assert_eq!(check(200, &success("vector", "[]")), Ok(vec![]));
        assert_eq!(
            check(200, &success("scalar", r#"[1700000000,"+Inf"]"#)),
            Ok(vec![f64::INFINITY])
        );
        let nan = check(200, &success("scalar", r#"[1700000000.123,"NaN"]"#)).expect("a value");
        assert!(nan.iter().all(|value| value.is_nan()));
    }

    #[test]
    fn whatever_is_no_result_is_an_error() {
        let histogram = success("vector", r#"[{"metric":{},"histogram":[1,{"count":"1"}]}]"#);
        let cases = [
            (200, "<html>".to_owned(), "unreadable"),
            (200, "{}".to_owned(), "unreadable"),
            (200, histogram, "unreadable"),
            (200, success("string", r#"[1,"x"]"#), "unreadable"),
            (200, success("matrix", "[]"), "a range"),
            (302, String::new(), "status 302"),
            (401, "denied".to_owned(), "status 401"),
            (500, r#"{"status":"error","error":"oh"}"#.to_owned(), "with an error (oh)"),
            (
                422,
                r#"{"status":"error","errorType":"execution","error":"oh"}"#.to_owned(),
                "refused the query (oh)",
            ),
        ];
        for (status, body, expect) in cases {
            let error = check(status, &body).expect_err(&body).to_string();
            assert!(error.contains(expect), "{status} {body}: {error}");
        }
    }

    #[test]
    fn times_have_milliseconds() {
        let at = timestamp(1_700_000_000.123).expect("a time");
        assert_eq!(at.timestamp_millis(), 1_700_000_000_123);
        assert_eq!((timestamp(f64::NAN), timestamp(1e300)), (None, None));
        let answer = parse(StatusCode::OK, success("scalar", r#"[1,"2.5"]"#).as_bytes());
        assert_eq!(time(&answer.expect("a scalar")).map(|at| at.timestamp_millis()), Ok(2500));
    }
}
