//! The text of a condition: what may stand in it, and how the interpreter gets it.
//!
//! The text runs as written but for one thing: `result[i]` becomes a call that fails beyond the
//! end of the list, as Go's index does. Refused by name is what can grow without bound (ranges,
//! loops within loops, texts that repeat) and what means something else in the interpreter.

use super::ExpressionError;

/// The function that an index becomes. No user can call it: the name is not in [`FUNCTIONS`].
pub(super) const AT: &str = "__at";

const TEXT_LENGTH_MAX: usize = 1024;
const NESTING_DEPTH_MAX: usize = 12;
const OPERATORS_MAX: usize = 128;

const FUNCTIONS: [&str; 26] = [
    "abs", "all", "any", "asFloat", "asInt", "ceil", "count", "default", "filter", "first",
    "float", "floor", "int", "isInf", "isNaN", "isNil", "last", "len", "map", "max", "mean",
    "median", "min", "none", "one", "round",
];
const LOOPS: [&str; 7] = ["all", "any", "count", "filter", "map", "none", "one"];
const WORDS: [&str; 7] = ["and", "false", "in", "nil", "not", "or", "true"];

/// A bracket that is open.
struct Open {
    is_index: bool,
    is_loop: bool,
    /// The part of a loop that runs for every value has begun.
    in_body: bool,
}

/// What stood before the current character, spaces aside.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// Something that takes an operand after it.
    Operator,
    /// `result`, at this offset of the output.
    Result(usize),
    /// Another operand.
    Operand,
    /// A function's name, and whether it is a loop.
    Function(bool),
}

/// Checks the text and gives the form that the interpreter runs.
pub(super) fn rewrite(text: &str) -> Result<String, ExpressionError> {
    if text.len() > TEXT_LENGTH_MAX {
        return Err(ExpressionError::TooComplex);
    }
    let mut reader = Reader::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = reader.token(c, rest)?;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(reader.output)
}

#[derive(Default)]
struct Reader {
    output: String,
    open: Vec<Open>,
    before: Option<Before>,
    operators: usize,
    maps: usize,
}

impl Reader {
    /// Takes one token off the front of the rest; gives its length.
    fn token(&mut self, c: char, rest: &str) -> Result<usize, ExpressionError> {
        let length = match c {
            c if c.is_whitespace() => {
                self.output.push(c);
                return Ok(c.len_utf8());
            }
            '"' | '\'' | '`' => return self.quoted(c, rest),
            c if c.is_ascii_digit() => number_length(rest)?,
            c if c.is_alphabetic() || matches!(c, '_' | '$' | '#') => return self.word(rest),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number_length(rest)?,
            _ => return self.symbol(c, rest),
        };
        self.output.push_str(&rest[..length]);
        self.before = Some(Before::Operand);
        Ok(length)
    }

