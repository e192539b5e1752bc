//! How the chance of a false abort is shared out among the attempts of a revision.
//!
//! All attempts together must keep it, however many there are, but most revisions have one: were
//! it halved each time, every rollout would pay `ln 2` of the 5.7 nats that an abort then needs.
//! So the first attempt has four fifths, and each of the others four fifths of what is left.

/// The part of an attempt of what is left to it.
const PART: f64 = 0.8;

/// Beyond so many attempts the part no longer falls; nobody gets there.
const ATTEMPTS_MAX: u32 = 64;

/// The part of attempt `number`, from 1.
pub(super) fn part(number: u32) -> f64 {
    let before = number.clamp(1, ATTEMPTS_MAX) - 1;
    PART * (1.0 - PART).powi(before.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn all_attempts_together_have_the_whole() {
        let sum: f64 = (1..=60).map(part).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        assert!((part(1) - 0.8).abs() < 1e-12 && (part(2) - 0.16).abs() < 1e-12);
        assert!(part(u32::MAX) > 0.0 && part(0) > 0.79);
    }
}
