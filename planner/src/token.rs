//! Tokens of gates that wait for a person.

use sha2::{Digest, Sha256};

use crate::ids::MemberId;

/// Hexadecimal digits of a token: too many to guess, few enough to type.
const DIGITS: usize = 12;

/// A gate that a person opens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ApprovalGate<'a> {
    /// A step in a member.
    Step(&'a MemberId, usize),
    /// A whole wave.
    Wave(usize),
}

/// The token of a gate: it stands for exactly one gate of one attempt of one object, so that an
/// old one can never open another gate.
pub(crate) fn token(uid: &str, attempt: i64, gate: ApprovalGate<'_>) -> String {
    let text = match gate {
        ApprovalGate::Step(member, step) => format!("{uid}/{attempt}/step/{member}/{step}"),
        ApprovalGate::Wave(wave) => format!("{uid}/{attempt}/wave/{wave}"),
    };
    Sha256::digest(text)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(DIGITS)
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}
