//! The phase of one measurement.

use super::{Expression, ExpressionError, Measured, Phase};

/// The conditions of a metric. Each of them is optional.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// What a good measurement fulfils: `successCondition`.
    pub success: Option<Expression>,
    /// What a bad measurement fulfils: `failureCondition`.
    pub failure: Option<Expression>,
}

/// A way in which conditions pass a release that nothing was measured of. A converter names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trap {
    /// Nothing is asked of the measurement.
    #[error("neither successCondition nor failureCondition: every measurement passes; add one")]
    NoCondition,
    /// `NaN > x` is false, so it is no failure, so it is a success.
    #[error(
        "failureCondition alone passes NaN, the result of 0/0: add a successCondition, or use \
         pass, to which no number is no data"
    )]
    NanPasses,
}

impl Conditions {
    /// The phase of a measurement with this result, and the error when it could not be judged.
    ///
    /// Both conditions are evaluated, the one for success first: an error in either of them is
    /// an error even where the other would decide.
    #[must_use]
    pub fn phase(&self, result: &Measured) -> (Phase, Option<ExpressionError>) {
        let holds = |condition: &Option<Expression>| {
            condition.as_ref().map(|condition| condition.evaluate(result)).transpose()
        };
        let phase = holds(&self.success)
            .and_then(|success| Ok(Self::phase_of(success, holds(&self.failure)?)));
        match phase {
            Ok(phase) => (phase, None),
            Err(error) => (Phase::Error, Some(error)),
        }
    }

    /// The phase where the conditions gave this; None stands for a condition that is not set.
    #[must_use]
    pub fn phase_of(success: Option<bool>, failure: Option<bool>) -> Phase {
        match (success, failure) {
            (_, Some(true)) | (Some(false), None) => Phase::Failed,
            (Some(false), Some(false)) => Phase::Inconclusive,
            (Some(true) | None, Some(false) | None) => Phase::Successful,
        }
    }

    /// How these conditions pass a release without evidence, if they do.
    #[must_use]
    pub fn trap(&self) -> Option<Trap> {
        match (&self.success, &self.failure) {
            (None, None) => Some(Trap::NoCondition),
            (None, Some(failure)) => (failure.evaluate(&Measured::Vector(vec![f64::NAN]))
                == Ok(false)
                || failure.evaluate(&Measured::Scalar(f64::NAN)) == Ok(false))
            .then_some(Trap::NanPasses),
            (Some(_), _) => None,
        }
    }
}
