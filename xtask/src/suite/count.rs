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
    /// Sums lines such as `test result: ok. 25 passed; 0 failed; 0 ignored; ...`.
    pub(super) fn read(log: &str) -> Self {
        let results = log.lines().filter(|line| line.trim_start().starts_with("test result:"));
        results.fold(Self::default(), |sum, line| {
            sum + Self { passed: before(line, " passed"), failed: before(line, " failed") }
        })
    }
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
}
