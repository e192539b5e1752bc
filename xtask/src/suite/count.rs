//! Tests, counted from what the test programs print.

use std::ops::Add;

/// Tests that ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl Count {
    /// Sums Cargo's lines, such as `test result: ok. 25 passed; 0 failed; 0 ignored; ...`, and
    /// Node's, such as `# pass 19` or `# fail 0`.
    pub(super) fn read(log: &str) -> Self {
        log.lines().map(str::trim).fold(Self::default(), |sum, line| {
            sum + if line.starts_with("test result:") {
                Self { passed: before(line, " passed"), failed: before(line, " failed") }
            } else {
                let failed = after(line, "fail") + after(line, "cancelled");
                Self { passed: after(line, "pass"), failed }
            }
        })
    }
}

/// The number in a line of Node's summary; 0 in any other line. It begins with a number sign, or
/// with another mark where people are thought to read it.
fn after(line: &str, word: &str) -> u64 {
    let words = line.strip_prefix("# ").or_else(|| line.strip_prefix("\u{2139} "));
    let number = words.and_then(|words| words.strip_prefix(word)?.strip_prefix(' '));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The number that stands before a word; 0 when there is none.
fn before(line: &str, word: &str) -> u64 {
    let digits = line.split(word).next().filter(|text| text.len() < line.len());
    digits.and_then(|text| text.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_every_test_program() {
        let log = "\
running 2 tests
test a ... ok
test result: ok. 25 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
7 passed
";
        assert_eq!(Count::read(log), Count { passed: 28, failed: 1 });
        assert_eq!(Count::read("nothing"), Count::default());
    }

    #[test]
    fn reads_the_summary_of_node() {
        for mark in ["#", "\u{2139}"] {
            let log = ["tests 23", "pass 19", "fail 3", "cancelled 1", "skipped 0"];
            let log = log.map(|line| format!("{mark} {line}\n")).concat();
            assert_eq!(Count::read(&log), Count { passed: 19, failed: 4 });
        }
        let names = "# Subtest: pass 3 gates\nok 1 - pass 3 gates\n# password 7\npass 9\n";
        assert_eq!(Count::read(names), Count::default());
    }
}
