//! Conditions in CEL over `result`, the list of a query's values.
//!
//! The `cel` crate has no cost budget, so what a condition may cost is bounded before it runs:
//! its length, the depth of its nesting, no loop within a loop, no `map` (which can double a
//! list at every use), and the number of values.

use std::sync::Arc;
use std::thread;

use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, IdedExpr, Program, Value};

/// Characters of a condition; the schema of `AnalysisTemplate` has the same bound.
const TEXT_LENGTH_MAX: usize = 1024;

/// Brackets within brackets. Every level costs more than 100 KiB of stack in a debug build.
const NESTING_DEPTH_MAX: usize = 12;

/// Operator characters of a condition: a chain `a + b + c` is a tree as deep as the chain is
/// long, and the interpreter descends it on the stack.
const OPERATORS_MAX: usize = 128;

/// Stack for `cel`, in bytes. Its generated parser overflows the 2 MiB of a worker thread with
/// a dozen brackets, and an overflow ends the process. The deepest condition that the bounds
/// above let through takes less than half of this.
const STACK_SIZE: usize = 16 << 20;

/// Values of one result. A condition is about a handful; a query without an aggregation returns
/// a series per pod.
const VALUES_MAX: usize = 1000;

/// A condition that can be evaluated.
#[derive(Clone)]
pub struct Condition {
    text: String,
    program: Arc<Program>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

/// Why a condition cannot be used, or gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It is longer than 1024 characters.
    #[error("the condition is too long: at most {TEXT_LENGTH_MAX} characters")]
    TooLong,
    /// It nests or chains too much.
    #[error(
        "the condition is too complex: at most {NESTING_DEPTH_MAX} brackets within each other \
         and {OPERATORS_MAX} operator characters"
    )]
    TooComplex,
    /// It uses something whose cost cannot be bounded.
    #[error("the condition uses {0}, which is not supported")]
    Unsupported(&'static str),
    /// It is not CEL.
    #[error("the condition is not valid CEL: {0}")]
    Syntax(String),
    /// It names something other than `result`.
    #[error("the condition names {0}: only result, the list of the query's values, is known")]
    UnknownName(String),
    /// The query returned too many values.
    #[error("the query returned {0} values, more than {VALUES_MAX}: aggregate it")]
    TooManyValues(usize),
    /// It failed on these values.
    #[error("the condition cannot be evaluated: {0}")]
    Evaluation(String),
    /// It is no condition.
    #[error("the condition gives {0} instead of true or false")]
    NotBoolean(String),
}

impl Condition {
    /// Parses a condition such as `result[0] < 0.05`.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        if text.chars().count() > TEXT_LENGTH_MAX {
            return Err(ConditionError::TooLong);
        }
        bound_nesting(text)?;
        if text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "map") {
            return Err(ConditionError::Unsupported("map"));
        }
        let program = on_own_stack(|| Program::compile(text).map_err(|error| error.to_string()))
            .map_err(|error| ConditionError::Syntax(first_line(&error)))?;
        let mut scope = Vec::new();
        check(program.expression(), &mut scope)?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program) })
    }

    /// The condition as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds for these values. They have to be finite: NaN has no order.
    pub fn evaluate(&self, values: &[f64]) -> Result<bool, ConditionError> {
        if values.len() > VALUES_MAX {
            return Err(ConditionError::TooManyValues(values.len()));
        }
        on_own_stack(|| self.execute(values))
            .map_err(|error| ConditionError::Evaluation(first_line(&error)))?
            .map_err(ConditionError::NotBoolean)
    }

    /// Runs the program: the truth, or the type of what it gave instead.
    fn execute(&self, values: &[f64]) -> Result<Result<bool, String>, String> {
        let mut context = Context::default();
        context.add_variable_from_value("result", values.to_vec());
        match self.program.execute(&context).map_err(|error| error.to_string())? {
            Value::Bool(holds) => Ok(Ok(holds)),
            other => Ok(Err(other.type_of().to_string())),
        }
    }
}

/// Runs a piece of `cel` where it can neither overflow the caller's stack nor unwind into the
/// caller: its parser has assertions of its own, and a template that trips one must not take
/// the hub down.
fn on_own_stack<T: Send>(run: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, run)
            .map_err(|error| format!("no thread to run it on: {error}"))?
            .join()
            .unwrap_or_else(|_| Err("CEL's interpreter gave up on it".to_owned()))
    })
}

/// Bounds how deep the parser and the interpreter can descend, before either of them runs.
/// Counting inside strings too only makes the bound stricter.
fn bound_nesting(text: &str) -> Result<(), ConditionError> {
    let mut depth: usize = 0;
    let mut operators: usize = 0;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if matches!(
            c,
            '+' | '-' | '*' | '/' | '%' | '!' | '<' | '>' | '=' | '&' | '|' | '?' | '.' | '['
        ) {
            operators += 1;
        }
        if depth > NESTING_DEPTH_MAX || operators > OPERATORS_MAX {
            return Err(ConditionError::TooComplex);
        }
    }
    Ok(())
}

/// Finds loops within loops and unknown names; `scope` holds the variables of the loops around.
fn check<'a>(expression: &'a IdedExpr, scope: &mut Vec<&'a str>) -> Result<(), ConditionError> {
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) => Ok(()),
        Expr::Ident(name) => {
            let known = name == "result" || name.starts_with('@') || scope.contains(&name.as_str());
            if known || TYPES.contains(&name.as_str()) {
                Ok(())
            } else {
                Err(ConditionError::UnknownName(name.clone()))
            }
        }
        Expr::Call(call) => call
            .target
            .iter()
            .map(AsRef::as_ref)
            .chain(&call.args)
            .try_for_each(|e| check(e, scope)),
        Expr::Comprehension(each) => {
            check(&each.iter_range, scope)?;
            if !scope.is_empty() {
                return Err(ConditionError::Unsupported("a loop within a loop"));
            }
            scope.push(&each.iter_var);
            let body = [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result];
            body.into_iter().try_for_each(|e| check(e, scope))?;
            scope.pop();
            Ok(())
        }
        Expr::List(list) => list.elements.iter().try_for_each(|e| check(e, scope)),
        Expr::Select(select) => check(&select.operand, scope),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| check_entry(&entry.expr, scope)),
        Expr::Struct(_) => Err(ConditionError::Unsupported("a message")),
    }
}

fn check_entry<'a>(entry: &'a EntryExpr, scope: &mut Vec<&'a str>) -> Result<(), ConditionError> {
    match entry {
        EntryExpr::StructField(field) => check(&field.value, scope),
        EntryExpr::MapEntry(entry) => {
            check(&entry.key, scope)?;
            check(&entry.value, scope)
        }
    }
}

/// Names that CEL itself defines.
const TYPES: [&str; 9] =
    ["bool", "bytes", "double", "dyn", "int", "list", "string", "uint", "null_type"];

/// The parser's message without the drawing below it.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests;