    fn quoted(&mut self, quote: char, rest: &str) -> Result<usize, ExpressionError> {
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == '\\' && quote != '`' {
                escaped = true;
            } else if c == quote {
                self.output.push_str(&rest[..=at]);
                self.before = Some(Before::Operand);
                return Ok(at + 1);
            }
        }
        Err(ExpressionError::Syntax("a text without an end".to_owned()))
    }

    fn word(&mut self, rest: &str) -> Result<usize, ExpressionError> {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#');
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        let is_call = rest[word.len()..].trim_start().starts_with('(');
        let in_body = self.open.iter().any(|open| open.in_body);
        let before = if WORDS.contains(&word) {
            let is_operand = matches!(word, "true" | "false" | "nil");
            if is_operand { Before::Operand } else { Before::Operator }
        } else if is_call {
            let refused = !FUNCTIONS.contains(&word) || (in_body && word == "default");
            let is_loop = LOOPS.contains(&word);
            self.maps += usize::from(word == "map");
            if refused {
                return unsupported(&format!("the function {word}"));
            } else if in_body && is_loop {
                return unsupported("a loop within a loop");
            } else if self.maps > 1 {
                return unsupported("map twice");
            }
            Before::Function(is_loop)
        } else if word == "result" {
            if in_body {
                return unsupported("result within a loop");
            }
            Before::Result(self.output.len())
        } else if word == "#" {
            Before::Operand
        } else {
            return Err(ExpressionError::UnknownName(word.to_owned()));
        };
        self.before = Some(before);
        self.output.push_str(word);
        Ok(word.len())
    }

    fn symbol(&mut self, c: char, rest: &str) -> Result<usize, ExpressionError> {
        for (refused, name) in [
            ("..", "a range"),
            ("//", "a comment"),
            ("/*", "a comment"),
            ("?.", "optional access"),
            ("??", "a default by ??"),
            (";", "several statements"),
            (".", "a member"),
        ] {
            if rest.starts_with(refused) {
                return unsupported(name);
            }
        }
        if matches!(c, '+' | '-' | '*' | '/' | '%' | '^' | '!' | '<' | '>' | '=' | '&' | '|' | '?')
        {
            self.operators += 1;
        }
        if rest.starts_with("||") || rest.starts_with("&&") {
            self.output.push_str(&rest[..2]);
            self.operators += 1;
            self.before = Some(Before::Operator);
            return self.bounded(2);
        }
        match c {
            '|' => return unsupported("a pipe"),
            '(' | '[' | '{' => self.open_bracket(c)?,
            ')' | ']' | '}' => {
                let is_index = self.open.pop().is_some_and(|open| open.is_index);
                self.output.push(if is_index && c == ']' { ')' } else { c });
                self.before = Some(Before::Operand);
            }
            _ => {
                match self.open.last_mut() {
                    Some(open) if c == ',' && open.is_loop => open.in_body = true,
                    Some(open) if c == ':' && open.is_index => return unsupported("a slice"),
                    _ => {}
                }
                self.output.push(c);
                self.before = Some(Before::Operator);
            }
        }
        self.bounded(c.len_utf8())
    }

    fn open_bracket(&mut self, c: char) -> Result<(), ExpressionError> {
        let mut open = Open { is_index: false, is_loop: false, in_body: false };
        match (c, self.before) {
            ('[', Some(Before::Result(at))) => {
                self.output.insert_str(at, &format!("{AT}("));
                self.output.push(',');
                open.is_index = true;
            }
            ('[', Some(Before::Operand | Before::Function(_))) => {
                return unsupported("an index of something other than result");
            }
            _ => {
                open.is_loop = c == '(' && self.before == Some(Before::Function(true));
                open.in_body = c == '{';
                self.output.push(c);
            }
        }
        self.open.push(open);
        self.before = Some(Before::Operator);
        Ok(())
    }

    fn bounded(&self, length: usize) -> Result<usize, ExpressionError> {
        if self.open.len() > NESTING_DEPTH_MAX || self.operators > OPERATORS_MAX {
            return Err(ExpressionError::TooComplex);
        }
        Ok(length)
    }
}

/// The length of the number at the front, with its point and exponent.
fn number_length(text: &str) -> Result<usize, ExpressionError> {
    let mut previous = '0';
    let mut length = text.len();
    for (at, c) in text.char_indices() {
        let is_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
        if !is_sign && !c.is_alphanumeric() && !matches!(c, '.' | '_')
            || text[at..].starts_with("..")
        {
            length = at;
            break;
        }
        previous = c;
    }
    let digits = text[..length].replace('_', "");
    let is_integer = digits.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x"))
        && digits.chars().skip(2).all(|c| c.is_ascii_hexdigit());
    if is_integer || digits.parse::<f64>().is_ok() {
        Ok(length)
    } else {
        Err(ExpressionError::Syntax(format!("{digits} is no number")))
    }
}

fn unsupported<T>(what: &str) -> Result<T, ExpressionError> {
    Err(ExpressionError::Unsupported(what.to_owned()))
}
