//! JSON over HTTP, with a path or an expression for the values in it.

use std::{sync::Arc, thread};

use cel::{Context, Program};
use http::Method;
use lockflight_crds::{WebMethod, WebProvider};
use reqwest::Url;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::{Call, ProviderError, number, post};
use crate::metrics::answer::AnswerError;

/// Stack for `cel`, in bytes: its parser needs more than a worker thread has.
const STACK_SIZE: usize = 16 << 20;

/// Brackets and operator characters of an expression: its tree is descended on the stack.
const OPERATORS_MAX: usize = 64;

/// Loops over a list. One within another costs the square of an answer's length.
const LOOPS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];

pub(super) struct Web {
    method: WebMethod,
    parameter: String,
    values: Values,
}

enum Values {
    Path(JsonPath),
    Expression(Arc<Program>),
}

impl Web {
    pub(super) fn new(spec: &WebProvider) -> Result<Self, ProviderError> {
        let unusable = |field: &str, why: String| ProviderError::Unusable {
            field: format!("spec.web.{field}"),
            why,
        };
        let values = match (&spec.json_path, &spec.cel) {
            (Some(path), None) => {
                let path = JsonPath::parse(path).map_err(|error| {
                    unusable("jsonPath", format!("is not a JSONPath of RFC 9535 ({error})"))
                })?;
                Values::Path(path)
            }
            (None, Some(text)) => {
                Values::Expression(compile(text).map_err(|why| unusable("cel", why))?)
            }
            _ => {
                let field = "spec.web".to_owned();
                return Err(ProviderError::Choice { field, choice: "jsonPath and cel" });
            }
        };
        Ok(Self { method: spec.method, parameter: spec.parameter.clone(), values })
    }

    pub(super) fn call(&self, mut url: Url, query: &str) -> Call {
        match self.method {
            WebMethod::Get => {
                url.query_pairs_mut().append_pair(&self.parameter, query);
                Call { method: Method::GET, url, headers: Vec::new(), body: Vec::new() }
            }
            WebMethod::Post => {
                post(url, "application/json", &json!({ self.parameter.as_str(): query }))
            }
        }
    }

    /// The values in an answer.
    pub(super) async fn values(&self, answer: Value) -> Result<Vec<f64>, AnswerError> {
        match &self.values {
            Values::Path(path) => path.query(&answer).iter().map(|value| number(value)).collect(),
            Values::Expression(program) => {
                let program = Arc::clone(program);
                let run = move || on_own_stack(|| evaluate(&program, answer));
                let unusable = || {
                    let why = "with something that spec.web.cel gives no numbers for";
                    AnswerError::Unusable(why.to_owned())
                };
                let value = tokio::task::spawn_blocking(run).await.map_err(|_| unusable())?;
                match value.flatten().ok_or_else(unusable)? {
                    Value::Array(values) => values.iter().map(number).collect(),
                    value => Ok(vec![number(&value)?]),
                }
            }
        }
    }
}

fn compile(text: &str) -> Result<Arc<Program>, String> {
    let operators = text.chars().filter(|c| "([{+-*/%!<>=&|?.".contains(*c)).count();
    if operators > OPERATORS_MAX {
        return Err(format!("has more than {OPERATORS_MAX} brackets and operator characters"));
    }
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let loops = words.filter(|word| LOOPS.contains(word)).count();
    if loops > 1 {
        return Err(format!("has more than one of {}", LOOPS.join(", ")));
    }
    let program = on_own_stack(|| Program::compile(text).map_err(|_| ()));
    let program = program.and_then(Result::ok).ok_or("is not an expression in CEL")?;
    let references = program.references();
    match references.variables().into_iter().find(|name| *name != "response") {
        // A loop names a variable of its own.
        Some(name) if loops == 0 => {
            Err(format!("names {name}: only response, the answer, is known"))
        }
        _ => Ok(Arc::new(program)),
    }
}

fn evaluate(program: &Program, answer: Value) -> Option<Value> {
    let mut context = Context::default();
    context.add_variable("response", answer).ok()?;
    program.execute(&context).ok()?.json().ok()
}

/// Runs on a thread with a larger stack; none if there is no such thread, or it did not end well.
fn on_own_stack<T: Send>(run: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, run);
        thread.ok()?.join().ok()
    })
}
