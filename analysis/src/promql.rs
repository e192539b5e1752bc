//! As much of PromQL's lexical structure as it takes to find ranges and quoted strings.

use std::time::Duration;

/// A part of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Anything outside quotes and comments.
    Code(&'a str),
    /// The inside of a quoted string, without its quotes.
    Quoted {
        /// The quote: `"`, `'` or a backtick.
        quote: char,
        /// What stands between the quotes, escapes as written.
        text: &'a str,
        /// Whether the closing quote is there.
        closed: bool,
    },
    /// A comment, from `#` to before the end of its line.
    Comment(&'a str),
}

/// Splits a query into its parts, in order. Every byte but the quotes is in exactly one of them.
#[must_use]
pub fn pieces(query: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = query;
    while !rest.is_empty() {
        let special = rest.find(['"', '\'', '`', '#']).unwrap_or(rest.len());
        let (code, tail) = rest.split_at(special);
        if !code.is_empty() {
            pieces.push(Piece::Code(code));
        }
        rest = tail;
        let Some(first) = rest.chars().next() else {
            break;
        };
        if first == '#' {
            let (comment, tail) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
            pieces.push(Piece::Comment(comment));
            rest = tail;
        } else {
            // All quotes are one byte long.
            let (_, inside) = rest.split_at(1);
            let end = end_of_string(inside, first);
            let (text, tail) = inside.split_at(end.unwrap_or(inside.len()));
            pieces.push(Piece::Quoted { quote: first, text, closed: end.is_some() });
            rest = tail.strip_prefix(first).unwrap_or(tail);
        }
    }
    pieces
}

/// Where the closing quote is. Backslashes escape, but not between backticks.
fn end_of_string(inside: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return Some(at);
        }
    }
    None
}

/// The longest range in a query: `[5m]`, `[1h30m:1m]` (a subquery's resolution is no range), or
/// `[300]` in seconds. None when the query reads only the newest samples. What a range selects
/// inside another range adds up in Prometheus; here only the longest of them counts.
#[must_use]
pub fn longest_range(query: &str) -> Option<Duration> {
    // A range has no quotes inside, so each one lies within a single piece of code.
    pieces(query)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Code(code) => Some(code),
            Piece::Quoted { .. } | Piece::Comment(_) => None,
        })
        .flat_map(|code| code.split('[').skip(1))
        .filter_map(|after| after.split_once(']'))
        .map(|(inside, _)| inside.split_once(':').map_or(inside, |(range, _)| range).trim())
        .filter_map(duration)
        .max()
}

/// A duration as PromQL writes it: `1h30m`, or seconds without a unit.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    if text.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) =
            tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return None,
        };
        let ms = digits.parse::<u64>().ok()?.checked_mul(unit_ms)?;
        total = total.checked_add(Duration::from_millis(ms))?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Piece, longest_range, pieces};

    #[test]
    fn ranges_are_found() {
        let cases = [
            ("up", None),
            ("rate(x[5m])", Some(300_000)),
            ("rate(x[5m]) / rate(y[1h30m])", Some(5_400_000)),
            ("max_over_time(rate(x[1m])[10m:30s])", Some(600_000)),
            ("rate(x[ 90s ])", Some(90_000)),
            ("rate(x[1500ms])", Some(1_500)),
            ("rate(x[300])", Some(300_000)),
            ("x[1d] + x[1w] + x[1y]", Some(365 * 86_400_000)),
            (r#"rate(x{path="[7d]"}[1m])"#, Some(60_000)),
            (r#"rate(x{path="a\"[7d]"}[1m])"#, Some(60_000)),
            ("rate(x{path='[7d]',raw=`\\`}[1m])", Some(60_000)),
            ("rate(x[1m]) # not [7d]\n+ y[2m]", Some(120_000)),
            ("x[]", None),
            ("x[5q]", None),
            ("x[5m", None),
            ("x[99999999999999999y]", None),
            ("x[NaN] + x[-5]", None),
        ];
        for (query, expect_ms) in cases {
            assert_eq!(longest_range(query), expect_ms.map(Duration::from_millis), "{query}");
        }
    }

    #[test]
    fn strings_and_comments_are_told_from_code() {
        assert_eq!(
            pieces("a{b=\"c\\\"d\"} # 'e'\n`f\\`'g"),
            [
                Piece::Code("a{b="),
                Piece::Quoted { quote: '"', text: "c\\\"d", closed: true },
                Piece::Code("} "),
                Piece::Comment("# 'e'"),
                Piece::Code("\n"),
                Piece::Quoted { quote: '`', text: "f\\", closed: true },
                Piece::Quoted { quote: '\'', text: "g", closed: false },
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(query in r#"([\[\]"'`#\\a-z0-9:{}\n]|\PC){0,60}"#) {
            prop_assert!(longest_range(&query) >= None);
        }
    }
}
