//! Conditions in expr-lang over `result`.
//!
//! The interpreter has no cost budget, so what a condition may cost is bounded by its text:
//! [`super::source`] refuses what could grow without end.

use std::sync::{Arc, LazyLock};
use std::thread;

use expr::{Context, Environment, Program, Value};

use super::source::{AT, rewrite};

/// Stack for the interpreter, in bytes: it descends once per bracket and operator.
const STACK_SIZE: usize = 16 << 20;

/// Values of one result.
const VALUES_MAX: usize = 1000;

/// What a query returned, as a condition sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// A single number: `result`.
    Scalar(f64),
    /// A list of numbers: `result[0]`. A matrix comes flattened.
    Vector(Vec<f64>),
}

/// A condition that can be evaluated.
#[derive(Clone)]
pub struct Expression {
    text: String,
    program: Arc<Program>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

/// Why a condition cannot be used, or gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Its text is longer, deeper or more of a chain than is allowed.
    #[error(
        "the condition is too complex: at most 1024 characters, 12 brackets within each other \
         and 128 operator characters"
    )]
    TooComplex,
    /// It uses a part of expr-lang that is not supported.
    #[error("the condition uses {0}, which is not supported: write it without")]
    Unsupported(String),
    /// It names something that is not known.
    #[error("the condition names {0}: only result is known")]
    UnknownName(String),
    /// It is not expr-lang.
    #[error("the condition is not valid expr-lang: {0}")]
    Syntax(String),
    /// The query returned too many values.
    #[error("the query returned {0} values, more than {VALUES_MAX}: aggregate it")]
    TooManyValues(usize),
    /// It failed on this result.
    #[error("the condition cannot be evaluated: {0}")]
    Evaluation(String),
    /// It gave something else than true or false.
    #[error("the condition gives {0} instead of true or false")]
    NotBoolean(String),
}

impl Expression {
    /// Parses a condition such as `result[0] < 0.05`, as an `AnalysisTemplate` of Argo has it.
    pub fn compile(text: &str) -> Result<Self, ExpressionError> {
        let source = rewrite(text)?;
        let program = on_own_stack(|| expr::compile(&source).map_err(|error| error.to_string()))
            .map_err(|error| ExpressionError::Syntax(short(&error)))?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program) })
    }

    /// The condition as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds. A comparison with NaN is false, as in Go.
    pub fn evaluate(&self, result: &Measured) -> Result<bool, ExpressionError> {
        let value = match result {
            Measured::Scalar(value) => Value::Float(*value),
            Measured::Vector(values) if values.len() > VALUES_MAX => {
                return Err(ExpressionError::TooManyValues(values.len()));
            }
            Measured::Vector(values) => {
                Value::Array(values.iter().map(|value| Value::Float(*value)).collect())
            }
        };
        let outcome = on_own_stack(|| {
            let mut context = Context::default();
            context.insert("result", value);
            ENVIRONMENT.run(&self.program, &context).map_err(|error| error.to_string())
        });
        match outcome.map_err(|error| ExpressionError::Evaluation(short(&error)))? {
            Value::Bool(holds) => Ok(holds),
            other => Err(ExpressionError::NotBoolean(short(&other.to_string()))),
        }
    }
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    // The interpreter gives nil beyond a list's end where Go's stops with an error.
    environment.add_function(AT, |call| match call.args.as_slice() {
        [Value::Array(values), Value::Integer(index)] => {
            let length = i64::try_from(values.len()).unwrap_or(i64::MAX);
            let from_start = if *index < 0 { index.saturating_add(length) } else { *index };
            usize::try_from(from_start)
                .ok()
                .and_then(|index| values.get(index).cloned())
                .ok_or_else(|| failure(format!("index {index} of a list of {length} values")))
        }
        _ => Err(failure("only a list can be indexed, and only by an integer".to_owned())),
    });
    environment.add_function("isNaN", |call| Ok(Value::Bool(one_number(&call.args)?.is_nan())));
    environment
        .add_function("isInf", |call| Ok(Value::Bool(one_number(&call.args)?.is_infinite())));
    environment.add_function("asFloat", |call| match call.args.as_slice() {
        [Value::String(text)] => text
            .parse()
            .map(Value::Float)
            .map_err(|_| failure(format!("asFloat: {text} is no number"))),
        other => one_number(other).map(Value::Float),
    });
    environment.add_function("asInt", |call| match call.args.as_slice() {
        [Value::Integer(value)] => Ok(Value::Integer(*value)),
        [Value::Float(value)] => whole(*value).map(Value::Integer),
        [Value::String(text)] => text
            .parse()
            .map(Value::Integer)
            .map_err(|_| failure(format!("asInt: {text} is no integer"))),
        _ => Err(failure("asInt takes one number or text".to_owned())),
    });
    // Argo's two functions look at the query's result, whatever they are called with; and a
    // result of Prometheus is never nil.
    environment.add_function("isNil", |call| match call.args.len() {
        1 => Ok(Value::Bool(call.ctx.get("result").is_none_or(Value::is_nil))),
        _ => Err(failure("isNil takes one argument".to_owned())),
    });
    environment.add_function("default", |call| match call.args.as_slice() {
        [_, otherwise] => {
            let result = call.ctx.get("result").filter(|result| !result.is_nil());
            Ok(result.unwrap_or(otherwise).clone())
        }
        _ => Err(failure("default takes two arguments".to_owned())),
    });
    environment
});

fn failure(message: String) -> expr::Error {
    expr::Error::ExprError(message)
}

fn one_number(arguments: &[Value]) -> expr::Result<f64> {
    match arguments {
        [Value::Float(value)] => Ok(*value),
        #[expect(clippy::cast_precision_loss, reason = "what Go's conversion does")]
        [Value::Integer(value)] => Ok(*value as f64),
        _ => Err(failure("a function for one number got something else".to_owned())),
    }
}

/// Towards zero, as Go converts. What Go leaves to the machine (NaN, beyond 64 bits) fails.
fn whole(value: f64) -> expr::Result<i64> {
    let bound = 9_223_372_036_854_775_808.0;
    if value >= -bound && value < bound {
        #[expect(clippy::cast_possible_truncation, reason = "in range, and meant to be cut")]
        return Ok(value as i64);
    }
    Err(failure(format!("asInt: {value} is no integer")))
}

/// Runs a piece of the interpreter where it can neither overflow the caller's stack nor unwind
/// into the caller.
fn on_own_stack<T: Send>(run: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, run)
            .map_err(|error| format!("no thread to run it on: {error}"))?
            .join()
            .unwrap_or_else(|_| Err("the interpreter gave up on it".to_owned()))
    })
}

/// A message in one bounded line.
fn short(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}
