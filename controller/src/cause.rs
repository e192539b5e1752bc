//! What is at the bottom of an error.

use std::error::Error;

/// The innermost cause of an error, which is what a person can act on: "connection refused"
/// rather than "error sending request".
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
