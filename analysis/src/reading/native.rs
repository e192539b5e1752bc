//! Native histograms, as Prometheus's API spells them: the buckets that hold something.

/// A bucket with something in it: observations above `lower` and up to `upper`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NativeBucket {
    /// Lower bound, exclusive for positive buckets.
    pub lower: f64,
    /// Upper bound, inclusive for positive buckets.
    pub upper: f64,
    /// Observations in this bucket alone.
    pub count: f64,
}

/// A native histogram, exponential or with custom bounds. Its count is cumulative over time,
/// its buckets are not cumulative over bounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NativeHistogram {
    /// All observations.
    pub count: f64,
    /// The buckets that are not empty, in any order.
    pub buckets: Vec<NativeBucket>,
}

/// Bounds are the result of a formula on one side and of a decimal number on the other.
const SAME_BOUND: f64 = 1e-9;

/// The coarsest and the finest exponential schema that exist.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// How buckets are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Schema {
    /// Bounds are the powers of 2^(2^-n).
    Exponential(i32),
    /// Bounds of the user's choice.
    Custom,
}

/// Whether two numbers are the same bound. Infinity is near no other: a share of it is infinite.
pub(super) fn same_bound(a: f64, b: f64) -> bool {
    let near = || (a - b).abs() <= SAME_BOUND * a.abs().max(b.abs());
    a.total_cmp(&b).is_eq() || (a.is_finite() && b.is_finite() && near())
}

impl NativeBucket {
    fn schema(&self) -> Option<Schema> {
        if !(self.lower > 0.0 && self.upper.is_finite() && self.upper > self.lower) {
            // The bucket round zero, negative ones and the last one say nothing.
            return None;
        }
        let exact = -(self.upper / self.lower).log2().log2();
        let schema = exact.round();
        #[expect(clippy::cast_possible_truncation, reason = "as saturates; the range is checked")]
        let n = schema as i32;
        let fits = (exact - schema).abs() < 1e-6 && SCHEMAS.contains(&n);
        // The bounds themselves must be powers, not only their ratio.
        let power = self.upper.log2() * f64::from(n).exp2();
        let on_grid = (power - power.round()).abs() < 1e-6;
        Some(if fits && on_grid { Schema::Exponential(n) } else { Schema::Custom })
    }
}

impl NativeHistogram {
    /// The coarsest schema of its buckets; None where they tell none. Any custom bound makes all
    /// of it custom.
    pub(super) fn schema(&self) -> Option<Schema> {
        let schemas = self.buckets.iter().filter_map(NativeBucket::schema);
        schemas.reduce(coarser)
    }

    /// Observations above a bound; None where a bucket lies on both sides of it.
    pub(super) fn above(&self, bound: f64) -> Option<f64> {
        let mut above = 0.0;
        for bucket in &self.buckets {
            if bucket.lower >= bound || same_bound(bucket.lower, bound) {
                above += bucket.count;
            } else if bucket.upper > bound && !same_bound(bucket.upper, bound) && bucket.count > 0.0
            {
                return None;
            }
        }
        Some(above)
    }

    /// Whether every number in it can be one: finite counts from 0.
    pub(super) fn is_sound(&self) -> bool {
        let count = |n: f64| n.is_finite() && n >= 0.0;
        let bounds = |b: &NativeBucket| !b.lower.is_nan() && !b.upper.is_nan();
        count(self.count) && self.buckets.iter().all(|b| count(b.count) && bounds(b))
    }
}

/// The schema to which both can be merged.
pub(super) fn coarser(a: Schema, b: Schema) -> Schema {
    match (a, b) {
        (Schema::Exponential(a), Schema::Exponential(b)) => Schema::Exponential(a.min(b)),
        (Schema::Custom, _) | (_, Schema::Custom) => Schema::Custom,
    }
}

/// The first bound of a schema at or above a value from 0 (exclusive).
pub(super) fn bound_at_or_above(value: f64, schema: i32) -> f64 {
    let per_doubling = f64::from(schema).exp2();
    ((value.log2() * per_doubling - 1e-6).ceil() / per_doubling).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64, f64)]) -> NativeHistogram {
        NativeHistogram {
            count: buckets.iter().map(|b| b.2).sum(),
            buckets: buckets
                .iter()
                .map(|(lower, upper, count)| NativeBucket {
                    lower: *lower,
                    upper: *upper,
                    count: *count,
                })
                .collect(),
        }
    }

    #[test]
    fn the_schema_is_read_from_the_bounds() {
        type Case<'a> = (&'a [(f64, f64, f64)], Option<Schema>);
        let root = 2f64.sqrt();
        let cases: [Case<'_>; 7] = [
            (&[(1.0, 2.0, 1.0)], Some(Schema::Exponential(0))),
            (&[(1.0, root, 1.0)], Some(Schema::Exponential(1))),
            (&[(0.25, 1.0, 1.0)], Some(Schema::Exponential(-1))),
            (&[(1.0, root, 1.0), (2.0, 4.0, 1.0)], Some(Schema::Exponential(0))),
            (&[(0.1, 0.25, 1.0)], Some(Schema::Custom)),
            (&[(0.3, 0.6, 1.0)], Some(Schema::Custom)),
            (&[(-1e-128, 1e-128, 3.0)], None),
        ];
        for (buckets, expect) in cases {
            assert_eq!(histogram(buckets).schema(), expect, "{buckets:?}");
        }
    }

    #[test]
    fn events_above_a_bound_are_counted_on_the_coarser_grid_too() {
        let root = 2f64.sqrt();
        let fine = histogram(&[(0.5, 1.0, 7.0), (1.0, root, 2.0), (root, 2.0, 3.0)]);
        for (bound, expect) in
            [(1.0, Some(5.0)), (root, Some(3.0)), (2.0, Some(0.0)), (1.2, None), (0.5, Some(12.0))]
        {
            assert_eq!(fine.above(bound), expect, "{bound}");
        }
        let zero = histogram(&[(-0.001, 0.001, 4.0), (1.0, 2.0, 1.0)]);
        assert_eq!(zero.above(1.0), Some(1.0));
        let last = histogram(&[(1.0, 2.0, 1.0), (4.0, f64::INFINITY, 3.0)]);
        assert_eq!((last.above(4.0), last.above(8.0)), (Some(3.0), None));
        assert!(!same_bound(f64::INFINITY, 0.5) && same_bound(f64::INFINITY, f64::INFINITY));
        assert!(same_bound(bound_at_or_above(0.9, 0), 1.0));
        assert!(same_bound(bound_at_or_above(1.0, 2), 1.0));
        assert!(same_bound(bound_at_or_above(1.01, 2), 2f64.powf(0.25)));
    }
}
