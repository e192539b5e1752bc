//! Repeated measurements of one thing.

use std::fmt;

/// Values of one figure, in the order in which they were measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spread {
    values: Vec<f64>,
}

impl Spread {
    pub(super) fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    pub(super) fn min(&self) -> Option<f64> {
        self.values.iter().copied().min_by(f64::total_cmp)
    }

    pub(super) fn max(&self) -> Option<f64> {
        self.values.iter().copied().max_by(f64::total_cmp)
    }

    /// The middle one; of two in the middle the upper, which flatters nobody.
    pub(super) fn median(&self) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self { values: values.into_iter().collect() }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.values.iter().copied().map(number).collect();
        f.write_str(&texts.join(" "))
    }
}

/// A figure as the tables show it: as many digits as mean something.
pub(super) fn number(value: f64) -> String {
    if value.abs() < 10.0 && value.fract() != 0.0 {
        format!("{value:.2}")
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, number};

    #[test]
    fn the_order_of_measuring_does_not_matter() {
        assert_eq!(Spread::default().median(), None);
        let spread: Spread = [3.0, 1.0, 2.5, 9.0].into_iter().collect();
        assert_eq!(
            (spread.min(), spread.median(), spread.max()),
            (Some(1.0), Some(3.0), Some(9.0))
        );
        assert_eq!((spread.len(), spread.to_string().as_str()), (4, "3 1 2.50 9"));
    }

    #[test]
    fn digits() {
        assert_eq!([0.123, 12.34, 0.0, 36.0].map(number), ["0.12", "12.3", "0", "36"]);
    }
}
