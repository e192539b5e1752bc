//! Conversions that the compiler cannot know to be harmless here.

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// A size as a number.
#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^53")]
pub(crate) fn size(count: usize) -> f64 {
    count as f64
}

/// The whole part of a number that is not negative; what is too large becomes the largest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and negative numbers become 0"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

/// The same as a size.
pub(crate) fn index(number: f64) -> usize {
    usize::try_from(whole(number)).unwrap_or(usize::MAX)
}
